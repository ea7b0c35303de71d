//! One sitting at the screen: keys, snapshots and answers come in, drawings go out.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyEventKind};
use runtime::{Clock, RecoverError, Store, SystemClock};
use server::live::{Follower, Snapshot, View};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch as latest};
use tokio::task::JoinHandle;

use super::desk::{Desk, Next};
use super::draw::{Ink, draw, is_small};
use super::screen::Screen;
use super::verb::Verb;
use crate::args::OfRun;
use crate::ask::Asked;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Time between two drawings when nothing happens: the clock goes on.
const TICK: Duration = Duration::from_millis(500);
/// Time between two looks whether anybody still wants keys.
const KEYS: Duration = Duration::from_millis(250);

/// Shows a run until the person leaves; the run is none the worse for it.
pub(crate) async fn watch(args: &OfRun, json: bool) -> Result<Exit, Failure> {
    if json || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let what = if json { "has no JSON form" } else { "needs a terminal for its input and output" };
        return Err(Failure::input(
            "watch-terminal",
            format!("`watch` draws a full screen and {what}"),
            format!(
                "`reinstate status {0} --json` says how the run stands, `reinstate logs {0}` what happened",
                args.name
            ),
        ));
    }
    let store = args.stored.store.open().await?;
    let follower = Follower::open(store.clone(), &args.name, &args.stored.store.to_string()).await?;
    let (tell, seen) = latest::channel(follower.first());
    let wake = Arc::new(Notify::new());
    let screen = Screen::open()?;
    // It is aborted with the process; it holds nothing but its own memory.
    let following = tokio::spawn(follower.follow(tell, wake.clone(), |_| false));
    let session =
        Session { args: args.clone(), store, seen, wake, desk: Desk::default(), ink: Ink::new(out::colored()) };
    // The screen is given back before anything is printed.
    let line = session.sit(screen, following).await?;
    out::answer(&line);
    Ok(Exit::Done)
}

struct Session {
    args: OfRun,
    store: Arc<dyn Store>,
    seen: latest::Receiver<Arc<View>>,
    wake: Arc<Notify>,
    desk: Desk,
    ink: Ink,
}

/// What a verb came to.
type Came = Result<Asked, Failure>;

impl Session {
    /// Sits at the screen; returns the run in one line.
    async fn sit(
        mut self,
        mut screen: Screen,
        mut following: JoinHandle<Result<(), RecoverError>>,
    ) -> Result<String, Failure> {
        let mut keys = keys();
        let mut leave = signals()?;
        let (told, mut came) = mpsc::channel::<Came>(1);
        let mut tick = tokio::time::interval(TICK);
        loop {
            let view = self.seen.borrow_and_update().clone();
            let seen = &view.snapshot;
            let drawn = screen.terminal.draw(|frame| draw(frame, seen, &self.desk, SystemClock.now(), self.ink));
            drawn.map_err(|error| {
                Failure::trouble("watch-terminal", &error, "the terminal went away; the run goes on")
            })?;
            self.desk.small = screen.terminal.size().is_ok_and(|size| is_small(size.width, size.height));
            tokio::select! {
                key = keys.recv() => match key {
                    Some(Ok(event)) => match self.take(event, seen) {
                        Next::Draw => {}
                        Next::Leave => return Ok(seen.line.clone()),
                        Next::Send(verb, reason) => self.send(verb, reason, told.clone()),
                    },
                    Some(Err(error)) => {
                        return Err(Failure::trouble("watch-terminal", &error, "the terminal went away; the run goes on"));
                    }
                    None => return Ok(seen.line.clone()),
                },
                Some(came) = came.recv() => {
                    self.answer(came);
                    self.wake.notify_one();
                }
                // The follower ends by itself only if it cannot go on.
                ended = &mut following => match ended {
                    Ok(Ok(())) => return Ok(seen.line.clone()),
                    Ok(Err(error)) => return Err(error.into()),
                    Err(error) => return Err(Failure::trouble("watch-defect", &error, "report this defect; the run goes on")),
                },
                _ = self.seen.changed() => {}
                () = left(&mut leave) => return Ok(seen.line.clone()),
                _ = tick.tick() => {}
            }
            if screen.is_lost() {
                let message = "a part of `watch` failed; the run is not touched by that";
                return Err(Failure::new(Exit::Trouble, "watch-defect", message, "report this defect"));
            }
        }
    }

    fn take(&mut self, event: Event, seen: &Snapshot) -> Next {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.desk.press(key, seen),
            Event::Paste(text) => {
                self.desk.paste(&text);
                Next::Draw
            }
            _ => Next::Draw,
        }
    }

    /// Sends a verb on its way; the screen goes on meanwhile.
    fn send(&self, verb: Verb, reason: String, told: mpsc::Sender<Came>) {
        let (store, args) = (self.store.clone(), self.args.clone());
        tokio::spawn(async move {
            let came = verb.take(&*store, &args.name, &reason).await;
            let _ = told.send(came).await;
        });
    }

    fn answer(&mut self, came: Came) {
        let verb = self.desk.sending.clone().unwrap_or_default();
        let of = &self.args;
        let (good, text) = match came {
            Ok(Asked::OfDriver) => (true, format!("{verb}: recorded by the process that drives the run")),
            Ok(Asked::InJournal) => (
                true,
                format!(
                    "{verb}: recorded; nobody drives the run: `reinstate resume {} --store {}` goes on",
                    of.name, of.stored.store
                ),
            ),
            Err(failure) => {
                let hint = if failure.hint.is_empty() { String::new() } else { format!("; hint: {}", failure.hint) };
                (false, format!("{verb}: REFUSED [{}] {}{hint}", failure.code, failure.message))
            }
        };
        self.desk.answered(good, report::plain(&text));
    }
}

/// Keys, read by a thread of their own: reading one cannot be called off.
fn keys() -> mpsc::Receiver<std::io::Result<Event>> {
    let (tell, keys) = mpsc::channel(64);
    std::thread::spawn(move || {
        while !tell.is_closed() {
            let event = match crossterm::event::poll(KEYS) {
                Ok(false) => continue,
                Ok(true) => crossterm::event::read(),
                Err(error) => Err(error),
            };
            let failed = event.is_err();
            if tell.blocking_send(event).is_err() || failed {
                return;
            }
        }
    });
    keys
}

/// Signals that ask a process to go.
fn signals() -> Result<[Signal; 3], Failure> {
    let of = |kind| {
        signal(kind).map_err(|error| Failure::trouble("watch-signals", &error, "check the limits of this process"))
    };
    Ok([of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?])
}

async fn left([interrupt, terminate, hangup]: &mut [Signal; 3]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
