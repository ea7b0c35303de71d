//! One attempt at `http/request@1`.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use runtime::Call;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::client::{Answer, Client, Sent, send_for};
use super::failure::{Target, lost, not_sent, retry_after, unexpected};
use super::input::{Method, Poll, Request, expected, headers};
use crate::answer::{Trouble, duration, inputs, reveal, reveal_in};
use crate::check::difference;

/// Bytes of a body that become an output: outputs live in the journal.
const OUTPUT_CAP: usize = 64 * 1024;
/// Redirects inside of one origin.
const REDIRECTS: usize = 5;

/// Sends the request and follows the job that it started.
pub(crate) async fn apply(client: &Client, call: &Call) -> Result<Value, Trouble> {
    let mut request: Request = inputs(&call.with)?;
    let target = Target::new(request.method, &request.url);
    if let Some(body) = &mut request.body {
        reveal_in(body, &call.secrets)?;
    }
    let deadline = Instant::now() + call.timeout;
    tokio::select! {
        answer = follow(client, call, &request, &target) => answer,
        () = tokio::time::sleep_until(deadline) => {
            Err(lost(&target, "http.timeout", &format!("no answer within {}", humantime::format_duration(call.timeout))))
        }
        () = call.cancel.cancelled() => Err(lost(&target, "http.cancelled", "cancelled before the answer")),
    }
}

async fn follow(client: &Client, call: &Call, request: &Request, target: &Target) -> Result<Value, Trouble> {
    let wanted = expected(&request.expect_status)?;
    let poll = Pace::new(&request.poll)?;
    let mut headers = headers(&request.headers, &call.secrets)?;
    headers.insert(HeaderName::from_static("idempotency-key"), unit_key(&call.key)?);
    headers.insert(HeaderName::from_static("reinstate-token"), HeaderValue::from(call.token));
    if let Some(undoes) = &call.undoes {
        headers.insert(HeaderName::from_static("idempotency-undoes"), unit_key(undoes)?);
    }
    let url = Url::parse(&reveal(&request.url, &call.secrets)?)
        .map_err(|error| Trouble::never("http.invalid", format!("{target}: not a URL: {error}")))?;
    let (url, answer) = first(client, call, url, &headers, (request, target)).await?;
    if request.method.mutates() && answer.cut {
        tracing::debug!(%target, "the body of the answer was cut");
    }
    let accepted = answer.status == 202 && answer.headers.contains_key(LOCATION);
    let fine = wanted.iter().any(|range| range.contains(&answer.status));
    if !accepted && !fine {
        return Err(unexpected(target, &answer, &call.secrets));
    }
    let job = Job { client, call, target, headers: &headers, poll: &request.poll };
    let last = if accepted {
        let location = location(&url, &answer).ok_or_else(|| {
            Trouble::unknown("http.job_lost", format!("{target} answered 202 with a location elsewhere"))
        })?;
        job.run(location, poll, Some(&answer)).await?
    } else if job.pending(&answer) {
        job.run(url, poll, Some(&answer)).await?
    } else {
        job.fail(&answer)?;
        answer
    };
    outputs(request, target, &last)
}

fn unit_key(key: &str) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_str(key)
        .map_err(|_| Trouble::never("http.invalid", "the unit's key has characters that an HTTP header cannot carry"))
}

/// Sends the request; redirects are followed inside of the origin only, and never as another method.
async fn first(
    client: &Client,
    call: &Call,
    mut url: Url,
    headers: &HeaderMap,
    (request, target): (&Request, &Target),
) -> Result<(Url, Answer), Trouble> {
    for _ in 0..=REDIRECTS {
        let mut builder = client.get()?.request(request.method.into(), url.clone()).headers(headers.clone());
        builder = match &request.body {
            Some(Value::String(text)) => builder.body(text.clone()),
            Some(body) => builder.json(body),
            None => builder,
        };
        let answer = match send_for(call, target, builder).await {
            Sent::Answer(answer) => answer,
            Sent::Not(why) => return Err(not_sent(target, &why)),
            Sent::Lost(why) => {
                return Err(lost(target, "http.lost", &format!("the connection ended without an answer: {why}")));
            }
        };
        let same_method = matches!(answer.status, 307 | 308) || !request.method.mutates();
        match location(&url, &answer) {
            Some(next) if (300..=399).contains(&answer.status) && same_method => url = next,
            _ => return Ok((url, answer)),
        }
    }
    Err(Trouble::never("http.redirect", format!("{target} redirects more than {REDIRECTS} times")))
}

