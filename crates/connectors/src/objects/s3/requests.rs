//! Signed requests to a bucket, made again while the store is busy.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpErrorKind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::answers::Refusal;
use super::bucket::Bucket;
use crate::answer::Trouble;

/// Characters that stay as they are in a signed query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// ... and in a key.
const KEY: &AsciiSet = &QUERY.remove(b'/');

/// Tries of one request inside of an attempt.
const TRIES: u32 = 6;

/// Pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes of a message that are shown.
const MESSAGE_MAX: usize = 500;

/// An answer that is no error, and no refusal that the caller looks at.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// A request to a bucket.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Key of an object; the bucket itself without one.
    pub(super) key: Option<&'a str>,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: &'a [(&'static str, String)],
    /// Statuses of errors that are answers to the caller.
    pub(super) expected: &'a [StatusCode],
}

/// Encodes a key for a URL or a copy header.
pub(super) fn encoded(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

/// Reads an answer.
pub(super) fn read<T: DeserializeOwned>(what: &str, body: &Bytes) -> Result<T, Trouble> {
    quick_xml::de::from_reader(body.as_ref())
        .map_err(|error| Trouble::retry("objects.failed", format!("{what}: the answer is not what S3 says: {error}")))
}

/// Sends a request.
///
/// # Errors
/// Everything but success and what is expected, as `objects.denied`, `objects.busy` or `objects.failed`.
///
/// # Cancel safety
/// A request that was sent may have its effect.
pub(super) async fn send(bucket: &Bucket, ask: &Ask<'_>) -> Result<Answer, Trouble> {
    let what = format!("{} {}", ask.method, ask.key.unwrap_or("(bucket)"));
    let mut pause = PAUSE;
    for attempt in 1.. {
        let last = attempt >= TRIES;
        let request = signed(bucket, ask).await.map_err(|why| failed(&what, &why))?;
        let trouble = match bucket.http.execute(request).await {
            Ok(response) => {
                let status = response.status();
                let body = response.into_body().bytes().await;
                match body {
                    Ok(body) if status.is_success() || ask.expected.contains(&status) => {
                        return Ok(Answer { status, body });
                    }
                    Ok(body) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                        refused(&what, status, &body)
                    }
                    Ok(body) => return Err(refused(&what, status, &body)),
                    Err(error) => failed(&what, &error),
                }
            }
            Err(error) if matches!(error.kind(), HttpErrorKind::Decode | HttpErrorKind::Unknown) => {
                return Err(failed(&what, &error));
            }
            Err(error) => failed(&what, &error),
        };
        if last {
            return Err(trouble);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(Trouble::retry("objects.failed", what))
}

async fn signed(
    bucket: &Bucket,
    ask: &Ask<'_>,
) -> Result<object_store::client::HttpRequest, Box<dyn std::error::Error + Send + Sync>> {
    let mut url = bucket.url.clone();
    if let Some(key) = ask.key {
        url.push('/');
        url.push_str(&encoded(key));
    }
    for (number, (name, value)) in ask.query.iter().enumerate() {
        url.push(if number == 0 { '?' } else { '&' });
        url.push_str(&format!("{}={}", utf8_percent_encode(name, QUERY), utf8_percent_encode(value, QUERY)));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in ask.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
    }
    if ask.method == Method::PUT || ask.method == Method::POST {
        headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::builder().method(ask.method.clone()).uri(url).body(Bytes::new().into())?;
    *request.headers_mut() = headers;
    if let Some(provider) = &bucket.credentials {
        let credential: std::sync::Arc<AwsCredential> = provider.get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &bucket.region).try_authorize(&mut request, None)?;
    }
    Ok(request)
}

/// What S3 says of a refusal; never its whole answer, which repeats what was signed.
fn refused(what: &str, status: StatusCode, body: &Bytes) -> Trouble {
    let refusal: Refusal = quick_xml::de::from_reader(body.as_ref()).unwrap_or_default();
    // A long text is left out, not cut: half of a secret would not be recognised any more.
    let said = match (&*refusal.code, &*refusal.message) {
        ("", _) => status.to_string(),
        (code, message) if message.len() > MESSAGE_MAX => format!("{status}: {code}"),
        (code, message) => format!("{status}: {code}: {message}"),
    };
    let fact = format!("{what}: {said}");
    match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Trouble::never("objects.denied", fact)
            .hint("are these the credentials for this store, and may they do this?"),
        StatusCode::NOT_IMPLEMENTED => Trouble::never("objects.unsupported", fact),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Trouble::retry("objects.failed", fact)
        }
        _ => Trouble::never("objects.refused", fact),
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::retry("objects.failed", format!("{what}: {error}"))
}
