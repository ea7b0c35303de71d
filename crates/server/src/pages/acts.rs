//! What people can do to a run, as the pages offer it: what it means, what it asks for, and the verb that it becomes.

use std::collections::BTreeMap;

use engine::TakeOut;

use crate::access::Permission;
use crate::api::Problem;
use crate::verbs::{Truth, Verb};

/// Something that can be done.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) verb: &'static str,
    pub(super) title: &'static str,
    pub(super) means: &'static str,
    pub(super) button: &'static str,
    /// Shown once it is done.
    pub(super) done: &'static str,
    /// Whether it is about a site, a unit, a gate or a pool.
    pub(super) subject: bool,
    pub(super) needs: Permission,
    /// Whether it takes something away.
    pub(super) harm: bool,
    /// Whether the run's name has to be typed.
    pub(super) typed: bool,
    pub(super) slots: bool,
    pub(super) step: bool,
    pub(super) truth: bool,
    pub(super) undo: bool,
    /// Whether another run has to be named.
    pub(super) from: bool,
}

impl Act {
    /// Whether a checklist has to be confirmed for it.
    pub(super) fn confirms(&self) -> bool {
        matches!(self.verb, "approve" | "pass")
    }

    /// What was asked, for the audit log: every answer to a question of this act.
    pub(super) fn told(&self, filled: &Filled) -> serde_json::Value {
        let answers = [
            (true, "verb", self.verb),
            (true, "reason", filled.reason.as_str()),
            (self.subject, "subject", &filled.subject),
            (self.slots, "slots", &filled.slots),
            (self.step, "step", &filled.step),
            (self.truth, "truth", &filled.truth),
            (self.undo, "undo", &filled.undo),
            (self.from, "from", &filled.from),
        ];
        let mut told: serde_json::Map<String, serde_json::Value> = answers
            .into_iter()
            .filter(|(asked, ..)| *asked)
            .map(|(_, name, answer)| (name.into(), answer.into()))
            .collect();
        if self.confirms() {
            told.insert("checked".to_owned(), filled.checked().into());
        }
        told.into()
    }
}

/// An act without a subject and without more questions.
const PLAIN: Act = Act {
    verb: "",
    title: "",
    means: "",
    button: "",
    done: "",
    subject: false,
    needs: Permission::Operate,
    harm: false,
    typed: false,
    slots: false,
    step: false,
    truth: false,
    undo: false,
    from: false,
};
/// The same with a subject.
const OF: Act = Act { subject: true, ..PLAIN };

