//! An act and its record: both come about whatever becomes of whoever asked.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, StreamExt, stream};
use http::StatusCode;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::api::Problem;

/// Time to an answer's head. A verb waits half a minute for a driver, a plan of 100,000 sites takes seconds.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// Answers within a time. A look that takes longer is given up.
pub(super) async fn look(deed: impl Future<Output = Response>, longest: Duration) -> Response {
    tokio::time::timeout(longest, safe(deed)).await.unwrap_or_else(|_| too_slow(longest))
}

/// Does a deed and has it recorded, on a task of its own: a connection that is gone neither leaves it half done nor keeps
/// it out of the log. Whoever waits too long is told so, which is a record too; the deed goes on, and what comes of it is
/// the next.
///
/// # Cancel safety
/// Dropping the future changes nothing for the deed.
pub(super) async fn act<R: Future<Output = Response> + Send>(
    acts: &TaskTracker,
    deed: impl Future<Output = Response> + Send + 'static,
    record: impl Fn(Response) -> R + Send + Sync + 'static,
    longest: Duration,
) -> Response {
    let (answer, answered) = oneshot::channel();
    acts.spawn(async move {
        let mut deed = std::pin::pin!(safe(deed));
        match tokio::time::timeout(longest, &mut deed).await {
            // Whoever asked may be gone.
            Ok(response) => drop(answer.send(record(response).await)),
            Err(_) => {
                let _ = answer.send(record(too_slow(longest)).await);
                let _ = record(deed.await).await;
            }
        }
    });
    answered.await.unwrap_or_else(|_| Problem::defect().into_response())
}

/// A handler that panics is an answer like others.
async fn safe(deed: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(deed).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Problem::defect().into_response()
    })
}

fn too_slow(longest: Duration) -> Response {
    let fact = format!("no answer within {} s", longest.as_secs());
    let hint = "what was asked may have been done: look before asking again";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "too-slow", fact, hint).into_response()
}

/// Has the body of a request come within a time: an act that waits for it would never end.
pub(super) fn bounded(request: Request, longest: Duration) -> Request {
    let until = Instant::now() + longest;
    request.map(|body| {
        let parts = stream::unfold(Some(body.into_data_stream()), move |parts| async move {
            let mut parts = parts?;
            let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "the body did not come in time");
            match tokio::time::timeout_at(until, parts.next()).await {
                Ok(None) => None,
                Ok(Some(part)) => Some((part.map_err(axum::BoxError::from), Some(parts))),
                Err(_) => Some((Err::<Bytes, _>(late().into()), None)),
            }
        });
        Body::from_stream(parts)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Notify, mpsc};

    use super::*;

    /// A record that can be looked at.
    fn records()
    -> (impl Fn(Response) -> futures::future::Ready<Response> + Send + Sync + 'static, mpsc::UnboundedReceiver<u16>)
    {
        let (tell, told) = mpsc::unbounded_channel();
        let record = move |response: Response| {
            let _ = tell.send(response.status().as_u16());
            futures::future::ready(response)
        };
        (record, told)
    }

    /// A deed that is done once its gate is opened.
    fn gated() -> (Arc<Notify>, impl Future<Output = Response> + Send + 'static) {
        let gate = Arc::new(Notify::new());
        let opened = gate.clone();
        let deed = async move {
            opened.notified().await;
            StatusCode::OK.into_response()
        };
        (gate, deed)
    }

    #[tokio::test]
    async fn an_act_whose_caller_hangs_up_is_done_and_recorded() {
        let (record, mut told) = records();
        let (acts, (gate, deed)) = (TaskTracker::new(), gated());
        let mut asking = Box::pin(act(&acts, deed, record, LONGEST));
        assert!(futures::poll!(&mut asking).is_pending());
        drop(asking);
        gate.notify_one();
        assert_eq!(told.recv().await, Some(200));
    }

    #[tokio::test]
    async fn an_act_that_takes_too_long_is_recorded_as_that_and_once_more_when_it_ends() {
        let (record, mut told) = records();
        let (acts, (gate, deed)) = (TaskTracker::new(), gated());
        let answer = act(&acts, deed, record, Duration::ZERO).await;
        assert_eq!((answer.status().as_u16(), told.recv().await), (504, Some(504)));
        gate.notify_one();
        assert_eq!(told.recv().await, Some(200));
    }

    #[tokio::test]
    async fn an_act_that_panics_is_recorded() {
        let (record, mut told) = records();
        let deed = async { std::panic::resume_unwind(Box::new("a defect")) };
        let answer = act(&TaskTracker::new(), deed, record, LONGEST).await;
        assert_eq!((answer.status().as_u16(), told.recv().await), (500, Some(500)));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let request = bounded(Request::new(body), Duration::ZERO);
        assert!(axum::body::to_bytes(request.into_body(), 10).await.is_err());
    }
}
