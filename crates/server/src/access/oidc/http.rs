//! Requests to the provider: short, bounded, and to nobody else.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use runbook::Oidc;

use crate::words::chain;

/// Time that one request may take.
const LONGEST: Duration = Duration::from_secs(10);
/// Longest answer.
const ANSWER_MAX: usize = 1 << 20;

/// The client. It follows no redirect, since a provider that is led elsewhere is another one, and asks nobody by a way on
/// which others can listen, whatever the provider says of itself.
#[derive(Debug)]
pub(super) struct Http(reqwest::Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct HttpError(String);

impl Http {
    /// Trusts what the system trusts.
    pub(super) fn new() -> Result<Self, String> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Losing the race against another installer is fine: there is a provider then.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("reinstate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LONGEST)
            .build();
        client.map(Self).map_err(|error| format!("no HTTP client can be made: {}", chain(&error)))
    }

    /// Sends a request and reads the whole answer. Errors name neither address nor body: both may hold secrets.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !Oidc::trusts(&request.uri().to_string()) {
            return Err(HttpError("it names an address that others can listen to".to_owned()));
        }
        let failed = |error: reqwest::Error| HttpError(chain(&error.without_url()));
        let mut request = reqwest::Request::try_from(request).map_err(failed)?;
        if let Some(value) = request.headers_mut().get_mut(AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let mut answer = self.0.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(HttpError("the answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = HttpResponse::new(body);
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(whole)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.send(request).boxed()
    }
}
