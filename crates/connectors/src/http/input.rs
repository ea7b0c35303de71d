//! What `http/request@1` takes and gives.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use runtime::SecretText;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Trouble, reveal};

/// Inputs of `http/request@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// GET, HEAD, POST, PUT, PATCH or DELETE.
    #[serde(default = "get")]
    pub(crate) method: Method,
    /// Absolute URL.
    pub(crate) url: String,
    /// Further headers.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// A text is sent as it is, anything else as JSON.
    pub(crate) body: Option<Value>,
    /// Statuses that mean success: numbers and ranges such as "200-204"; default 2xx.
    #[serde(default)]
    pub(crate) expect_status: Vec<Status>,
    /// Name of an output -> JSON pointer into the body of the answer.
    pub(crate) outputs: Option<BTreeMap<String, String>>,
    /// How a long job is followed.
    #[serde(default)]
    pub(crate) poll: Poll,
    /// How to see by the service's state whether the effect is there.
    pub(crate) probe: Option<Probe>,
}

/// A page that shows whether the effect is there; it gets the headers of the request.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// Absolute URL.
    pub(crate) url: String,
    /// Statuses that mean that it is there; default 2xx.
    #[serde(default)]
    pub(crate) expect_status: Vec<Status>,
    /// What the body must hold as well: every key given must be there and equal.
    pub(crate) expect: Option<Value>,
}

/// Methods of HTTP that a step may use.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// Whether the request may change something.
    pub(crate) fn mutates(self) -> bool {
        !matches!(self, Method::Get | Method::Head)
    }
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

fn get() -> Method {
    Method::Get
}

/// A status or a range of statuses.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Status {
    One(u16),
    Range(String),
}

/// Reads the statuses that mean success.
pub(crate) fn expected(list: &[Status]) -> Result<Vec<RangeInclusive<u16>>, Trouble> {
    if list.is_empty() {
        return Ok(vec![200..=299]);
    }
    let range = |text: &str| -> Option<RangeInclusive<u16>> {
        if let Some(class) = text.strip_suffix("xx") {
            let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
            return Some(class * 100..=class * 100 + 99);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (100 <= first && first <= last && last <= 599).then_some(first..=last)
    };
    list.iter()
        .map(|status| match status {
            Status::One(status) => Ok(*status..=*status),
            Status::Range(text) => range(text).ok_or_else(|| {
                Trouble::never("http.invalid", format!("expect_status: {text:?} is no status"))
                    .hint("write 204, \"200-204\" or \"2xx\"")
            }),
        })
        .collect()
}

/// How a long job is followed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Poll {
    /// First pause, such as `250ms`; it doubles.
    pub(crate) interval: String,
    /// Longest pause.
    pub(crate) max_interval: String,
    /// A 2xx answer whose JSON body holds this is not the end yet.
    pub(crate) pending: Option<Value>,
    /// An answer whose JSON body holds this is a failed job.
    pub(crate) failed: Option<Value>,
}

impl Default for Poll {
    fn default() -> Self {
        Self { interval: "250ms".to_owned(), max_interval: "5s".to_owned(), pending: None, failed: None }
    }
}

/// Outputs of `http/request@1`, besides those that `outputs` names.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Response {
    /// Status of the last answer.
    status: u16,
    /// Body of the last answer, as JSON if it is JSON; absent if `outputs` selects.
    body: Option<Value>,
    /// Whether the body was cut.
    truncated: Option<bool>,
    /// Selected outputs.
    #[schemars(flatten)]
    selected: BTreeMap<String, Value>,
}

/// Makes the headers of a request; their values are never shown.
pub(crate) fn headers(list: &BTreeMap<String, String>, secrets: &SecretText) -> Result<HeaderMap, Trouble> {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Trouble::never("http.invalid", format!("{name:?} is no name of a header")))?;
        let mut value = HeaderValue::from_str(&reveal(value, secrets)?).map_err(|_| {
            Trouble::never("http.invalid", format!("the value of header {name} has characters that HTTP forbids"))
        })?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}
