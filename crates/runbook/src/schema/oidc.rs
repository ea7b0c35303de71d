//! The sign-in file as a type, from which its JSON Schema is generated; a test holds its keys and the reader's together.
#![expect(dead_code, reason = "the fields are there for their schema")]

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::types::{Duration, OneOrMany};

/// Sign-in by a provider of identities (OpenID Connect).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Oidc {
    /// The language and its version.
    schema: Version,
    /// The provider, as it names itself: `https://login.example.org/realms/dr`.
    issuer: String,
    /// Name of the daemon at the provider.
    client_id: String,
    /// Where the secret is that goes with it: `env:NAME`, `file:PATH` or `command:PROGRAM`; never its value.
    #[schemars(regex(pattern = r"^(env|file|command):.*\S"))]
    client_secret: String,
    /// Where browsers reach the daemon: `https://dr.example.org`.
    public_url: String,
    /// What is asked for beside `openid`; `[profile, email]` if not said.
    scopes: Option<OneOrMany>,
    /// The claim that names the person; `preferred_username` if not said. `email` counts only if it is verified.
    name_claim: Option<String>,
    /// The claim that lists groups; `groups` if not said. Dots lead into objects.
    groups_claim: Option<String>,
    /// Groups and the role that each gives; the first that somebody is in counts.
    roles: BTreeMap<String, String>,
    /// How long a session lasts, from `1m` to `7d`; `12h` if not said.
    session: Option<Duration>,
}

#[derive(JsonSchema)]
enum Version {
    #[schemars(rename = "oidc/v1")]
    V1,
}