/// Returns the answer's location if it is of the same origin: headers with credentials go there.
fn location(base: &Url, answer: &Answer) -> Option<Url> {
    let location = base.join(answer.headers.get(LOCATION)?.to_str().ok()?).ok()?;
    (location.origin() == base.origin()).then_some(location)
}

/// The pauses between two looks at a job.
struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    fn new(poll: &Poll) -> Result<Self, Trouble> {
        let next = duration("poll.interval", &poll.interval)?.max(Duration::from_millis(1));
        Ok(Self { next, longest: duration("poll.max_interval", &poll.max_interval)?.max(next) })
    }

    async fn pause(&mut self, asked: Option<Duration>) {
        tokio::time::sleep(asked.unwrap_or(self.next)).await;
        self.next = (self.next * 2).min(self.longest);
    }
}

/// A long job of a service.
struct Job<'a> {
    client: &'a Client,
    call: &'a Call,
    target: &'a Target,
    headers: &'a HeaderMap,
    poll: &'a Poll,
}

impl Job<'_> {
    /// Looks at the job until it has ended; bounded by the attempt's time.
    async fn run(&self, url: Url, mut pace: Pace, accepted: Option<&Answer>) -> Result<Answer, Trouble> {
        let place = Target::poll(&url);
        let mut asked = accepted.and_then(retry_after);
        loop {
            pace.pause(asked.take()).await;
            let builder = self.client.get()?.get(url.clone()).headers(self.headers.clone());
            match send_for(self.call, &place, builder).await {
                Sent::Answer(answer) => match answer.status {
                    200..=299 => {
                        self.fail(&answer)?;
                        if answer.status != 202 && !self.pending(&answer) {
                            return Ok(answer);
                        }
                        asked = retry_after(&answer);
                    }
                    408 | 425 | 429 | 500..=599 => asked = retry_after(&answer),
                    status => {
                        let message = format!("{}: the job's page {place} answered {status}", self.target);
                        return Err(Trouble::unknown("http.job_lost", message)
                            .hint("look at the service whether the job ended"));
                    }
                },
                // The job goes on whether we reach its page or not.
                Sent::Not(why) | Sent::Lost(why) => tracing::debug!(%place, why, "the job's page did not answer"),
            }
        }
    }

    fn pending(&self, answer: &Answer) -> bool {
        holds(answer, self.poll.pending.as_ref(), self.call)
    }

    fn fail(&self, answer: &Answer) -> Result<(), Trouble> {
        if !holds(answer, self.poll.failed.as_ref(), self.call) {
            return Ok(());
        }
        let text = crate::answer::excerpt(&self.call.secrets.redact(&answer.text), 300);
        Err(Trouble::unknown("http.job_failed", format!("{}: the job failed: {text}", self.target))
            .hint("look at the service for what it did before it failed"))
    }
}

fn holds(answer: &Answer, wanted: Option<&Value>, call: &Call) -> bool {
    wanted.is_some_and(|wanted| answer.json().is_some_and(|body| difference(wanted, &body, &call.secrets).is_none()))
}

/// Makes the outputs out of the last answer.
pub(super) fn outputs(request: &Request, target: &Target, answer: &Answer) -> Result<Value, Trouble> {
    let mut outputs = Map::new();
    outputs.insert("status".to_owned(), answer.status.into());
    let Some(selected) = &request.outputs else {
        if answer.cut || answer.text.len() > OUTPUT_CAP {
            let end = (0..=OUTPUT_CAP.min(answer.text.len()))
                .rev()
                .find(|end| answer.text.is_char_boundary(*end))
                .unwrap_or(0);
            outputs.insert("body".to_owned(), answer.text[..end].into());
            outputs.insert("truncated".to_owned(), true.into());
        } else {
            outputs.insert("body".to_owned(), answer.body());
        }
        return Ok(outputs.into());
    };
    let body = answer.body();
    for (name, pointer) in selected {
        let value = body.pointer(pointer).ok_or_else(|| {
            let trouble = Trouble::retry(
                "http.output_missing",
                format!("{target}: the answer has nothing at {pointer} for output {name}"),
            )
            .hint("compare the JSON pointer with an answer of the service");
            // The request itself had its effect.
            if request.method == Method::Get || request.method == Method::Head { trouble } else { trouble.in_doubt() }
        })?;
        outputs.insert(name.clone(), value.clone());
    }
    Ok(outputs.into())
}
