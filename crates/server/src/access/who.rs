//! Who asks.

use std::net::IpAddr;

use crate::access::{Opener, Role, Session};

/// Who asks, as the guard found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Name; it stands in the journal and in the audit log, and approvals go by it.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Where from.
    pub from: IpAddr,
    /// How that is known.
    pub via: Via,
}

/// How it is known who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// By a token, by its ID.
    Token(String),
    /// By a session; the browser sends it by itself.
    Session(Session),
    /// There is no token and no provider, and the request comes from this machine.
    Here,
    /// Not at all: the route is open to anybody.
    Nobody,
}

impl Via {
    /// What is the same for all that somebody asks, and for nobody else; `None` if they are not known by anything.
    pub(crate) fn key(&self) -> Option<String> {
        match self {
            Self::Token(id) => Some(id.clone()),
            Self::Session(session) => Some(session.opener.key()),
            Self::Here | Self::Nobody => None,
        }
    }

    /// How it is known, in words for the audit log.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Token(id) => format!("token {id}"),
            Self::Session(Session { opener: Opener::Token(id), .. }) => format!("session of token {id}"),
            Self::Session(Session { opener: Opener::Person(person), .. }) => {
                format!("session of {} at {}", report::plain(&person.subject), report::plain(&person.issuer))
            }
            Self::Here => "here".to_owned(),
            Self::Nobody => "not known".to_owned(),
        }
    }
}
