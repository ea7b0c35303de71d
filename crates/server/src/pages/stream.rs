//! What changes on a page of a run, as a stream: parts that differ from what was sent, and the letters of sites.

use std::collections::BTreeMap;
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
use crate::api::body::At;
use crate::app::App;
use crate::live::{SentSites, View, Watch};
use crate::metrics::Watcher;
use crate::pages::html::Trouble;
use crate::pages::parts::{PARTS, drive_trouble, graph, rendered};

/// Least time between two updates of a page: people read no faster, and two hundred of them shall cost little.
const BETWEEN: Duration = Duration::from_millis(500);
/// Least time between two drawings of the graph, the largest part of all.
const BETWEEN_GRAPHS: Duration = Duration::from_secs(4);
/// Time after which whoever follows is asked for again: a token may have been revoked.
const CHECKED: Duration = Duration::from_secs(5);

/// Follows a run until the page is left.
pub(super) async fn live(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
) -> Response {
    let mut watch = match app.followers.watch(&name).await {
        Ok(watch) => watch,
        Err(error) => return Trouble(who, error.into()).into_response(),
    };
    watch.unseen();
    let watcher = app.metrics.watcher();
    let now = Instant::now();
    let (sent, seen) = (BTreeMap::new(), None);
    let follow =
        Follow { app, who, watch, _watcher: watcher, sent, seen, at: now, checked: now, graph_at: now, owed: None };
    let frames = stream::unfold(follow, |mut follow| async move {
        let frame = follow.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(frame), follow))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, [("x-accel-buffering", "no")], Body::from_stream(frames)).into_response()
}

struct Follow {
    app: Arc<App>,
    who: Who,
    watch: Watch,
    _watcher: Watcher,
    /// What the page has, by part. The bytes are shared with everybody else's.
    sent: BTreeMap<&'static str, Bytes>,
    /// The sites that the page has.
    seen: Option<SentSites>,
    at: Instant,
    checked: Instant,
    /// When the graph may be sent again.
    graph_at: Instant,
    /// The view whose graph has not been sent yet.
    owed: Option<Arc<View>>,
}

impl Follow {
    /// What has changed; `None` when the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.checked.elapsed() >= CHECKED {
                if !self.app.access.still(&self.who) {
                    return None;
                }
                self.checked = Instant::now();
            }
            tokio::time::sleep_until(self.at).await;
            let graph_at = self.graph_at;
            tokio::select! {
                () = self.app.stop.cancelled() => return None,
                // The last view of a run may come while its graph has to wait.
                () = tokio::time::sleep_until(graph_at), if self.owed.is_some() => {
                    if let Some(frames) = self.owed.take().map(|view| self.changed(&view)).filter(|frames| !frames.is_empty()) {
                        return Some(frames);
                    }
                }
                view = self.watch.next() => {
                    self.at = Instant::now() + BETWEEN;
                    let view = view?;
                    let frames = self.changed(&view);
                    if !frames.is_empty() {
                        return Some(frames);
                    }
                }
                // A comment, so that whatever lies between does not take the stream for dead.
                () = tokio::time::sleep(CHECKED) => {
                    // Why nobody drives a run comes with no view of it.
                    let drive = self.drive(&self.watch.view());
                    return Some(drive.unwrap_or(Bytes::from_static(b":\n\n")));
                }
            }
        }
    }

    /// Why nobody drives the run, if the page has not been told.
    fn drive(&mut self, view: &View) -> Option<Bytes> {
        let drive = drive_trouble(view, self.app.drivers.trouble(self.watch.run()).as_deref());
        if self.sent.get("part-drive") == Some(&drive) {
            return None;
        }
        let event = frame("part-drive", &drive);
        self.sent.insert("part-drive", drive);
        Some(event)
    }

    fn changed(&mut self, view: &Arc<View>) -> Bytes {
        let mut frames = Vec::new();
        for id in PARTS {
            let now = rendered(view, id);
            if self.sent.get(id) != Some(&now) {
                frames.extend_from_slice(&view.rendered(&format!("{id} event"), |_| frame(id, &now)));
                self.sent.insert(id, now);
            }
        }
        frames.extend(self.drive(view).unwrap_or_default());
        let read = view.snapshot.reading.is_none();
        self.owed = (read && Instant::now() < self.graph_at).then(|| view.clone());
        if read && self.owed.is_none() {
            let now = graph(view);
            if self.sent.get("part-graph") != Some(&now) {
                frames.extend_from_slice(&view.rendered("part-graph event", |_| frame("part-graph", &now)));
                self.sent.insert("part-graph", now);
                self.graph_at = Instant::now() + BETWEEN_GRAPHS;
            }
        }
        if read {
            frames.extend(view.sites_event(self.seen.as_ref()).unwrap_or_default());
            self.seen = Some(view.sites());
        }
        frames.into()
    }
}

fn frame(id: &str, html: &Bytes) -> Bytes {
    let value = serde_json::json!({ "id": id, "html": String::from_utf8_lossy(html) });
    format!("event: part\ndata: {value}\n\n").into()
}
