//! Who may do what: roles, the rule of every route, tokens, sessions, and limits.
//!
//! Who someone is comes from a token, from a session that a token or a provider of identities (`oidc`) has opened, or,
//! while there is neither a token nor a provider, from being on this machine.

mod acts;
mod guard;
mod kept;
mod limits;
mod name;
pub(crate) mod oidc;
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
pub use sessions::{Opener, Person, Session};
pub use tokens::{NewToken, Token, TokenError, Tokens};
pub use who::{Via, Who};
