//! `check/http@1`: a page says what is expected.

use std::collections::BTreeMap;

use reqwest::Url;
use runtime::Call;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::difference;
use crate::answer::{Trouble, inputs, reveal, reveal_in};
use crate::http::{Client, Method, Sent, Target, headers, lost, not_sent, send_for, unexpected};

/// Inputs of `check/http@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckHttp {
    /// Absolute URL.
    url: String,
    /// Further headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What the answer must hold.
    #[serde(default)]
    expect: Expect,
    /// Where the answer says at which point in time the system stands; the body is then no output.
    restore_point: Option<Point>,
}

/// Where an answer says at which point in time a system stands.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Point {
    /// Name of the system; default: the step's.
    store: Option<String>,
    /// JSON pointer into the body to an RFC 3339 time, or to `null` if the system holds nothing.
    reached: String,
    /// Steps whose effect stands at that point too.
    #[serde(default)]
    of: Vec<String>,
}

/// What an answer must hold.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    /// Status.
    status: u16,
    /// Every key given must be there and equal.
    body: Option<Value>,
}

impl Default for Expect {
    fn default() -> Self {
        Self { status: 200, body: None }
    }
}

/// Outputs of `check/http@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Seen {
    /// Status of the answer.
    status: u16,
    /// Body of the answer, cut to nothing beyond 64 KiB; absent with `restore_point`.
    body: Option<Value>,
    /// At which point in time the system stands, if that was asked for.
    restore_point: Option<Value>,
}

impl Point {
    fn read(self, body: &Value) -> Value {
        let mut said = serde_json::Map::new();
        if let Some(store) = self.store {
            said.insert("store".into(), store.into());
        }
        if !self.of.is_empty() {
            said.insert("of".into(), self.of.into());
        }
        said.insert("reached".into(), body.pointer(&self.reached).cloned().unwrap_or(Value::Null));
        said.into()
    }
}

/// Gets the page and compares.
pub(crate) async fn apply(client: &Client, call: &Call) -> Result<Value, Trouble> {
    let check: CheckHttp = inputs(&call.with)?;
    let target = Target::new(Method::Get, &check.url);
    tokio::select! {
        answer = look(client, call, check, &target) => answer,
        () = tokio::time::sleep(call.timeout) => {
            Err(lost(&target, "http.timeout", &format!("no answer within {}", humantime::format_duration(call.timeout))))
        }
        () = call.cancel.cancelled() => Err(lost(&target, "http.cancelled", "cancelled before the answer")),
    }
}

async fn look(client: &Client, call: &Call, mut check: CheckHttp, target: &Target) -> Result<Value, Trouble> {
    let url = Url::parse(&reveal(&check.url, &call.secrets)?)
        .map_err(|error| Trouble::never("http.invalid", format!("{target}: not a URL: {error}")))?;
    let request = client.get()?.get(url).headers(headers(&check.headers, &call.secrets)?);
    let answer = match send_for(call, target, request).await {
        Sent::Answer(answer) => answer,
        Sent::Not(why) => return Err(not_sent(target, &why)),
        Sent::Lost(why) => {
            return Err(lost(target, "http.lost", &format!("the connection ended without an answer: {why}")));
        }
    };
    if matches!(answer.status, 429 | 503) && answer.status != check.expect.status {
        return Err(unexpected(target, &answer, &call.secrets));
    }
    let body = answer.body();
    let mut expected = json!({ "status": check.expect.status });
    if let Some(mut wanted) = check.expect.body.take() {
        reveal_in(&mut wanted, &call.secrets)?;
        expected["body"] = wanted;
    }
    match difference(&expected, &json!({ "status": answer.status, "body": body }), &call.secrets) {
        None if check.restore_point.is_some() => {
            let point = check.restore_point.map(|point| point.read(&body)).unwrap_or_default();
            Ok(json!({ "status": answer.status, "restore_point": point }))
        }
        None if answer.text.len() > 64 * 1024 => Ok(json!({ "status": answer.status, "body": null })),
        None => Ok(json!({ "status": answer.status, "body": body })),
        Some(difference) => Err(Trouble::retry("check.mismatch", format!("{target}: {difference}"))),
    }
}