pub(super) const ACTS: &[Act] = &[
    Act {
        verb: "pause",
        title: "Pause the run",
        means: "Nothing new is started. What is in flight ends as it does. Nothing is taken back.",
        button: "Pause",
        done: "The run is paused.",
        ..PLAIN
    },
    Act {
        verb: "continue",
        title: "Let the run go on",
        means: "A paused run starts what is ready. Budgets that were exceeded count from here.",
        button: "Continue",
        done: "The run goes on.",
        ..PLAIN
    },
    Act {
        verb: "resume",
        title: "Drive the run here",
        means: "This process takes the run up where its journal ends. Attempts that were in flight are in doubt: they are \
                probed or applied again where that is safe, and else wait for a person.",
        button: "Resume",
        done: "It is being taken up.",
        ..PLAIN
    },
    Act {
        verb: "cancel",
        title: "Cancel the run",
        means: "The run ends. Sites that are not back stay as they are, unless what was done is taken back.",
        button: "Cancel the run",
        done: "The run is being cancelled.",
        harm: true,
        typed: true,
        undo: true,
        ..PLAIN
    },
    Act {
        verb: "approve",
        title: "Approve",
        means: "What waits for this goes on.",
        button: "Approve",
        done: "It is approved.",
        needs: Permission::Decide,
        ..OF
    },
    Act {
        verb: "reject",
        title: "Reject",
        means: "A batch or a start that is rejected cancels the run.",
        button: "Reject",
        done: "It is rejected.",
        needs: Permission::Decide,
        harm: true,
        ..OF
    },
    Act {
        verb: "pass",
        title: "Pass a validation",
        means: "You have looked, and what came back is right. Steps that wait for this go on.",
        button: "It is right",
        done: "It has passed.",
        needs: Permission::Validate,
        ..OF
    },
    Act {
        verb: "fail",
        title: "Fail a validation",
        means: "You have looked, and what came back is not right. The step has failed: its site goes the way that the \
                runbook says. Write down what is wrong, for whoever looks after it.",
        button: "It is not right",
        done: "It has failed.",
        needs: Permission::Validate,
        harm: true,
        ..OF
    },
    Act {
        verb: "retry",
        title: "Retry",
        means: "What failed is tried again, under the same keys: what is done already is not done twice.",
        button: "Retry",
        done: "It is tried again.",
        ..OF
    },
    Act {
        verb: "retry-quarantined",
        title: "Retry all quarantined sites",
        means: "Every quarantined site is taken in again, and what failed of it is tried again.",
        button: "Retry all",
        done: "All quarantined sites are tried again.",
        ..PLAIN
    },
    Act {
        verb: "retry-from",
        title: "Retry from a step",
        means: "The step and everything after it is done again for this site, with new keys.",
        button: "Retry from there",
        done: "It is done again from there.",
        step: true,
        ..OF
    },
    Act {
        verb: "skip",
        title: "Skip",
        means: "It counts as not to be done; what needs it goes on. The report says that a person skipped it.",
        button: "Skip",
        done: "It is skipped.",
        harm: true,
        ..OF
    },
    Act {
        verb: "mark-done",
        title: "Mark as done by hand",
        means: "It counts as done; the reason is the evidence and stands in the report.",
        button: "It was done by hand",
        done: "It is marked as done.",
        ..OF
    },
    Act {
        verb: "resolve",
        title: "Say what is true of it",
        means: "Nobody knows whether the last attempt had its effect. Look at the target first.",
        button: "That is true",
        done: "It is settled.",
        truth: true,
        ..OF
    },
    Act {
        verb: "undo",
        title: "Undo the site",
        means: "What was done for the site is taken back in reverse order, as far as its steps can be taken back.",
        button: "Undo the site",
        done: "The site is being taken back.",
        harm: true,
        ..OF
    },
    Act {
        verb: "quarantine",
        title: "Quarantine the site",
        means: "The site is out until it is retried; what was done for it stays.",
        button: "Quarantine",
        done: "The site is out.",
        harm: true,
        ..OF
    },
    Act {
        verb: "exclude",
        title: "Exclude the site",
        means: "The site is left out of this run for good; what was done for it stays.",
        button: "Exclude",
        done: "The site is excluded.",
        harm: true,
        ..OF
    },
    Act {
        verb: "release",
        title: "Release the site",
        means: "This run lets the site go, for another run to adopt; what was done for it stays, and is checked again there.",
        button: "Release",
        done: "The site is released.",
        harm: true,
        ..OF
    },
    Act {
        verb: "adopt",
        title: "Adopt the site",
        means: "The site is taken in from another run that has released it; what was done there is checked again.",
        button: "Adopt",
        done: "The site is taken in.",
        from: true,
        ..OF
    },
    Act {
        verb: "pool",
        title: "Change the slots of a pool",
        means: "More slots start more at once; fewer let what is in flight end first.",
        button: "Change",
        done: "The pool is changed.",
        slots: true,
        ..OF
    },
];

/// The act of a verb.
pub(super) fn act(verb: &str) -> Result<&'static Act, Problem> {
    ACTS.iter()
        .find(|act| act.verb == verb)
        .ok_or_else(|| Problem::missing("no-such-verb", "there is nothing like that to do", "go back to the run"))
}

/// What was filled in.
#[derive(Clone, Default, serde::Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    pub(super) subject: String,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) typed: String,
    #[serde(default)]
    pub(super) slots: String,
    #[serde(default)]
    pub(super) step: String,
    #[serde(default)]
    pub(super) truth: String,
    #[serde(default)]
    pub(super) undo: String,
    #[serde(default)]
    pub(super) from: String,
    /// The boxes of a checklist that were ticked, each with its text, beside whatever else a form may hold.
    #[serde(flatten)]
    pub(super) boxes: BTreeMap<String, String>,
}

