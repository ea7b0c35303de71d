//! Can the service be reached? A TCP connection, and for https the TLS handshake; never a request.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use runtime::{Call, Finding, SecretText};
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::client::Client;

/// Kind of the question.
pub(crate) const CONNECT: &str = "http.connect";
/// Longest wait for a connection, and for a handshake.
const PATIENCE: Duration = Duration::from_secs(5);

/// The question of an action that calls a URL; none if the URL is not known yet.
pub(crate) fn question(client: &Client, with: &Value) -> Option<Value> {
    let url = client.proxy().or_else(|| with.get("url").and_then(Value::as_str))?;
    Some(json!({ CONNECT: origin(url) }))
}

/// Scheme and authority as they are written; secrets stay references.
fn origin(url: &str) -> &str {
    let Some(start) = url.find("://").map(|at| at + 3) else { return url };
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Connects, and says what happened.
pub(crate) async fn answer(call: &Call) -> Vec<Finding> {
    let written = call.with.get(CONNECT).and_then(Value::as_str).unwrap_or_default();
    let subject = shown(written);
    vec![match reach(written, &call.secrets).await {
        Ok(fact) => Finding::good(CONNECT, subject, fact),
        Err((code, why)) => {
            let hint = match code {
                "http.tls" => "is the certificate valid for this name, and does this machine trust its issuer?",
                "http.invalid" => "write an absolute URL, http or https, into the estate",
                _ => "is the service up, and are the URL in the estate and the way to it right?",
            };
            Finding::error(code, subject, call.secrets.redact(&why), hint)
        }
    }]
}

/// Without a user or a password.
fn shown(origin: &str) -> String {
    match (origin.split_once("://"), origin.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => origin.to_owned(),
    }
}

async fn reach(written: &str, secrets: &SecretText) -> Result<&'static str, (&'static str, String)> {
    let invalid = |why: String| ("http.invalid", why);
    let text = secrets.reveal(written).map_err(|name| invalid(format!("there is no secret {name}")))?;
    let url = Url::parse(&text).map_err(|error| invalid(format!("not an absolute URL: {error}")))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        other => return Err(invalid(format!("{other} is not http or https"))),
    };
    let host = url.host_str().ok_or_else(|| invalid("the URL names no host".to_owned()))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 });
    let late = |what: &str| (CONNECT, format!("no {what} within {} s", PATIENCE.as_secs()));
    let stream = tokio::time::timeout(PATIENCE, TcpStream::connect((bare, port)))
        .await
        .map_err(|_| late("connection"))?
        .map_err(|error| (CONNECT, error.to_string()))?;
    if !tls {
        return Ok("accepts connections");
    }
    let failed = |why: String| ("http.tls", why);
    let config = rustls::ClientConfig::with_platform_verifier().map_err(|error| failed(error.to_string()))?;
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| failed(error.to_string()))?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match tokio::time::timeout(PATIENCE, handshake).await {
        Ok(Ok(_)) => Ok("accepts connections, with a certificate that is trusted here"),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(late("TLS handshake")),
    }
}

#[cfg(test)]
mod tests {
    use super::{origin, shown};

    #[test]
    fn only_the_origin_is_asked_and_no_user_is_shown() {
        assert_eq!(origin("https://api.example:8443/sites/1?x=1"), "https://api.example:8443");
        assert_eq!(origin("http://⟦secret:host⟧/a/b"), "http://⟦secret:host⟧");
        assert_eq!(origin("no-url"), "no-url");
        assert_eq!(shown("https://me:⟦secret:pass⟧@api"), "https://api");
    }
}
