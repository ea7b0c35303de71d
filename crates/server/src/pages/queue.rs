//! Everything that waits for people: of one run, or of all that go on.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use runtime::{Clock, RunSummary, SystemClock};
use serde::Deserialize;
use tokio::time::Instant;

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::app::App;
use crate::desk::has_desk;
use crate::live::{Heap, Item, View, heaps, of_heap};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};
use crate::pages::sites::encoded;

/// Time in which all runs are read; those that take longer are named.
const PATIENCE: Duration = Duration::from_secs(5);
/// Runs that are looked at side by side.
const ABREAST: usize = 8;
/// Things on a page of one heap.
const MOST: usize = 50;
/// Things of each heap where all are shown.
const FEW: usize = 10;

#[derive(Template)]
#[template(path = "queue.html")]
struct Page<'a> {
    frame: Frame,
    name: Option<&'a str>,
    queue: Queue,
}

/// What waits, and what is not known to.
#[derive(Default)]
struct Queue {
    /// Runs with what waits in each.
    runs: Vec<OfRun>,
    /// Runs that nobody drives: nothing of them goes on before somebody does.
    adrift: Vec<String>,
    /// Runs that could not be read, and why.
    unread: Vec<(String, String)>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.adrift.is_empty() && self.unread.is_empty()
    }

    fn take(&mut self, view: &View, of_run: OfRun) {
        if view.snapshot.is_adrift() {
            self.adrift.push(of_run.name.clone());
        }
        if !of_run.heaps.is_empty() {
            self.runs.push(of_run);
        }
    }
}

/// What waits in one run.
struct OfRun {
    name: String,
    /// Whether people decide on steps of it.
    desk: bool,
    heaps: Vec<Shown>,
}

impl OfRun {
    /// Where a heap is shown from another place on.
    fn link(&self, heap: &Shown, from: usize) -> String {
        format!("/runs/{}/queue?heap={}&from={from}", encoded(&self.name), encoded(&heap.heap.key))
    }
}

/// Some things of a heap.
struct Shown {
    heap: Heap,
    from: usize,
    items: Vec<Item>,
}

impl Shown {
    fn end(&self) -> usize {
        self.from + self.items.len()
    }

    fn before(&self) -> usize {
        self.from.saturating_sub(MOST)
    }

    fn is_part(&self) -> bool {
        self.from > 0 || self.items.len() < self.heap.count
    }
}

/// Which heap of a run is shown, and from where on; the beginnings of all if none is named.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    heap: String,
    #[serde(default)]
    from: usize,
}

/// What waits in one run.
pub(super) async fn of_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    match seen(&app, &name, wanted).await {
        Ok((view, of_run)) => {
            let mut queue = Queue::default();
            queue.take(&view, of_run);
            page(&Page { frame: Frame::of(&who, "/queue"), name: Some(&name), queue })
        }
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn seen(app: &App, name: &str, wanted: Wanted) -> Result<(Arc<View>, OfRun), Problem> {
    let mut watch = app.followers.watch(name).await?;
    let view = watch.fresh().await?;
    let (name, now) = (name.to_owned(), SystemClock.now());
    let of_run = watch.ask(move |fold| {
        let shown = |heap: Heap| {
            let (from, most) = if wanted.heap.is_empty() { (0, FEW) } else { (wanted.from, MOST) };
            let items = of_heap(fold, &heap.key, from, most, now);
            Shown { heap, from, items }
        };
        let named = heaps(fold).into_iter().filter(|heap| wanted.heap.is_empty() || heap.key == wanted.heap);
        OfRun { name, desk: has_desk(fold.plan()), heaps: named.map(shown).collect() }
    });
    Ok((view, of_run.await?))
}

/// What waits in all runs that are not over, whether anybody looks at them or not.
pub(super) async fn of_all(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    match all(&app).await {
        Ok(queue) => page(&Page { frame: Frame::of(&who, "/queue"), name: None, queue }),
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn all(app: &App) -> Result<Queue, Problem> {
    let until = Instant::now() + PATIENCE;
    let list = app.drivers.kit().store.list().await?;
    let looks = list.into_iter().map(|run| async move {
        let seen = tokio::time::timeout_at(until, going_on(app, &run)).await;
        (run.head.run, seen.unwrap_or_else(|_| Err("it is still being read: load this page again".to_owned())))
    });
    let mut looks = stream::iter(looks).buffered(ABREAST);
    let mut queue = Queue::default();
    while let Some((run, seen)) = looks.next().await {
        match seen {
            Ok(Some((view, of_run))) if !view.snapshot.state.over => queue.take(&view, of_run),
            Ok(_) => {}
            Err(why) => queue.unread.push((run, report::plain(&why))),
        }
    }
    Ok(queue)
}

/// What waits in a run as it stands now; nothing of one that is over, which nobody need read for that.
async fn going_on(app: &App, run: &RunSummary) -> Result<Option<(Arc<View>, OfRun)>, String> {
    match app.drivers.is_over(run).await {
        Ok(true) => Ok(None),
        Ok(false) => seen(app, &run.head.run, Wanted::default()).await.map(Some).map_err(|problem| problem.fact),
        Err(error) => Err(crate::words::chain(&error)),
    }
}
