//! `retry` and `defaults`: what holds for steps that say nothing themselves.

use engine::{Backoff, OnFailure, Retry, Scope};

use crate::fields::Sink;
use crate::lower::{Scene, keys};
use crate::model::At;
use crate::yaml::Node;

const BACKOFFS: &[(&str, Backoff)] = &[("exponential", Backoff::Exponential), ("constant", Backoff::Constant)];

pub(crate) const ON_FAILURE: &[(&str, OnFailure)] = &[
    ("quarantine", OnFailure::Quarantine),
    ("degrade", OnFailure::Degrade),
    ("undo", OnFailure::Undo),
    ("pause", OnFailure::Pause),
    ("abort", OnFailure::Abort),
];

/// One attempt: what holds if nobody asks for more.
pub(crate) const ONCE: Retry =
    Retry { attempts: 1, backoff: Backoff::Exponential, delay_ms: 1_000, max_delay_ms: 60_000 };

/// What `defaults` says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) scope: Scope,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) retry: Retry,
    /// `None` if it says nothing.
    pub(crate) on_failure: Option<At<OnFailure>>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { scope: Scope::Site, timeout_ms: None, retry: ONCE, on_failure: None }
    }
}

pub(crate) fn defaults(sink: &mut Sink<'_>, scene: &Scene<'_>, node: &Node) -> Defaults {
    let fields = sink.fields(node, "`defaults`", keys::DEFAULTS);
    let on_failure = fields.get("on_failure").and_then(|node| on_failure(sink, node));
    Defaults {
        scope: fields.get("scope").and_then(|node| scene.scope(sink, node, "`scope`")).unwrap_or(Scope::Site),
        timeout_ms: fields.get("timeout").and_then(|node| sink.duration(node, "`timeout`", false)),
        retry: fields.get("retry").map_or(ONCE, |node| retry(sink, node, Retry { attempts: 3, ..ONCE })),
        on_failure,
    }
}

pub(crate) fn on_failure(sink: &mut Sink<'_>, node: &Node) -> Option<At<OnFailure>> {
    sink.word(node, "`on_failure`", ON_FAILURE).map(|what| At::new(what, node.span))
}

/// Reads a retry policy; keys that are not given come from `base`.
pub(crate) fn retry(sink: &mut Sink<'_>, node: &Node, base: Retry) -> Retry {
    let fields = sink.fields(node, "`retry`", keys::RETRY);
    let attempts = fields.get("attempts").and_then(|node| sink.integer(node, "`attempts`", 1..=1_000));
    let delay_ms = fields.get("delay").and_then(|node| sink.duration(node, "`delay`", true)).unwrap_or(base.delay_ms);
    let longest = fields.get("max_delay").and_then(|node| sink.duration(node, "`max_delay`", true));
    Retry {
        attempts: attempts.and_then(|count| u16::try_from(count).ok()).unwrap_or(base.attempts),
        backoff: fields.get("backoff").and_then(|node| sink.word(node, "`backoff`", BACKOFFS)).unwrap_or(base.backoff),
        delay_ms,
        max_delay_ms: longest.unwrap_or(base.max_delay_ms).max(delay_ms),
    }
}
