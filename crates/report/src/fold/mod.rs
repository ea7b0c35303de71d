//! The fold behind every report: the run itself, and beside it the little that the run forgets.

mod audit;
mod gates;
mod histogram;
mod links;
mod needs;
mod new_ids;
mod people;
mod ready;
mod record;
mod sites;
mod times;
mod words;

use std::sync::Arc;

use engine::{Link, Millis, Plan, Run};

pub(crate) use audit::{Asks, Known, Stands, asked, asks};
pub(crate) use gates::{Decided, GateLog, Word};
pub use histogram::Histogram;
pub use links::is_link;
pub(crate) use needs::{each_shared, gate_of, gated};
pub use new_ids::new_id_steps;
pub use people::settles_undo;
pub(crate) use people::{How, Of, Said, taken_words};
pub(crate) use sites::site_of;
pub use times::{StepTimes, UndoTimes};
pub use words::told;
pub(crate) use words::{end_words, missing, node_key};

use crate::forecast::Rest;
use crate::report::{ActReport, Moment, Report};
use gates::Gates;
use people::People;
use ready::ReadyTimes;
use sites::Backs;

/// A run and its timings, folded from its records.
///
/// Costs per record do not grow with the run. Beyond the [`Run`] it keeps 4 bytes a node, 4 bytes a site, two
/// histograms a step, what people said and did, new IDs, and of the
/// steps that are asked for a restore point a byte a unit. Of outputs nothing is kept but
/// links, and those only if people decide on steps. Lengths of time are exact to the millisecond up to 49 days from the
/// run's opening and saturate there.
#[derive(Clone, Debug)]
pub struct Fold {
    run: Run,
    name: String,
    pub(crate) steps: Vec<StepTimes>,
    /// Timings of steps that an amended plan does not have any more, by name.
    pub(crate) former_steps: Vec<(String, StepTimes)>,
    ready: ReadyTimes,
    pub(crate) backs: Backs,
    pub(crate) gates: Gates,
    pub(crate) people: People,
    pub(crate) audit: audit::Audit,
    pub(crate) new_ids: new_ids::NewIds,
    links: links::Links,
    pub(crate) acts: Vec<ActReport>,
    pub(crate) acts_dropped: u64,
    pub(crate) moments: Vec<Moment>,
    pub(crate) moments_dropped: u64,
    pub(crate) resumes: Vec<crate::report::Resume>,
    /// Who drove, each once, in the order of their first time.
    pub(crate) drivers: Vec<String>,
    pub(crate) records: u64,
    /// Of the newest group of the journal, if it was told.
    pub(crate) head: Option<Link>,
    pub(crate) rulings: u64,
    pub(crate) paused_ms: i64,
    paused_since: Option<Millis>,
    pub(crate) down_ms: i64,
    pub(crate) opened_by: String,
    pub(crate) ended_at: Option<Millis>,
    /// How often the run went on after it had ended, and for how long it had been over.
    pub(crate) reopened: u32,
    pub(crate) over_ms: i64,
    /// Who had the run taken back as a whole, and why.
    pub(crate) unwound: Option<(Box<str>, Box<str>)>,
    /// Sizes that people set pools to, by name, with the time from the run's opening.
    pub(crate) pool_sizes: std::collections::BTreeMap<String, Vec<(i64, u32)>>,
    adopted: bool,
    /// Attempts of units that nobody began, which are none, by the units' keys: an amendment leaves these as they are.
    unbegun: std::collections::BTreeMap<String, u32>,
}

