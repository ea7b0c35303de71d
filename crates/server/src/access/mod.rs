//! Who may do what: roles, the rule of every route, tokens, sessions, and limits.
//!
//! Who someone is comes from a token, from a session that a token has opened, or, while there is no token at all, from
//! being on this machine. A provider of identities (OIDC) would be a further way to open a session: it ends in
//! `Sessions::open` like a token does, and nothing else of this module would change.

mod acts;
mod guard;
mod limits;
mod origin;
mod random;
mod role;
mod rules;
mod sessions;
mod tokens;
mod who;

pub(crate) use guard::{Access, cookie, guard};
pub use role::{Permission, Role};
pub use rules::{RULES, Rule, rule_of};
pub(crate) use sessions::{COOKIE, LASTS as SESSION_LASTS, Sessions};
pub use tokens::{NewToken, Token, TokenError, Tokens};
pub use who::{Via, Who};
