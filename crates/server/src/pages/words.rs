//! Words and colours of what is shown.

use crate::live::{Driver, Item, Line, Snapshot, Step, Tone};

impl Tone {
    /// Its class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Care => "care",
            Self::Bad => "bad",
            Self::Faint => "faint",
        }
    }
}

impl Step {
    /// Median of its attempts, for people.
    pub(crate) fn typical(&self) -> String {
        self.typical_ms.map_or_else(|| "-".to_owned(), report::span)
    }

    /// Counts by state, in the order of the table, with the class of each.
    pub(crate) fn cells(&self) -> [(u32, &'static str); 7] {
        [
            (self.done, "good"),
            (self.running, "plain"),
            (self.waiting, "plain"),
            (self.failed, "bad"),
            (self.degraded, "care"),
            (self.not_run, "faint"),
            (self.undone, "care"),
        ]
    }
}

impl Line {
    /// When, for people.
    pub(crate) fn clock(&self) -> String {
        report::clock(self.at)
    }
}

impl Item {
    /// What else is known of it than the fact.
    pub(crate) fn known(&self) -> Vec<&(&'static str, String)> {
        self.more.iter().filter(|(label, _)| *label != "fact").collect()
    }
}

/// The class of a site's state.
pub(super) fn tone_of(state: &str) -> &'static str {
    match state {
        "returned" => "good",
        "degraded" | "undoing" | "undone" => "care",
        "quarantined" => "bad",
        "excluded" | "released" => "faint",
        _ => "plain",
    }
}

/// Who drives a run, which may be over.
pub(super) fn driver(driver: &Driver, over: bool) -> String {
    match driver {
        Driver::Nobody if over => "nobody any more".to_owned(),
        Driver::NotKnown => "not known yet".to_owned(),
        Driver::Process(name) => name.clone(),
        Driver::Nobody => "nobody: drive it to go on".to_owned(),
    }
}

/// How fast sites come back.
pub(super) fn pace(seen: &Snapshot) -> String {
    let rate = |rate: f64| if rate >= 10.0 { report::grouped(rate as u64) } else { format!("{rate:.1}") };
    match (seen.throughput.overall, seen.throughput.recent) {
        (None, _) => "not known yet".to_owned(),
        (Some(overall), Some(recent)) if !seen.state.over => {
            format!("{} over the run, {} of late", rate(overall), rate(recent))
        }
        (Some(overall), _) => rate(overall),
    }
}

/// A time of the API as people read it, to the second.
pub(super) fn time(stamp: &str) -> String {
    let seconds = stamp.split(['.', 'Z']).next().unwrap_or_default();
    format!("{} UTC", seconds.replace('T', " "))
}