impl Fold {
    /// Starts the fold of a run of this plan; nothing has happened yet.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let sites = plan.site_count() as usize;
        Self {
            name: String::new(),
            steps: plan.steps().map(|_| StepTimes::default()).collect(),
            former_steps: Vec::new(),
            ready: ReadyTimes::new(&plan),
            backs: Backs::new(sites),
            gates: Gates::default(),
            people: People::default(),
            audit: audit::Audit::new(&plan),
            new_ids: new_ids::NewIds::default(),
            links: links::Links::default(),
            acts: Vec::new(),
            acts_dropped: 0,
            moments: Vec::new(),
            moments_dropped: 0,
            resumes: Vec::new(),
            drivers: Vec::new(),
            records: 0,
            head: None,
            rulings: 0,
            paused_ms: 0,
            paused_since: None,
            down_ms: 0,
            opened_by: String::new(),
            ended_at: None,
            reopened: 0,
            over_ms: 0,
            unwound: None,
            pool_sizes: std::collections::BTreeMap::new(),
            adopted: false,
            unbegun: std::collections::BTreeMap::new(),
            run: Run::new(plan),
        }
    }

    /// How many steps people have decided on, in all and from a time on. A lapse is nobody's decision.
    #[must_use]
    pub fn decided(&self, from: Millis) -> (usize, usize) {
        let of_units = self.gates.all.iter().filter(|log| matches!(log.gate, engine::Gate::Unit(_)));
        let ends = of_units.filter(|log| matches!(log.end, Some(Word::Approved | Word::Rejected)));
        let times = ends.filter_map(|log| log.decisions.last()).map(|said| said.at);
        times.fold((0, 0), |(all, late), at| (all + 1, late + usize::from(at >= from)))
    }

    /// What people have said so far on a gate that waits: who, and why.
    #[must_use]
    pub fn said_on(&self, gate: engine::Gate) -> Vec<(&str, &str)> {
        let said = self.gates.of_open(gate).map(|log| log.decisions.as_slice()).unwrap_or_default();
        said.iter().map(|said| (&*said.actor, &*said.reason)).collect()
    }

    /// Names the run; the name is shown, never interpreted.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Notes what the newest group of the journal is known by: evidence of what was folded.
    pub fn note_head(&mut self, head: Link) {
        self.head = Some(head);
    }

    /// The run as folded so far.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The plan of the run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.run.plan()
    }

    /// Name of the run as given to [`Fold::named`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Units that count as settled on a person's word, which the engine did not see done.
    #[must_use]
    pub fn on_a_persons_word(&self) -> usize {
        self.people.on_their_word()
    }

    /// Timings of each step, in the plan's order.
    #[must_use]
    pub fn step_times(&self) -> &[StepTimes] {
        &self.steps
    }

    /// Sums the run up as of `now` (milliseconds since the epoch; ignored once the run has ended).
    ///
    /// Costs time in proportion to units and sites.
    #[must_use]
    pub fn report(&self, now: Millis) -> Report {
        crate::report::build(self, now)
    }

    /// Forecasts the rest of the run as of `now` (milliseconds since the epoch); `None` if it is over, stands still or is
    /// ending, or if nothing is known of how long its steps take.
    ///
    /// Costs time in proportion to what is left, at most some 200,000 units' worth for smaller rests, one drawing for
    /// larger ones.
    #[must_use]
    pub fn rest(&self, now: Millis) -> Option<Rest> {
        crate::forecast::rest(self, now)
    }

    /// What is to blame for a site that did not return cleanly, or cannot any more; `None` for one that has or may.
    ///
    /// Costs time in proportion to the steps.
    #[must_use]
    pub fn exception(&self, site: engine::SiteIx) -> Option<crate::report::ExceptionReport> {
        let end = match self.run.status() {
            engine::Status::Ended(end) => Some(end),
            _ => None,
        };
        crate::report::exception(self, site, end)
    }

    /// Holds what the stores of every site that is back say of their restore point against the plan; `None` if no step was
    /// asked for one.
    ///
    /// Costs time in proportion to sites and steps.
    #[must_use]
    pub fn audit(&self) -> Option<crate::report::AuditReport> {
        crate::report::audit(self)
    }

    /// What the stores of one site say of its restore point; `None` unless the site is back and some store was asked for it.
    ///
    /// Costs time in proportion to the steps.
    #[must_use]
    pub fn site_audit(&self, site: engine::SiteIx) -> Option<crate::report::SiteAudit> {
        crate::report::audit_of(self, site)
    }

    /// Units that wait for an operator, in the order of their numbers, worked out as they are asked for.
    pub fn waiting_units(&self) -> impl Iterator<Item = crate::report::WaitingUnit> + '_ {
        crate::report::waiting_for_operator(&self.run)
    }

    /// Milliseconds from the run's opening to a time; 0 before it.
    pub(crate) fn since_opening(&self, at: Millis) -> i64 {
        self.run.opened_at().map_or(0, |opened| at.saturating_sub(opened).max(0))
    }

    /// Time that the run has stood paused up to a time.
    pub(crate) fn paused_until(&self, at: Millis) -> i64 {
        self.paused_ms + self.paused_since.map_or(0, |since| at.saturating_sub(since).max(0))
    }
}
