//! Why somebody is not signed in.

use crate::access::TokenError;

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    #[error("this daemon has no provider of identities")]
    Off,
    #[error("the provider of identities cannot be asked: {0}")]
    Unreachable(String),
    #[error("the secret of the sign-in cannot be read: {0}")]
    Secret(String),
    #[error("this sign-in was not begun in this browser, was used already, or took too long")]
    Stale,
    #[error("the provider did not sign you in ({0})")]
    Denied(String),
    #[error("the provider does not stand by what it sent ({0})")]
    Code(String),
    #[error("what the provider says of you cannot be trusted: {0}")]
    Token(String),
    #[error("the provider does not say who you are: {0}")]
    Name(String),
    #[error("you are in no group that has a role here")]
    Group,
    #[error("the name {0} belongs to somebody else here")]
    Taken(String),
    #[error("you have signed in as {was} before, and are called {now} now")]
    Renamed { was: String, now: String },
    #[error("who has signed in cannot be kept: {path}: {why}")]
    People { path: String, why: String },
    #[error(transparent)]
    Tokens(#[from] TokenError),
}

impl OidcError {
    /// Returns the stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Off => "oidc-off",
            Self::Unreachable(_) => "oidc-unreachable",
            Self::Secret(_) => "oidc-secret",
            Self::Stale => "oidc-stale",
            Self::Denied(_) => "oidc-denied",
            Self::Code(_) => "oidc-code",
            Self::Token(_) => "oidc-token",
            Self::Name(_) => "oidc-name",
            Self::Group => "oidc-group",
            Self::Taken(_) => "oidc-name-taken",
            Self::Renamed { .. } => "oidc-renamed",
            Self::People { .. } => "oidc-people",
            Self::Tokens(error) => error.code(),
        }
    }

    /// The fact for whoever wants to sign in, which may be anybody: what this machine has where is for its log.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Secret(_) => "the secret of the sign-in cannot be read".to_owned(),
            Self::People { .. } => "who has signed in cannot be kept".to_owned(),
            Self::Tokens(TokenError::File { .. } | TokenError::Form { .. }) => "the tokens cannot be used".to_owned(),
            error => error.to_string(),
        }
    }

    /// Returns what a person can do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Off => "sign in with a token",
            Self::Unreachable(_) => "try again, or sign in with a token",
            Self::Secret(_) => "whoever runs this daemon has to make it readable; sign in with a token",
            Self::Stale => "sign in again",
            Self::Denied(_) => "sign in again, or ask whoever runs the provider",
            Self::Code(_) => "sign in again; if it stays, whoever runs this daemon has to look at its file oidc.yaml",
            Self::Token(_) => "sign in again; if it stays, whoever runs the provider has to look",
            Self::Name(_) => "whoever runs the provider has to give you one, or this daemon has to use another claim",
            Self::Group => "ask whoever runs the provider to put you in one of the groups",
            Self::Taken(_) => "ask whoever runs this daemon: names must tell people apart",
            Self::Renamed { .. } => "ask whoever runs this daemon to take the old name out of its file people.json",
            Self::People { .. } => "whoever runs this daemon has to look at its folder",
            Self::Tokens(error) => error.hint(),
        }
    }

    /// Whether the person may not, rather than that something failed.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Group | Self::Taken(_) | Self::Renamed { .. } | Self::Denied(_) | Self::Name(_))
    }
}
