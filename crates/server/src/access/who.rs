//! Who asks.

use std::net::IpAddr;

use crate::access::Role;

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
    /// By a session that this token opened; the browser sends it by itself.
    Session(String),
    /// There is no token, and the request comes from this machine.
    Here,
    /// Not at all: the route is open to anybody.
    Nobody,
}
