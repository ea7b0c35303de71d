//! Tokens: a file of hashes that the command line writes and the daemon reads whenever it has changed.
//!
//! A token is 256 random bits, so that a plain hash of it is enough: there is nothing to guess, and no password behind it
//! that might be used elsewhere.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use engine::Millis;
use serde::{Deserialize, Serialize};

use crate::access::{Role, kept, name, random};

const PREFIX: &str = "rst";
const FORMAT: u32 = 1;

/// A token as it is stored: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its ID, a part of the token that is not secret.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Millis,
    /// When it expires.
    pub expires_at: Millis,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
    /// BLAKE3 of the token, hexadecimal.
    hash: String,
}

/// A token that was just made: the only time that it is seen.
#[derive(Debug)]
pub struct NewToken {
    /// What to send.
    pub secret: String,
    /// What is kept of it.
    pub kept: Token,
}

/// Why the tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("the tokens cannot be used: {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what this program writes.
    #[error("the tokens cannot be used: {path} is no file of tokens that this version reads")]
    Form {
        /// The file.
        path: String,
    },
    /// The name cannot be used.
    #[error("`{0}` cannot be the name of a token's owner")]
    Name(String),
    /// There is no such token.
    #[error("there is no token with the ID {0}")]
    Unknown(String),
    /// The system gives no random bits.
    #[error("the system gives no random bits")]
    NoRandom,
}

impl TokenError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "tokens-file",
            Self::Form { .. } => "tokens-form",
            Self::Name(_) => "token-name",
            Self::Unknown(_) => "token-unknown",
            Self::NoRandom => "no-random",
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "check the folder given with --home and its permissions",
            Self::Form { .. } => "restore the file from a copy, or remove it and make new tokens",
            Self::Name(_) => "use 1 to 100 visible characters, the name by which the estate knows the person",
            Self::Unknown(_) => "`reinstate token list` has them",
            Self::NoRandom => "look at the system's random generator",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    tokens: Vec<Token>,
}

/// What tells one state of the file from another.
type Stamp = (u64, i64, i64, u64);

/// The tokens of a home.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    read: Mutex<(Option<Stamp>, Vec<Token>)>,
}

impl Tokens {
    /// The tokens in a folder; the file need not be there yet.
    #[must_use]
    pub fn of(home: &Path) -> Self {
        Self { path: home.join("tokens.json"), read: Mutex::default() }
    }

    /// All tokens, those that are over among them.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn list(&self) -> Result<Vec<Token>, TokenError> {
        let stamp = self.stamp()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0 != stamp {
            *read = (stamp, self.load()?);
        }
        Ok(read.1.clone())
    }

    /// Whether any token can be used.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn any(&self, now: Millis) -> Result<bool, TokenError> {
        Ok(self.list()?.iter().any(|token| token.is_good(now)))
    }

    /// Whether there has ever been a token: then nobody is let in without one, even if all have expired.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn ever(&self) -> Result<bool, TokenError> {
        Ok(!self.list()?.is_empty())
    }

    /// The token that was sent, if it is known and can be used.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn find(&self, sent: &str, now: Millis) -> Result<Option<Token>, TokenError> {
        let mut parts = sent.split('_');
        let (Some(PREFIX), Some(id), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Ok(None);
        };
        let hash = blake3::hash(sent.as_bytes());
        let known = self.list()?.into_iter().find(|token| token.id == id);
        // Hashes of this kind are compared in constant time.
        let same = |token: &Token| blake3::Hash::from_hex(&token.hash).is_ok_and(|kept| kept == hash);
        Ok(known.filter(|token| same(token) && token.is_good(now)))
    }

    /// A token by its ID, if it can be used.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn good(&self, id: &str, now: Millis) -> Result<Option<Token>, TokenError> {
        Ok(self.list()?.into_iter().find(|token| token.id == id && token.is_good(now)))
    }

    /// Whether a token has a name, or one that reads like it. It keeps the name when it expires, which nobody decides: who
    /// gets the name next gets its owner's place among the approvers. Revoking it lets the name go.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn named(&self, name: &str) -> Result<bool, TokenError> {
        Ok(self.list()?.iter().any(|token| token.revoked_at.is_none() && engine::reads_like(&token.name, name)))
    }

    /// Makes a token; durable on return.
    ///
    /// # Errors
    /// If the name cannot be used, or the file cannot be written.
    pub fn create(&self, name: &str, role: Role, now: Millis, expires_at: Millis) -> Result<NewToken, TokenError> {
        if !name::is_name(name) {
            return Err(TokenError::Name(name.escape_debug().to_string()));
        }
        let id = random::name().ok_or(TokenError::NoRandom)?;
        let secret = format!("{PREFIX}_{id}_{}", random::secret().ok_or(TokenError::NoRandom)?);
        let hash = blake3::hash(secret.as_bytes()).to_hex().to_string();
        let name = name.trim().to_owned();
        let kept = Token { id, name, role, created_at: now, expires_at, revoked_at: None, hash };
        self.change(|tokens| {
            tokens.push(kept.clone());
            Ok(())
        })?;
        Ok(NewToken { secret, kept })
    }

    /// Revokes a token; durable on return, and heeded by a running daemon with the next request.
    ///
    /// # Errors
    /// If there is none of that ID, or the file cannot be written.
    pub fn revoke(&self, id: &str, now: Millis) -> Result<(), TokenError> {
        self.change(|tokens| {
            let token = tokens.iter_mut().find(|token| token.id == id);
            let token = token.ok_or_else(|| TokenError::Unknown(id.escape_debug().to_string()))?;
            token.revoked_at.get_or_insert(now);
            Ok(())
        })
    }

    /// Changes the file as a whole, one process at a time.
    fn change(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<(), TokenError>) -> Result<(), TokenError> {
        let _held = kept::hold(&self.path).map_err(|source| self.trouble(source))?;
        let mut tokens = self.load()?;
        change(&mut tokens)?;
        let text = serde_json::to_vec_pretty(&Kept { format: FORMAT, tokens }).unwrap_or_default();
        kept::replace(&self.path, &text).map_err(|source| self.trouble(source))
    }

    fn load(&self) -> Result<Vec<Token>, TokenError> {
        let Some(bytes) = kept::read(&self.path).map_err(|source| self.trouble(source))? else { return Ok(Vec::new()) };
        let form = || TokenError::Form { path: self.path.display().to_string() };
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| form())?;
        if kept.format == FORMAT { Ok(kept.tokens) } else { Err(form()) }
    }

    fn stamp(&self) -> Result<Option<Stamp>, TokenError> {
        match std::fs::metadata(&self.path) {
            Ok(data) => Ok(Some((data.ino(), data.mtime(), data.mtime_nsec(), data.len()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.trouble(source)),
        }
    }

    fn trouble(&self, source: std::io::Error) -> TokenError {
        TokenError::File { path: self.path.display().to_string(), source }
    }
}

impl Token {
    /// Whether it can be used.
    #[must_use]
    pub fn is_good(&self, now: Millis) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

#[cfg(test)]
mod tests;
