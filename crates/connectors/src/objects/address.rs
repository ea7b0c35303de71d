//! Where a store is and who may use it, as a runbook says it.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A store: its URL, or a map with the URL and what is needed to reach it.
#[derive(Clone, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Address {
    /// `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`; credentials come from the
    /// environment.
    Url(String),
    /// The URL with endpoint and credentials.
    Store(Box<Store>),
}

/// A store with endpoint and credentials; every value may be a secret.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    pub(crate) url: String,
    /// URL of the service, for servers that speak the protocol of another.
    pub(crate) endpoint: Option<String>,
    /// Region of an S3 bucket.
    pub(crate) region: Option<String>,
    /// S3: name of the key.
    pub(crate) access_key_id: Option<String>,
    /// S3: the key itself.
    pub(crate) secret_access_key: Option<String>,
    /// S3: token that goes with a temporary key.
    pub(crate) session_token: Option<String>,
    /// S3: the bucket's name is part of the host; `endpoint` then has it already.
    #[serde(default)]
    pub(crate) virtual_hosted: bool,
    /// GCS: the key of a service account, as JSON text.
    pub(crate) service_account_key: Option<String>,
    /// Azure: the storage account.
    pub(crate) account: Option<String>,
    /// Azure: the account's key.
    pub(crate) account_key: Option<String>,
    /// Azure: a shared access signature, as the portal shows it.
    pub(crate) sas: Option<String>,
    /// The store is read without credentials.
    #[serde(default)]
    pub(crate) anonymous: bool,
    /// The endpoint may be `http://`; never over a network that others can read.
    #[serde(default)]
    pub(crate) allow_http: bool,
}

impl Store {
    /// Returns the fields that never belong into a text.
    pub(crate) fn confidential(&self) -> Vec<(&'static str, &str)> {
        [
            ("access_key_id", &self.access_key_id),
            ("secret_access_key", &self.secret_access_key),
            ("session_token", &self.session_token),
            ("service_account_key", &self.service_account_key),
            ("account_key", &self.account_key),
            ("sas", &self.sas),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect()
    }
}

impl Address {
    /// Returns the address with every field in its place.
    pub(crate) fn store(&self) -> Store {
        match self {
            Self::Url(url) => Store { url: url.clone(), ..Store::default() },
            Self::Store(store) => (**store).clone(),
        }
    }
}

// By hand, because an untagged enum says of every mistake only that nothing fits.
impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Address;

            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("the URL of a store, or a map with `url`")
            }

            fn visit_str<E: Error>(self, url: &str) -> Result<Address, E> {
                Ok(Address::Url(url.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Address, A::Error> {
                let store = Store::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Address::Store(Box::new(store)))
            }
        }
        from.deserialize_any(Either)
    }
}
