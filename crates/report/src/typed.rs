//! The commands that people can type for a run, written out so that they can be copied.

use engine::{Gate, Run, UnitIx};

/// Writes commands for one run: its name, and where it is recorded if that is not the usual place.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// Name of the run.
    pub run: String,
    /// Store of the run as `--store` takes it.
    pub store: Option<String>,
}

impl Typed {
    /// `reinstate approve RUN GATE --reason ...`, with `--checked` where there is a checklist to confirm.
    #[must_use]
    pub fn approve(&self, run: &Run, gate: Gate) -> String {
        let checked = if run.checklist(gate).is_empty() { "--reason ..." } else { "--reason ... --checked" };
        self.verb("approve", &gate_word(run, gate), checked)
    }

    /// `reinstate reject RUN GATE --reason ...`.
    #[must_use]
    pub fn reject(&self, run: &Run, gate: Gate) -> String {
        self.verb("reject", &gate_word(run, gate), "--reason ...")
    }

    /// `reinstate resolve RUN UNIT done|not-done|give-up --reason ...`.
    #[must_use]
    pub fn resolve(&self, run: &Run, unit: UnitIx) -> String {
        self.verb("resolve", &run.unit_name(unit), "done|not-done|give-up --reason ...")
    }

    /// `reinstate retry RUN UNIT --reason ...`.
    #[must_use]
    pub fn retry(&self, run: &Run, unit: UnitIx) -> String {
        self.verb("retry", &run.unit_name(unit), "--reason ...")
    }

    /// `reinstate mark-done RUN UNIT --evidence ...`.
    #[must_use]
    pub fn mark_done(&self, run: &Run, unit: UnitIx) -> String {
        self.verb("mark-done", &run.unit_name(unit), "--evidence ...")
    }

    /// `reinstate skip RUN UNIT --reason ...`.
    #[must_use]
    pub fn skip(&self, run: &Run, unit: UnitIx) -> String {
        self.verb("skip", &run.unit_name(unit), "--reason ...")
    }

    /// `reinstate continue RUN --reason ...`.
    #[must_use]
    pub fn go_on(&self) -> String {
        self.verb("continue", "", "--reason ...")
    }

    fn verb(&self, verb: &str, subject: &str, rest: &str) -> String {
        let run = if self.run.is_empty() { "RUN".to_owned() } else { word(&self.run) };
        let subject = if subject.is_empty() { String::new() } else { format!(" {}", word(subject)) };
        let store = self.store.as_ref().map(|store| format!(" --store {}", word(store))).unwrap_or_default();
        format!("`reinstate {verb} {run}{subject} {rest}{store}`")
    }
}

/// A gate as the command line names it: `start`, `batch-2`, or the unit's name.
#[must_use]
pub fn gate_word(run: &Run, gate: Gate) -> String {
    match gate {
        Gate::Start | Gate::Batch(_) => run.gate_name(gate).replace(' ', "-"),
        Gate::Unit(unit) => run.unit_name(unit),
    }
}

/// A word of a shell's command, in quotes if the shell would read it otherwise.
fn word(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@,+".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_word_as_it_is() {
        assert_eq!(word("apps/00ab-1/jira"), "apps/00ab-1/jira");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's $(rm)"), "'it'\\''s $(rm)'");
        let typed = Typed { run: "april-1".to_owned(), store: Some("sqlite:a b.db".to_owned()) };
        assert_eq!(typed.go_on(), "`reinstate continue april-1 --reason ... --store 'sqlite:a b.db'`");
    }
}
