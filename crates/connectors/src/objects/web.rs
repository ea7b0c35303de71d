//! The HTTP client of all stores: one set of connections for every attempt.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService};
use reqwest::redirect::Policy;

use crate::Settings;
use crate::answer::Trouble;

/// Time to reach a store.
const CONNECT: Duration = Duration::from_secs(10);

/// Time without a byte after which a connection counts as dead; an object may take as long as it needs.
const SILENCE: Duration = Duration::from_secs(60);

/// Makes the client at its first use.
#[derive(Clone, Debug)]
pub(super) struct Web {
    settings: Settings,
    made: Arc<OnceLock<Result<HttpClient, String>>>,
}

/// Number of tags that an object has, as its store says with the content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tagged(pub(super) u64);

impl Web {
    pub(super) fn new(settings: &Settings) -> Self {
        crate::http::install_tls();
        Self { settings: settings.clone(), made: Arc::default() }
    }

    /// Returns the client.
    pub(super) fn client(&self) -> Result<HttpClient, Trouble> {
        let made = self.made.get_or_init(|| {
            let mut builder = reqwest::Client::builder()
                .user_agent(&self.settings.user_agent)
                .redirect(Policy::none())
                .http1_only()
                .connect_timeout(CONNECT)
                .read_timeout(SILENCE)
                .no_proxy();
            if let Some(proxy) = &self.settings.proxy {
                let proxy = reqwest::Proxy::all(proxy).map_err(|_| "the proxy's URL is invalid".to_owned())?;
                builder = builder.proxy(proxy);
            }
            let client = builder.build().map_err(|error| error.to_string())?;
            Ok(HttpClient::new(Counting(client)))
        });
        made.clone().map_err(|why| Trouble::never("objects.client", format!("the HTTP client cannot be made: {why}")))
    }
}

impl HttpConnector for Web {
    // What the options would say is said above, once for all stores.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        self.client().map_err(|trouble| object_store::Error::Generic { store: "HTTP", source: Box::new(trouble) })
    }
}

/// Passes on what an answer says about tags, which `object_store` leaves out.
#[derive(Debug)]
struct Counting(reqwest::Client);

#[async_trait]
impl HttpService for Counting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut response = HttpService::call(&self.0, request).await?;
        let tags = response.headers().get("x-amz-tagging-count").and_then(|count| count.to_str().ok()?.parse().ok());
        if let Some(tags) = tags {
            response.extensions_mut().insert(Tagged(tags));
        }
        Ok(response)
    }
}
