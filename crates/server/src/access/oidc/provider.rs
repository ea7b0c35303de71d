//! The provider: what is known of it, and the way of one sign-in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::Millis;
use openidconnect::core::CoreProviderMetadata;
use openidconnect::{ClientSecret, IssuerUrl, Nonce, PkceCodeChallenge, RedirectUrl};
use runbook::Oidc;
use runtime::{Clock, SecretSource, SystemClock};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::oidc::begun::{self, Begun, One};
use crate::access::oidc::claims;
use crate::access::oidc::http::Http;
use crate::access::oidc::people::People;
use crate::access::oidc::protocol::{Client, Doubt, Exchanged, back_to, code_of};
use crate::access::oidc::seen::{Answer, Seen};
use crate::access::oidc::{OidcError, Settings};
use crate::access::{Person, Tokens, random};
use crate::drivers::Vault;
use crate::words::chain;

/// Longest pause between two looks for a provider that was away when the daemon started.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Sign-ins at once that have the secret read and the provider asked. Anybody can bring one that far.
const AT_ONCE: usize = 8;
/// Longest that one of them waits for its turn.
const TURN: Duration = Duration::from_secs(30);
/// Name of the secret in the vault.
const SECRET: &str = "client_secret";

/// The provider of identities of this daemon.
pub(crate) struct Provider {
    settings: Settings,
    /// Where browsers are sent back to.
    back: RedirectUrl,
    http: Http,
    vault: Arc<dyn SecretSource>,
    begun: Begun,
    people: Arc<People>,
    seen: Mutex<Seen>,
    turns: Semaphore,
}

/// A sign-in that begins.
pub(crate) struct Start {
    /// Where the browser goes.
    pub(crate) url: String,
    /// Name of the cookie that binds it to the browser.
    pub(crate) cookie: String,
    /// What the cookie holds.
    pub(crate) browser: String,
}

/// What the browser brings back.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Back {
    state: String,
    code: String,
    error: String,
    iss: String,
}

/// A sign-in that came to nothing, and whom it was of, where the provider vouched for that much.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: OidcError,
    pub(crate) name: String,
    pub(crate) subject: String,
}

impl From<OidcError> for Refused {
    fn from(error: OidcError) -> Self {
        Self { error, name: String::new(), subject: String::new() }
    }
}

impl Provider {
    /// Takes what the file says; asks nobody yet.
    pub(crate) fn new(settings: Settings, home: &Path, vault: &Vault) -> Result<Self, String> {
        let secrets = BTreeMap::from([(SECRET.to_owned(), settings.file.client_secret.clone())]);
        let people = Arc::new(People::of(home));
        let (http, vault) = (Http::new()?, vault(secrets));
        let back = back_to(&settings.file.public_url)?;
        let (begun, seen, turns) = (Begun::default(), Mutex::default(), Semaphore::new(AT_ONCE));
        Ok(Self { settings, back, http, vault, begun, people, seen, turns })
    }

    /// The provider's name for people.
    pub(crate) fn shown(&self) -> &str {
        let issuer = self.settings.file.issuer.as_str();
        issuer.split_once("://").map_or(issuer, |(_, rest)| rest).trim_end_matches('/')
    }

    /// The provider, as it names itself.
    pub(crate) fn issuer(&self) -> &str {
        &self.settings.file.issuer
    }

    /// How long a session lasts.
    pub(crate) fn lasts(&self) -> Millis {
        self.settings.lasts()
    }

