//! Stores in a network: S3 and what speaks its protocol, Google Cloud Storage, Azure.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::address::Store;
use super::s3::Bucket;
use super::web::Web;
use crate::answer::Trouble;

/// A store with what is known about it.
pub(super) struct Cloud {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The bucket, if it speaks S3.
    pub(super) s3: Option<Arc<Bucket>>,
    /// Equal for the same bucket, whoever asks.
    pub(super) identity: String,
}

/// Requests that failed by the network or by a busy store are made again inside of an attempt.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        max_retries: 6,
        retry_timeout: Duration::from_secs(60),
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            base: 2.0,
        },
    }
}

/// Opens an S3 bucket. Nothing is asked of the network yet.
pub(super) fn s3(bucket: &str, store: &Store, web: &Web) -> Result<Cloud, Trouble> {
    let own = store.access_key_id.is_some() || store.secret_access_key.is_some() || store.anonymous;
    // A key of its own never goes with a token from the environment.
    let mut builder = if own { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        if !own && variable(&[name]).is_some_and(|value| !value.bytes().all(|byte| byte.is_ascii_graphic())) {
            let fact = format!("{name} of the environment holds a space, a line break or another character no key has");
            return Err(Trouble::never("objects.invalid", fact));
        }
    }
    let region = store.region.clone().or_else(|| variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = store.endpoint.clone().or_else(|| {
        let names: &[&str] = if own { &[] } else { &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"] };
        variable(names)
    });
    if let Some(endpoint) = &endpoint {
        let allowed = store.allow_http || !own && variable(&["AWS_ALLOW_HTTP"]).is_some_and(|value| value == "true");
        if endpoint.starts_with("http:") && !allowed {
            let fact = format!("{}: the endpoint of the environment is not encrypted", store.url);
            return Err(Trouble::never("objects.invalid", fact).hint("`allow_http: true` allows it"));
        }
        // The one that goes first in the builder.
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    builder = builder
        .with_bucket_name(bucket)
        .with_region(&region)
        .with_allow_http(store.allow_http)
        .with_virtual_hosted_style_request(store.virtual_hosted)
        .with_skip_signature(store.anonymous)
        .with_retry(retries())
        .with_http_connector(web.clone());
    if let Some(id) = &store.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(key) = &store.secret_access_key {
        builder = builder.with_secret_access_key(key);
    }
    if let Some(token) = &store.session_token {
        builder = builder.with_token(token);
    }
    let built: AmazonS3 = builder.build().map_err(|error| invalid(store, &error))?;
    let url = match (&endpoint, store.virtual_hosted) {
        (Some(endpoint), true) => endpoint.trim_end_matches('/').to_owned(),
        (Some(endpoint), false) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
        (None, true) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        (None, false) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
    };
    let credentials = (!store.anonymous).then(|| Arc::clone(built.credentials()));
    let holder = store.access_key_id.clone();
    let identity = format!("s3 {} {bucket}", endpoint.as_deref().unwrap_or("aws"));
    let s3 = Bucket::new(web.client()?, credentials, region, url, bucket.to_owned(), holder);
    Ok(Cloud { store: Arc::new(built), s3: Some(Arc::new(s3)), identity })
}

/// Opens a bucket of Google Cloud Storage.
pub(super) fn gcs(bucket: &str, store: &Store, web: &Web) -> Result<Cloud, Trouble> {
    let own = store.service_account_key.is_some() || store.anonymous;
    let mut builder = if own { GoogleCloudStorageBuilder::new() } else { GoogleCloudStorageBuilder::from_env() };
    builder = builder
        .with_bucket_name(bucket)
        .with_skip_signature(store.anonymous)
        .with_retry(retries())
        .with_http_connector(web.clone());
    if let Some(key) = &store.service_account_key {
        builder = builder.with_service_account_key(key);
    }
    if let Some(endpoint) = &store.endpoint {
        builder = builder.with_base_url(endpoint.trim_end_matches('/'));
    }
    let built = builder.build().map_err(|error| invalid(store, &error))?;
    let identity = format!("gs {} {bucket}", store.endpoint.as_deref().unwrap_or_default());
    Ok(Cloud { store: Arc::new(built), s3: None, identity })
}

/// Opens a container of Azure.
pub(super) fn azure(container: &str, store: &Store, web: &Web) -> Result<Cloud, Trouble> {
    let own = store.account_key.is_some() || store.sas.is_some() || store.anonymous;
    let mut builder = if own { MicrosoftAzureBuilder::new() } else { MicrosoftAzureBuilder::from_env() };
    builder = builder
        .with_container_name(container)
        .with_allow_http(store.allow_http)
        .with_skip_signature(store.anonymous)
        .with_retry(retries())
        .with_http_connector(web.clone());
    let account = store.account.clone().or_else(|| variable(&["AZURE_STORAGE_ACCOUNT_NAME"]));
    if let Some(account) = &account {
        builder = builder.with_account(account);
    }
    if let Some(key) = &store.account_key {
        builder = builder.with_access_key(key);
    }
    if let Some(sas) = &store.sas {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(sas.trim_start_matches('?').as_bytes()).into_owned().collect();
        builder = builder.with_sas_authorization(pairs);
    }
    if let Some(endpoint) = &store.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let built = builder.build().map_err(|error| invalid(store, &error))?;
    let whose = store.endpoint.clone().or(account).unwrap_or_default();
    Ok(Cloud { store: Arc::new(built), s3: None, identity: format!("az {whose} {container}") })
}

/// First variable of the environment that is set.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Says that a store cannot be described so, without the values that describe it.
fn invalid(store: &Store, error: &object_store::Error) -> Trouble {
    let mut text = error.to_string();
    for (name, value) in store.confidential() {
        text = text.replace(value, &format!("({name})"));
    }
    Trouble::never("objects.invalid", format!("{}: {text}", store.url))
        .hint("see `objects` in the reference of actions for what each kind of store needs")
}
