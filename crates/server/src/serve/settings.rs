//! How the daemon is to serve, and what it refuses to start with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::access::TokenError;
use crate::audit::AuditError;
use crate::home::Home;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port.
    pub listen: SocketAddr,
    /// Certificate chain and key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether a proxy stands before it that ends TLS and says where requests come from.
    pub behind_proxy: bool,
    /// The folder.
    pub home: Home,
    /// Where runs are recorded, as `--store` takes it; shown, never opened here.
    pub place: String,
    /// Who acts on this machine while there are no tokens, and in whose name interrupted runs are taken up.
    pub actor: String,
    /// Whether interrupted runs are taken up.
    pub take_up: bool,
    /// How long runs that are over are kept; for ever if not set.
    pub keep_runs: Option<Duration>,
}

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could reach it, and nobody needs a token.
    #[error("{0} can be reached from other machines, and there is no token")]
    NoToken(SocketAddr),
    /// Others could reach it, and could read what is sent.
    #[error("{0} can be reached from other machines, and what is sent could be read on the way")]
    NoTls(SocketAddr),
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate {path} cannot be used: {why}")]
    Certificate {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// The folder cannot be used.
    #[error("the folder {path} cannot be used")]
    Home {
        /// The folder.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The file of the sign-in cannot be used.
    #[error("the sign-in by a provider cannot be used: {0}")]
    Oidc(String),
    /// Nothing could be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl ServeError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken(_) => "serve-no-token",
            Self::NoTls(_) => "serve-no-tls",
            Self::Listen { .. } => "serve-listen",
            Self::Certificate { .. } => "serve-certificate",
            Self::Home { .. } => "serve-home",
            Self::Tokens(error) => error.code(),
            Self::Oidc(_) => "serve-oidc",
            Self::Audit(error) => error.code(),
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoToken(_) => "make one first: `reinstate token create --role admin --name YOU --home DIR`",
            Self::NoTls(_) => "give --tls-cert and --tls-key, or --behind-proxy if a proxy ends TLS before it",
            Self::Listen { .. } => "name another port, or end the process that has it",
            Self::Certificate { .. } => "give a chain and its key as PEM, readable for this user",
            Self::Home { .. } => "name a folder that this user may write, with --home",
            Self::Tokens(error) => error.hint(),
            Self::Oidc(_) => {
                "correct oidc.yaml in the daemon's folder, or take it away; `reinstate help serve` shows one"
            }
            Self::Audit(error) => error.hint(),
        }
    }
}

impl Settings {
    /// Whether nobody but this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// Refuses what would let strangers in; `asked` says whether everybody is asked who they are, since there is a token
    /// that can be used or a provider of identities.
    pub(super) fn safe(&self, asked: bool) -> Result<(), ServeError> {
        if (!self.is_loopback() || self.behind_proxy) && !asked {
            return Err(ServeError::NoToken(self.listen));
        }
        if !self.is_loopback() && self.tls.is_none() && !self.behind_proxy {
            return Err(ServeError::NoTls(self.listen));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_kept_out() {
        let settings = |listen: &str, tls: bool, behind_proxy| Settings {
            listen: listen.parse().expect("an address"),
            tls: tls.then(|| (PathBuf::from("c"), PathBuf::from("k"))),
            behind_proxy,
            home: Home::new("h"),
            place: String::new(),
            actor: String::new(),
            take_up: true,
            keep_runs: None,
        };
        let code =
            |listen, tls, proxy, tokens| settings(listen, tls, proxy).safe(tokens).err().map(|error| error.code());
        assert_eq!(code("127.0.0.1:0", false, false, false), None);
        assert_eq!(code("[::1]:0", false, false, false), None);
        assert_eq!(code("0.0.0.0:0", true, false, false), Some("serve-no-token"));
        assert_eq!(code("0.0.0.0:0", false, false, true), Some("serve-no-tls"));
        assert_eq!(code("10.0.0.1:0", false, true, true), None);
        assert_eq!(code("0.0.0.0:0", true, false, true), None);
        assert_eq!(code("127.0.0.1:0", false, true, false), Some("serve-no-token"), "others come by the proxy");
    }
}
