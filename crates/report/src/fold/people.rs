//! What people said and did: it stands beside what the engine saw, and is never taken for it.

use std::collections::BTreeMap;

use engine::{Decree, Event, Failure, Millis, NodeIx, Ruling, Run, SiteIx, TakeOut, Then, UnitIx, UnitState};

/// What a person said of a unit, or of a node that has no units yet, in place of an outcome.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) how: How,
    pub(crate) actor: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) at: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    MarkedDone,
    Skipped,
    /// Ruled: its effect is there.
    RuledDone,
    /// Ruled: it is given up.
    GivenUp,
    /// Its effect was taken back by hand.
    UndoneByHand,
    /// Its effect is to stay although it was to be taken back.
    Left,
}

impl How {
    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MarkedDone => "marked_done",
            Self::Skipped => "skipped",
            Self::RuledDone => "ruled_done",
            Self::GivenUp => "given_up",
            Self::UndoneByHand => "undone_by_hand",
            Self::Left => "left",
        }
    }

    /// What was done to the step, for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::MarkedDone => "marked done",
            Self::Skipped => "skipped",
            Self::RuledDone => "ruled done",
            Self::GivenUp => "given up",
            Self::UndoneByHand => "marked as taken back",
            Self::Left => "left as it is, not taken back",
        }
    }
}

/// What was said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    Unit(UnitIx),
    Node(NodeIx),
}

/// How a unit failed for good, with the attempts until then.
#[derive(Clone, Debug)]
pub(crate) struct GaveUp {
    pub(crate) failure: Box<Failure>,
    pub(crate) attempts: u32,
}

/// What people said that still stands, and what put units out, which an undo makes the run forget.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    pub(crate) said: BTreeMap<Of, Said>,
    /// Who took each site out, and why; stands as long as the run says that the site is taken out.
    pub(crate) taken: BTreeMap<SiteIx, (Box<str>, Box<str>)>,
    pub(crate) gave_up: BTreeMap<UnitIx, GaveUp>,
}

/// What an overruling or a ruling is about to settle.
#[derive(Debug, Default)]
pub(super) struct About {
    units: Vec<UnitIx>,
    undoing: bool,
}

impl About {
    pub(super) fn of(run: &Run, event: &Event) -> Self {
        match event {
            Event::Overruled { node, item, .. } => {
                let all = run.units_of(*node);
                let start = all.start;
                let chosen = all.filter(|unit| item.is_none_or(|item| *unit == start + item)).map(UnitIx);
                let undoing = run.node_state(*node) == engine::NodeState::Undoing;
                let open = |unit: &UnitIx| {
                    let state = run.unit_state(*unit);
                    if undoing { run.next_mode(*unit).is_undo() } else { state != Some(UnitState::Succeeded) }
                };
                Self { units: chosen.filter(open).collect(), undoing }
            }
            Event::Ruled { unit, .. } => Self { units: vec![*unit], undoing: run.next_mode(*unit).is_undo() },
            Event::Refused { unit, .. } | Event::InDoubt { unit, .. } => {
                let undoing = run.flight(*unit).is_some_and(|flight| flight.mode.is_undo());
                Self { units: Vec::new(), undoing }
            }
            _ => Self::default(),
        }
    }

    pub(super) fn is_undo(&self) -> bool {
        self.undoing
    }
}

/// Whether a ruling or a decree that is about to be applied settles something that is being taken back.
///
/// `before` is the run without the event: afterwards, what was given up and what was left look alike.
#[must_use]
pub fn settles_undo(before: &Run, event: &Event) -> bool {
    matches!(event, Event::Overruled { .. } | Event::Ruled { .. }) && About::of(before, event).is_undo()
}

impl People {
    /// Units, and nodes without units yet, that count as settled on a person's word.
    pub(super) fn on_their_word(&self) -> usize {
        self.said.values().filter(|said| said.how != How::GivenUp).count()
    }

    /// Notes what an event, just applied, says; `about` is from before it.
    pub(super) fn note(&mut self, run: &Run, at: Millis, event: &Event, about: &About) {
        match event {
            Event::Started { unit, mode, .. } => {
                self.said.remove(&Of::Unit(*unit));
                if let Some((node, _)) = run.unit_at(*unit) {
                    self.said.remove(&Of::Node(node));
                }
                if !mode.is_undo() {
                    self.gave_up.remove(unit);
                }
            }
            Event::Refused { unit, failure, then: Then::GiveUp }
            | Event::InDoubt { unit, failure, then: Then::GiveUp }
                if !about.undoing =>
            {
                let attempts = run.attempts(*unit);
                self.gave_up.entry(*unit).or_insert_with(|| GaveUp { failure: failure.clone(), attempts });
            }
            Event::Ruled { ruling, actor, reason, .. } => {
                let how = match (ruling, about.undoing) {
                    (Ruling::Done, false) => How::RuledDone,
                    (Ruling::Done, true) => How::UndoneByHand,
                    (Ruling::GiveUp, false) => How::GivenUp,
                    (Ruling::GiveUp, true) => How::Left,
                    (Ruling::Again, _) => return,
                };
                self.say(about, None, &Said { how, actor: actor.clone(), reason: reason.clone(), at });
            }
            Event::Overruled { node, how, actor, reason, .. } => {
                self.forget_what_goes_on(run);
                let how = match (how, about.undoing) {
                    (Decree::Skip, false) => How::Skipped,
                    (Decree::Skip, true) => How::Left,
                    (Decree::Done { .. }, false) => How::MarkedDone,
                    (Decree::Done { .. }, true) => How::UndoneByHand,
                };
                self.say(about, Some(*node), &Said { how, actor: actor.clone(), reason: reason.clone(), at });
            }
            Event::TakenOut { site, actor, reason, .. } => {
                self.taken.insert(*site, (actor.clone(), reason.clone()));
            }
            Event::Retried { .. } | Event::SiteAdopted { .. } => self.forget_what_goes_on(run),
            _ => {}
        }
    }

    fn say(&mut self, about: &About, node: Option<NodeIx>, said: &Said) {
        for &unit in &about.units {
            self.said.insert(Of::Unit(unit), said.clone());
        }
        if let Some(node) = node.filter(|_| about.units.is_empty()) {
            self.said.insert(Of::Node(node), said.clone());
        }
    }

    /// What went back to the start is no longer what somebody said it was.
    fn forget_what_goes_on(&mut self, run: &Run) {
        self.said.retain(|of, _| match of {
            Of::Unit(unit) => run.unit_state(*unit).is_some_and(UnitState::is_settled),
            Of::Node(node) => run.node_state(*node).is_settled(),
        });
        self.gave_up.retain(|unit, _| run.unit_state(*unit).is_some_and(UnitState::is_settled));
    }
}

/// How a site was taken out, for people.
pub(crate) fn taken_words(how: TakeOut) -> &'static str {
    match how {
        TakeOut::Quarantine => "quarantined",
        TakeOut::Exclude => "excluded",
        TakeOut::Release => "released",
        TakeOut::Undo => "taken back",
    }
}
