//! From an answer or its absence to what is known.

use std::time::{Duration, SystemTime};

use reqwest::header::RETRY_AFTER;
use runtime::SecretText;

use super::client::Answer;
use super::input::Method;
use crate::answer::{Trouble, excerpt};

/// Method and place of a request for messages: no query, no user, secrets as references.
pub(crate) struct Target {
    method: Method,
    place: String,
}

impl Target {
    /// Takes the URL as the runbook wrote it, before any secret was put in.
    pub(crate) fn new(method: Method, url: &str) -> Self {
        let place = url.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = place.split_once("://").unwrap_or(("", place));
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let place = if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") };
        Self { method, place }
    }

    /// For a URL that came in an answer.
    pub(crate) fn poll(url: &reqwest::Url) -> Self {
        Self::new(Method::Get, url.as_str())
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let method = reqwest::Method::from(self.method);
        write!(f, "{method} {}", self.place)
    }
}

/// The request never left.
pub(crate) fn not_sent(target: &Target, why: &str) -> Trouble {
    Trouble::retry("http.connect", format!("{target}: {why}"))
        .hint("is the service up, and is the URL in the estate right?")
}

/// The request may have arrived; its answer did not.
pub(crate) fn lost(target: &Target, code: &'static str, why: &str) -> Trouble {
    let trouble = Trouble::retry(code, format!("{target}: {why}"));
    if target.method.mutates() { trouble.in_doubt() } else { trouble }
}

/// An answer that was not expected.
pub(crate) fn unexpected(target: &Target, answer: &Answer, secrets: &SecretText) -> Trouble {
    let body = excerpt(&secrets.redact(&answer.text), 300);
    let body = if body.is_empty() { String::new() } else { format!(": {body}") };
    let status = answer.status;
    let message = format!("{target} answered {status}{body}");
    match status {
        429 | 503 => match retry_after(answer) {
            Some(pause) => Trouble::retry_after("http.busy", message, pause),
            None => {
                let trouble = Trouble::retry("http.busy", message);
                // Only who says when to come back has surely not begun; a gateway says 503 of a request it passed on, too.
                if target.method.mutates() { trouble.in_doubt() } else { trouble }
            }
        },
        408 | 425 => Trouble::retry("http.status", message),
        300..=399 => Trouble::never("http.redirect", message).hint("write the address that the service redirects to"),
        400..=499 => Trouble::never("http.status", message).hint(match status {
            401 | 403 => "check the credentials and rights of the step",
            404 | 410 => "check the URL and that the ID exists there",
            409 => "something else holds that name or state; look before trying again",
            _ => "the service will not accept this request; change it",
        }),
        _ => {
            let trouble = Trouble::retry("http.status", message);
            // A success that was not expected did something as well.
            if target.method.mutates() { trouble.in_doubt() } else { trouble }
        }
    }
}

/// Reads `Retry-After`: seconds or a date.
pub(crate) fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    Some(SystemTime::from(date).duration_since(SystemTime::now()).unwrap_or_default())
}