    /// Asks the provider, now and again, until it has answered once: what is wrong should be in the log before somebody
    /// wants to sign in.
    ///
    /// # Cancel safety
    /// Dropping the future ends it.
    pub(crate) async fn meet(&self, stop: CancellationToken) {
        let mut pause = Duration::from_secs(5);
        while let Err(error) = self.metadata(None).await {
            tracing::warn!(%error, issuer = self.issuer(), "nobody can sign in by the provider of identities");
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Begins a sign-in that leads to a place of ours.
    pub(crate) async fn begin(&self, to: &str) -> Result<Start, OidcError> {
        let metadata = self.metadata(None).await?;
        let secret = || random::secret().ok_or(crate::access::TokenError::NoRandom);
        let (state, nonce, browser) = (secret()?, Nonce::new(secret()?), secret()?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = Client::new(&self.settings.file, &self.back, &metadata, None);
        let url = client.leads(state.clone(), nonce.clone(), challenge);
        let now = SystemClock.now();
        let bound = blake3::hash(browser.as_bytes());
        let one = One { browser: bound, nonce, verifier, to: to.to_owned(), until: now + begun::LASTS };
        self.begun.keep(&state, one, now);
        Ok(Start { url, cookie: cookie_of(&state), browser })
    }

    /// Ends a sign-in: who it is, and where they wanted to go. `browser` is what the cookie of that name holds.
    pub(crate) async fn complete(
        &self,
        back: Back,
        browser: Option<&str>,
        tokens: &Tokens,
    ) -> Result<(Person, String), Refused> {
        let one = browser.and_then(|browser| self.begun.take(&back.state, browser, SystemClock.now()));
        let one = one.ok_or(OidcError::Stale)?;
        if !back.iss.is_empty() && back.iss != self.issuer() {
            return Err(OidcError::Token("the answer is another provider's".to_owned()).into());
        }
        if !back.error.is_empty() || back.code.is_empty() {
            return Err(OidcError::Denied(code_of(&back.error)).into());
        }
        let claims = self.claims(back.code, &one).await?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        let of = |error: OidcError, name: &str| Refused { error, name: name.to_owned(), subject: subject.clone() };
        let name = claims::name(&claims, &self.settings).map_err(|error| of(error, ""))?;
        let role = claims::role(&claims, &self.settings).map_err(|error| of(error, &name))?;
        // A token says who its owner is by whoever owns the folder, a claim by whoever fills in a profile.
        if tokens.named(&name).map_err(|error| of(error.into(), &name))? {
            return Err(of(OidcError::Taken(name.clone()), &name));
        }
        let person = Person { name, role, issuer: self.issuer().to_owned(), subject: subject.clone() };
        let (people, known) = (self.people.clone(), person.clone());
        let kept = tokio::task::spawn_blocking(move || people.know(&known)).await;
        let kept = kept.unwrap_or_else(|error| Err(OidcError::People { path: String::new(), why: error.to_string() }));
        kept.map_err(|error| of(error, &person.name))?;
        Ok((person, one.to))
    }

    /// Verified claims for a code.
    async fn claims(&self, code: String, one: &One) -> Result<Map<String, Value>, OidcError> {
        let busy = || OidcError::Unreachable("too many people sign in at once".to_owned());
        let turn = tokio::time::timeout(TURN, self.turns.acquire()).await.map_err(|_| busy())?;
        let _turn = turn.map_err(|_| busy())?;
        let metadata = self.metadata(None).await?;
        let secret = self.vault.read(SECRET).await.map_err(OidcError::Secret)?;
        let client = |metadata: &CoreProviderMetadata| {
            let secret = ClientSecret::new(secret.expose_secret().to_owned());
            Client::new(&self.settings.file, &self.back, metadata, Some(secret))
        };
        let exchanged = client(&metadata).exchange(code, one, &self.http).await?;
        match client(&metadata).verified(&exchanged, &one.nonce) {
            Ok(claims) => self.enough(&client(&metadata), &exchanged, claims).await,
            Err(Doubt::Token(error)) => Err(error),
            Err(Doubt::Key) => {
                let metadata = self.metadata(Some(Instant::now())).await?;
                let claims = client(&metadata).verified(&exchanged, &one.nonce).map_err(|doubt| match doubt {
                    Doubt::Key => OidcError::Token("it is signed with a key that is not the provider's".to_owned()),
                    Doubt::Token(error) => error,
                })?;
                self.enough(&client(&metadata), &exchanged, claims).await
            }
        }
    }

    /// Claims with what the daemon needs, asked for if it is not in the ID token.
    async fn enough(
        &self,
        client: &Client<'_>,
        exchanged: &Exchanged,
        signed: Map<String, Value>,
    ) -> Result<Map<String, Value>, OidcError> {
        if claims::suffice(&signed, &self.settings) {
            return Ok(signed);
        }
        let subject = signed.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        let more = client.more(exchanged, &subject, &self.http).await?;
        Ok(claims::joined(signed, more))
    }

    /// What the provider says of itself, asked anew if it is old, or older than `since`. Whoever waits for a question that
    /// somebody else has asked takes its answer.
    async fn metadata(&self, since: Option<Instant>) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let asked = Instant::now();
        let mut seen = self.seen.lock().await;
        match seen.answer(asked, since, Instant::now()) {
            Answer::Found(found) => return Ok(found),
            Answer::Failed(why) => return Err(OidcError::Unreachable(why)),
            Answer::Ask => {}
        }
        match self.discover().await {
            Ok(found) => {
                let found = Arc::new(found);
                seen.answered(found.clone(), Instant::now());
                Ok(found)
            }
            Err(why) => seen.failed(why.clone(), since, Instant::now()).ok_or(OidcError::Unreachable(why)),
        }
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, String> {
        let issuer = IssuerUrl::new(self.issuer().to_owned()).map_err(|error| error.to_string())?;
        let found = CoreProviderMetadata::discover_async(issuer, &self.http).await;
        let found = found.map_err(|error| report::plain(&chain(&error)))?;
        // The browser is sent there, and the secret goes there: better known now than at the first sign-in.
        let token = found.token_endpoint().map(|url| url.url()).ok_or("it has no token endpoint")?;
        if ![found.authorization_endpoint().url(), token].into_iter().all(|url| Oidc::trusts(url.as_str())) {
            return Err("it names an address that others can listen to".to_owned());
        }
        Ok(found)
    }
}

/// The name of the cookie for a sign-in by its state: each of several at once has its own.
pub(crate) fn cookie_of(state: &str) -> String {
    format!("reinstate_sign_in_{}", &blake3::hash(state.as_bytes()).to_hex()[..16])
}

impl Back {
    /// The name of the cookie that binds it to a browser.
    pub(crate) fn cookie(&self) -> String {
        cookie_of(&self.state)
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}
