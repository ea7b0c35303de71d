//! The one HTTP client, and what it brings back.

use std::sync::OnceLock;
use std::time::Instant;

use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use runtime::Call;
use serde_json::Value;

use super::failure::{Target, retry_after};
use crate::Settings;
use crate::answer::Trouble;
use crate::noted::since;

/// Bytes of a body that are read.
const BODY_CAP: usize = 4 * 1024 * 1024;

/// Connections are shared by every attempt; redirects are never followed by the client itself.
pub(crate) struct Client {
    user_agent: String,
    proxy: Option<String>,
    made: OnceLock<Result<reqwest::Client, String>>,
}

/// Makes ring the process's TLS provider, unless there is one.
pub(crate) fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race against another installer is fine: there is a provider then.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// How far a request came.
pub(crate) enum Sent {
    /// An answer came.
    Answer(Answer),
    /// It surely never reached the service.
    Not(String),
    /// It may have reached the service.
    Lost(String),
}

/// An answer with its body.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Body as text, up to the cap; bytes that are not UTF-8 are replaced.
    pub(crate) text: String,
    /// Whether the body was longer than the cap.
    pub(crate) cut: bool,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Self {
        install_tls();
        Self { user_agent: settings.user_agent.clone(), proxy: settings.proxy.clone(), made: OnceLock::new() }
    }

    /// The proxy through which every request goes.
    pub(super) fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    /// Returns the client, making it at its first use.
    pub(crate) fn get(&self) -> Result<&reqwest::Client, Trouble> {
        let made = self.made.get_or_init(|| {
            let mut builder =
                reqwest::Client::builder().user_agent(&self.user_agent).redirect(Policy::none()).no_proxy();
            if let Some(proxy) = &self.proxy {
                builder =
                    builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| "the proxy's URL is invalid".to_owned())?);
            }
            builder.build().map_err(|error| chain(&error))
        });
        made.as_ref().map_err(|why| Trouble::never("http.client", format!("the HTTP client cannot be made: {why}")))
    }
}

/// Sends a request for an attempt, reads its answer, and writes both into the attempt's log: method and place, then status,
/// time and when to come back.
pub(crate) async fn send_for(call: &Call, target: &Target, request: reqwest::RequestBuilder) -> Sent {
    call.log.note(target);
    let begun = Instant::now();
    let sent = send(request).await;
    match &sent {
        Sent::Answer(answer) => {
            let pause = retry_after(answer)
                .map_or_else(String::new, |pause| format!(", retry after {}", humantime::format_duration(pause)));
            call.log.note(format_args!("{} in {}{pause}", answer.status, since(begun)));
        }
        Sent::Not(why) => call.log.note(format_args!("not sent after {}: {why}", since(begun))),
        Sent::Lost(why) => call.log.note(format_args!("no answer after {}: {why}", since(begun))),
    }
    sent
}

/// Sends a request and reads its answer.
async fn send(request: reqwest::RequestBuilder) -> Sent {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => return Sent::Not(chain(&error.without_url())),
        Err(error) => return Sent::Lost(chain(&error.without_url())),
    };
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    let mut cut = false;
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => {
                let room = BODY_CAP - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    cut = true;
                    break;
                }
            }
            Err(error) => return Sent::Lost(chain(&error.without_url())),
        }
    }
    Sent::Answer(Answer { status, headers, text: String::from_utf8_lossy(&body).into_owned(), cut })
}

impl Answer {
    /// Returns the body as JSON, if it is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let text = self.text.trim_start();
        if !kind.contains("json") && !text.starts_with(['{', '[']) {
            return None;
        }
        serde_json::from_str(text).ok()
    }

    /// Returns the body as JSON, or else as text.
    pub(crate) fn body(&self) -> Value {
        self.json().unwrap_or_else(|| Value::String(self.text.clone()))
    }
}

/// Tells an error with its causes; reqwest's own text names only the outermost.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
