//! What is shown while a run goes on: bars on a terminal, a line per event of note elsewhere.

use std::time::Duration;

use engine::{Event, Record, Run, SiteEnd};
use indicatif::{ProgressBar, ProgressStyle};
use runtime::Observer;
use server::Onlooker;

use crate::out;

/// Shows a run's progress on standard error.
pub(crate) struct Progress {
    form: Form,
    from: Option<i64>,
    returned: u32,
}

enum Form {
    Silent,
    Lines,
    Events,
    Bar(Box<ProgressBar>),
}

impl Progress {
    /// Chooses the form: nothing, JSON lines, text lines, or a bar on a terminal.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let form = match (quiet, json, out::on_terminal()) {
            (true, _, _) => Form::Silent,
            (false, true, _) => Form::Events,
            (false, false, true) => Form::Bar(Box::new(ProgressBar::hidden())),
            (false, false, false) => Form::Lines,
        };
        Self { form, from: None, returned: 0 }
    }

    /// Ends the showing.
    pub(crate) fn finish(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }

    fn bar(&self, run: &Run, bar: &ProgressBar) {
        let tally = run.tally();
        let left = tally.waiting + tally.restoring;
        bar.set_position(u64::from(run.plan().site_count() - left));
        let batches = (0..run.plan().batch_count()).map(|ix| run.batch_times(engine::BatchIx::from(ix as usize)));
        let open = batches.filter(|(opened, _)| opened.is_some()).count();
        let minutes = run.opened_at().map_or(0, |from| run.now() - from) as f64 / 60_000.0;
        let back = f64::from(tally.returned + tally.degraded);
        let rate = if minutes > 0.0 { format!(", {:.0} sites/h", back / minutes * 60.0) } else { String::new() };
        let left = f64::from(tally.waiting + tally.restoring);
        let forecast =
            if back >= 10.0 { format!(", about {:.0} s left", left * minutes * 60.0 / back) } else { String::new() };
        bar.set_message(format!(
            "batch {open}/{}, {} quarantined, {} in flight{rate}{forecast}",
            run.plan().batch_count(),
            tally.quarantined,
            run.in_flight(),
        ));
    }
}

impl Onlooker for Progress {
    fn begun(&mut self, run: &Run) {
        self.from = run.opened_at();
        self.returned = run.tally().returned;
        if let Form::Bar(bar) = &mut self.form {
            **bar = ProgressBar::new(u64::from(run.plan().site_count()));
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} sites {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    }
}

impl Observer for Progress {
    fn committed(&mut self, run: &Run, records: &[Record]) {
        let from = *self.from.get_or_insert_with(|| run.opened_at().unwrap_or(run.now()));
        match &self.form {
            Form::Silent => {}
            Form::Bar(bar) => self.bar(run, bar),
            Form::Lines => {
                for record in records {
                    // The run may be ahead of these records, so its own count would tell the future.
                    self.returned += u32::from(matches!(record.event, Event::SiteEnded { end: SiteEnd::Returned, .. }));
                    if let Some(line) = line(run, record, from, self.returned) {
                        out::note(&line);
                    }
                }
            }
            Form::Events => {
                for record in records {
                    out::note(&report::ToldEvent::of(run, record, None).json());
                }
            }
        }
    }
}

/// One line for an event of note; starts and successes of single units are left to `logs`.
fn line(run: &Run, record: &Record, from: i64, returned: u32) -> Option<String> {
    let text = match &record.event {
        Event::SiteEnded { end: SiteEnd::Returned, .. } => {
            format!("{} ({returned}/{})", report::noted(run, record)?, run.plan().site_count())
        }
        _ => report::noted(run, record)?,
    };
    Some(format!("{:>9.3}s {text}", (record.at - from) as f64 / 1_000.0))
}
