//! A run as it goes on: server-sent events, rendered once for all who follow.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::header;
use tokio::time::Instant;

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::At;
use crate::app::App;
use crate::live::{SentSites, Watch};
use crate::metrics::Watcher;

/// Time after which whoever follows is asked for again: a token may have been revoked.
const CHECKED: Duration = Duration::from_secs(5);

/// Follows a run as server-sent events until it is left: `run` with the run in short whenever it changes; `grid` with a
/// letter for every site, once at first; `sites` with the stretches of the grid that changed since the event before. A slow
/// reader is told all that has changed since the last it was sent; the `grid` again if that is shorter.
#[utoipa::path(get, path = "/api/v1/runs/{run}/events", tag = "runs", params(("run" = String, Path, description = "Name of the run")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = "default", body = Problem)))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
) -> Result<Response, Problem> {
    let mut watch = app.followers.watch(&run).await?;
    watch.unseen();
    let watcher = app.metrics.watcher();
    let stream = Stream { app, who, watch, _watcher: watcher, seen: None, rest: None, checked: Instant::now() };
    let frames = stream::unfold(stream, |mut stream| async move {
        let frame = stream.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(frame), stream))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, [("x-accel-buffering", "no")], Body::from_stream(frames)).into_response())
}

struct Stream {
    app: Arc<App>,
    who: Who,
    watch: Watch,
    _watcher: Watcher,
    /// The sites that were sent last.
    seen: Option<SentSites>,
    /// What follows of the view that is being sent.
    rest: Option<Bytes>,
    checked: Instant,
}

impl Stream {
    /// The next piece; `None` when the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(rest) = self.rest.take() {
            return Some(rest);
        }
        if self.checked.elapsed() >= CHECKED {
            if !self.app.access.still(&self.who) {
                return None;
            }
            self.checked = Instant::now();
        }
        tokio::select! {
            () = self.app.stop.cancelled() => None,
            view = self.watch.next() => {
                let view = view?;
                // Sites are known once the journal has been read.
                if view.snapshot.reading.is_none() {
                    self.rest = view.sites_event(self.seen.as_ref());
                    self.seen = Some(view.sites());
                }
                Some(view.run_event())
            }
            // A comment, so that whatever lies between does not take the stream for dead.
            () = tokio::time::sleep(CHECKED) => Some(Bytes::from_static(b":\n\n")),
        }
    }
}
