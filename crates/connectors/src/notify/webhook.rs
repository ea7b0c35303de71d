//! `notify/webhook@1`: JSON to a service that takes each key once.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use runtime::Call;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::signature::sign;
use crate::answer::{Trouble, inputs, reveal, reveal_in};
use crate::http::{Answer, Client, Method, Sent, Target, headers, lost, not_sent, send_for, unexpected};

/// Inputs of `notify/webhook@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    /// Absolute URL.
    url: String,
    /// What is sent, as JSON.
    body: Value,
    /// Further headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Key of the signature: `whsec_` and base64, or any text; a secret. Without it nothing is signed.
    key: Option<String>,
}

/// Outputs of `notify/webhook@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Answered {
    /// Status of the answer.
    status: u16,
}

/// Posts the body.
pub(super) async fn apply(client: &Client, call: &Call) -> Result<Value, Trouble> {
    let mut webhook: Webhook = inputs(&call.with)?;
    let target = Target::new(Method::Post, &webhook.url);
    reveal_in(&mut webhook.body, &call.secrets)?;
    let body = webhook.body.to_string();
    let mut headers = headers(&webhook.headers, &call.secrets)?;
    let id = header(&call.key)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("idempotency-key"), id.clone());
    headers.insert(HeaderName::from_static("reinstate-token"), HeaderValue::from(call.token));
    if let Some(key) = &webhook.key {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signed = sign(&reveal(key, &call.secrets)?, &call.key, seconds, &body)?;
        headers.insert(HeaderName::from_static("webhook-id"), id);
        headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(seconds));
        headers.insert(HeaderName::from_static("webhook-signature"), header(&signed)?);
    }
    let url = url(&webhook.url, call, &target)?;
    let request = client.get()?.post(url).headers(headers).body(body);
    let answer = post(request, call, &target).await?;
    Ok(json!({ "status": answer.status }))
}

fn header(text: &str) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_str(text).map_err(|_| {
        Trouble::never("http.invalid", "the unit's key has characters that an HTTP header cannot carry")
            .hint("name run, step and site in ASCII")
    })
}

/// Reads the URL with its secrets in place.
pub(super) fn url(written: &str, call: &Call, target: &Target) -> Result<Url, Trouble> {
    Url::parse(&reveal(written, &call.secrets)?).map_err(|error| {
        Trouble::never("http.invalid", format!("{target}: not a URL: {error}"))
            .hint("write it with its scheme, `https://host/path`")
    })
}

/// Sends a request that only a 2xx answers well; redirects are not followed.
pub(super) async fn post(request: reqwest::RequestBuilder, call: &Call, target: &Target) -> Result<Answer, Trouble> {
    let sent = tokio::select! {
        sent = send_for(call, target, request) => sent,
        () = tokio::time::sleep(call.timeout) => {
            let late = format!("no answer within {}", humantime::format_duration(call.timeout));
            return Err(lost(target, "http.timeout", &late));
        }
        () = call.cancel.cancelled() => return Err(lost(target, "http.cancelled", "cancelled before the answer")),
    };
    match sent {
        Sent::Answer(answer) if (200..=299).contains(&answer.status) => Ok(answer),
        Sent::Answer(answer) => Err(unexpected(target, &answer, &call.secrets)),
        Sent::Not(why) => Err(not_sent(target, &why)),
        Sent::Lost(why) => Err(lost(target, "http.lost", &format!("the connection ended without an answer: {why}"))),
    }
}
