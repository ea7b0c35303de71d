//! Sign-in by a provider of identities: OpenID Connect's authorization code flow, with PKCE, state and nonce.
//!
//! It ends in the session that a token opens, too. The provider says who somebody is and in which groups; what they may
//! is said by the daemon's own file. Whoever is in none of its groups is not let in.

mod begun;
mod claims;
mod http;
mod people;
mod protocol;
mod provider;
mod seen;
mod settings;
mod trouble;

pub(crate) use begun::LASTS;
pub(crate) use provider::{Back, Provider};
pub(crate) use settings::Settings;
pub(crate) use trouble::OidcError;
