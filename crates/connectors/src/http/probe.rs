//! Whether an earlier attempt had its effect, by the state that the service shows.

use reqwest::Url;
use runtime::Call;
use serde_json::Value;

use super::client::{Client, Sent, send_for};
use super::failure::{Target, unexpected};
use super::input::{Method, Probe, Request, expected, headers};
use super::request::outputs;
use crate::answer::{Trouble, inputs, reveal, reveal_in};
use crate::check::difference;

/// Looks at the page of the step's probe.
pub(super) async fn apply(client: &Client, call: &Call) -> Result<Value, Trouble> {
    let mut request: Request = inputs(&call.with)?;
    let Some(probe) = request.probe.take() else {
        return Err(Trouble::unknown("no_probe", "the step says no page that shows whether its effect is there")
            .hint("give `probe`, if the service has such a page"));
    };
    let target = Target::new(Method::Get, &probe.url);
    let silent = |why: String| Trouble::unknown("http.probe", format!("{target}: {why}"));
    let looked = tokio::select! {
        looked = look(client, call, &request, probe, &target) => looked,
        () = tokio::time::sleep(call.timeout) => {
            Err(silent(format!("no answer within {}", humantime::format_duration(call.timeout))))
        }
        () = call.cancel.cancelled() => Err(silent("cancelled before the answer".to_owned())),
    };
    looked
}

async fn look(
    client: &Client,
    call: &Call,
    request: &Request,
    mut probe: Probe,
    target: &Target,
) -> Result<Value, Trouble> {
    let wanted = expected(&probe.expect_status).map_err(Trouble::in_doubt)?;
    if probe.expect_status.is_empty() && probe.expect.is_none() {
        return Err(Trouble::unknown("inputs", "probe: neither `expect_status` nor `expect` is given")
            .hint("say what the page shows once the effect is there"));
    }
    let url = reveal(&probe.url, &call.secrets).map_err(Trouble::in_doubt)?;
    let url =
        Url::parse(&url).map_err(|error| Trouble::unknown("http.invalid", format!("{target}: not a URL: {error}")))?;
    let headers = headers(&request.headers, &call.secrets).map_err(Trouble::in_doubt)?;
    let builder = client.get().map_err(Trouble::in_doubt)?.get(url).headers(headers);
    let answer = match send_for(call, target, builder).await {
        Sent::Answer(answer) => answer,
        Sent::Not(why) | Sent::Lost(why) => return Err(Trouble::unknown("http.probe", format!("{target}: {why}"))),
    };
    let not_there = |what: String| Trouble::retry("http.not_done", format!("{target}: {what}"));
    if wanted.iter().any(|range| range.contains(&answer.status)) {
        if let Some(expect) = &mut probe.expect {
            reveal_in(expect, &call.secrets).map_err(Trouble::in_doubt)?;
            if answer.cut {
                return Err(Trouble::unknown("http.probe", format!("{target}: the body is too long to be compared")));
            }
            if let Some(difference) = difference(expect, &answer.body(), &call.secrets) {
                return Err(not_there(difference));
            }
        }
        // A page of the state need not hold what the request's own answer held.
        return outputs(request, target, &answer).map_err(Trouble::in_doubt);
    }
    match answer.status {
        200 | 404 => Err(not_there(format!("answered {}", answer.status))),
        _ => Err(unexpected(target, &answer, &call.secrets).in_doubt()),
    }
}