impl Filled {
    /// What was confirmed of a checklist.
    pub(super) fn checked(&self) -> Vec<String> {
        checked_of(&self.boxes)
    }
}

/// What was confirmed, of all that a form held.
pub(super) fn checked_of(boxes: &BTreeMap<String, String>) -> Vec<String> {
    boxes.iter().filter(|(name, _)| name.starts_with("check-")).map(|(_, text)| text.clone()).collect()
}

/// The verb that was filled in; none for what is no verb of a run.
pub(super) fn verb(act: &Act, filled: &Filled) -> Result<Option<Verb>, Problem> {
    let subject = filled.subject.clone();
    let wrong = |field: &'static str, hint: &'static str| {
        Problem::input("form", format!("`{field}` is not filled in as it should be"), hint).at(field)
    };
    let taken_out = |how: TakeOut| Verb::TakeOut { site: subject.clone(), how };
    Ok(Some(match act.verb {
        "pause" => Verb::Pause,
        "continue" => Verb::Continue,
        "resume" => return Ok(None),
        "cancel" => Verb::Cancel { undo: filled.undo == "yes" },
        "approve" | "pass" => Verb::Approve { gate: subject, checked: filled.checked() },
        "reject" | "fail" => Verb::Reject { gate: subject },
        "retry" => Verb::Retry { subject },
        "retry-quarantined" => Verb::RetryQuarantined,
        "retry-from" => Verb::RetryFrom { site: subject, step: filled.step.clone() },
        "skip" => Verb::Skip { unit: subject },
        "mark-done" => Verb::MarkDone { unit: subject, outputs: None },
        "resolve" => Verb::Resolve {
            unit: subject,
            truth: match filled.truth.as_str() {
                "done" => Truth::Done,
                "not-done" => Truth::NotDone,
                "give-up" => Truth::GiveUp,
                _ => return Err(wrong("truth", "choose what is true")),
            },
        },
        "undo" => taken_out(TakeOut::Undo),
        "quarantine" => taken_out(TakeOut::Quarantine),
        "exclude" => taken_out(TakeOut::Exclude),
        "release" => taken_out(TakeOut::Release),
        "adopt" => Verb::Adopt { site: subject, from: filled.from.trim().to_owned() },
        "pool" => {
            let slots = filled.slots.trim().parse().ok().filter(|slots| *slots > 0);
            Verb::SetPool { pool: subject, slots: slots.ok_or_else(|| wrong("slots", "give a number from 1 on"))? }
        }
        _ => return Err(Problem::missing("no-such-verb", "there is nothing like that to do", "go back to the run")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_becomes_a_verb_or_is_the_one_that_drives() {
        for act in ACTS {
            let filled = Filled {
                subject: "s".to_owned(),
                slots: "3".to_owned(),
                truth: "done".to_owned(),
                ..Filled::default()
            };
            let made = verb(act, &filled).expect("it is filled in");
            assert_eq!(made.is_none(), act.verb == "resume", "{}", act.verb);
            assert!(!act.means.is_empty() && !act.button.is_empty() && !act.done.is_empty(), "{}", act.verb);
        }
    }

    #[test]
    fn every_act_has_the_rule_of_its_permission() {
        for act in ACTS {
            let path = format!("/runs/{{run}}/act/{}", act.verb);
            let rule = crate::access::rule_of(&http::Method::POST, &path);
            assert_eq!(rule.map(|rule| rule.needs), Some(act.needs), "{path}");
        }
    }

    #[test]
    fn every_button_leads_to_an_act() {
        use crate::live::Kind;
        for kind in [Kind::Gate, Kind::Approval, Kind::Parked, Kind::Stuck, Kind::Quarantined, Kind::Degraded] {
            for (verb, ..) in crate::pages::waiting::verbs(&kind) {
                assert!(act(verb).is_ok_and(|act| act.subject), "{verb}");
            }
        }
    }
}
