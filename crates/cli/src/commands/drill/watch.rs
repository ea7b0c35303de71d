//! What is shown while a drill goes on.

use engine::{DrillPart, Record, Run};
use runtime::{DrillObserver, Observer as _};
use server::Onlooker as _;

use crate::out;
use crate::progress::Progress;

/// Shows the runs of a drill one after the other.
pub(super) struct Watch {
    progress: Progress,
    json: bool,
}

impl Watch {
    pub(super) fn new(json: bool) -> Self {
        Self { progress: Progress::new(json, false), json }
    }
}

impl DrillObserver for Watch {
    fn begins(&mut self, part: DrillPart, run: &Run) {
        // A clean-up without steps is over before anybody could read of it.
        if !self.json && !run.plan().spec().steps.is_empty() {
            out::note(match part {
                DrillPart::SetUp => "set-up",
                DrillPart::Run => "run",
                DrillPart::Compare => "comparison",
                DrillPart::CleanUp => "clean-up",
            });
        }
        self.progress.begun(run);
    }

    fn committed(&mut self, _: DrillPart, run: &Run, records: &[Record]) {
        self.progress.committed(run, records);
    }

    fn rests(&mut self, _: DrillPart) {
        self.progress.finish();
    }
}
