//! Who decided on what: the run forgets a gate once it is open or shut, the report must not.

use std::collections::BTreeMap;

use engine::{Event, Gate, Millis, Request, Run};

/// A gate that people decided on, or failed to.
#[derive(Clone, Debug)]
pub(crate) struct GateLog {
    pub(crate) gate: Gate,
    /// When it was asked.
    pub(crate) since: Millis,
    /// When it would have lapsed.
    pub(crate) due: Option<Millis>,
    pub(crate) decisions: Vec<Decided>,
    /// How it ended; `None` while it is open, or if it was withdrawn.
    pub(crate) end: Option<Word>,
}

/// One word on a gate.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) word: Word,
    /// Empty for a lapse.
    pub(crate) actor: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) at: Millis,
    /// Hash of the plan that was decided on.
    pub(crate) plan: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Approved,
    Rejected,
    Lapsed,
}

/// A gate as it stood before an event.
#[derive(Debug)]
pub(super) struct Asked {
    since: Millis,
    due: Option<Millis>,
    fresh: bool,
}

impl Asked {
    pub(super) fn of(request: &Request<'_>) -> Self {
        Self { since: request.since, due: request.due, fresh: request.approved_by.is_empty() }
    }
}

/// Every gate on which something was said, in the order of the first word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gates {
    pub(crate) all: Vec<GateLog>,
    /// The last entry of each gate that may still get further words.
    open: BTreeMap<Gate, usize>,
}

impl Gates {
    /// The entry of a gate that waits, if something was said on it already.
    pub(crate) fn of_open(&self, gate: Gate) -> Option<&GateLog> {
        self.open.get(&gate).and_then(|&ix| self.all.get(ix))
    }

    /// Whether the last word on a gate was that nobody said one in time.
    pub(crate) fn has_lapsed(&self, gate: Gate) -> bool {
        let last = self.all.iter().rev().find(|log| log.gate == gate);
        last.is_some_and(|log| log.end == Some(Word::Lapsed))
    }

    /// Notes an approval, a rejection or a lapse, of a gate that stood as `asked` before.
    pub(super) fn note(&mut self, run: &Run, at: Millis, event: &Event, asked: Option<Asked>) {
        let (gate, word, actor, reason) = match event {
            Event::Approved { gate, actor, reason } => (*gate, Word::Approved, actor.clone(), reason.clone()),
            Event::Rejected { gate, actor, reason } => (*gate, Word::Rejected, actor.clone(), reason.clone()),
            Event::Lapsed { gate } => (*gate, Word::Lapsed, "".into(), "".into()),
            _ => return,
        };
        let Some(asked) = asked else { return };
        // A gate that nobody has approved yet was asked anew, unless a lapse had merely paused the run.
        let known = self.open.get(&gate).copied().filter(|&ix| {
            let log = &self.all[ix];
            log.since == asked.since || !asked.fresh || log.decisions.iter().all(|said| said.word == Word::Lapsed)
        });
        let ix = known.unwrap_or_else(|| {
            let log = GateLog { gate, since: asked.since, due: asked.due, decisions: Vec::new(), end: None };
            self.all.push(log);
            self.all.len() - 1
        });
        self.open.insert(gate, ix);
        let log = &mut self.all[ix];
        log.due = asked.due;
        log.decisions.push(Decided { word, actor, reason, at, plan: run.plan().hash().into() });
        if run.request(gate).is_none() {
            log.end = Some(word);
            self.open.remove(&gate);
        }
    }

    /// Renames gates after an amendment; `None` for one that the new plan does not have.
    pub(super) fn rename(&mut self, mut name: impl FnMut(Gate) -> Option<Gate>) {
        self.open.clear();
        self.all.retain_mut(|log| name(log.gate).map(|gate| log.gate = gate).is_some());
        for (ix, log) in self.all.iter().enumerate().filter(|(_, log)| log.end.is_none()) {
            self.open.insert(log.gate, ix);
        }
    }
}
