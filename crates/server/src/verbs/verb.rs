//! The verbs as data, by names: numbers may change under them.

use engine::{Again, Command, Decree, Plan, Ruling, Run, TakeOut};
use runtime::Store;

use crate::verbs::adopt::adopt;
use crate::verbs::{Asked, Asker, REASON_MAX, VerbError, ask, claims, hold_again, subject};

/// What is asked of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Start nothing new.
    Pause,
    /// Let a paused run go on.
    Continue,
    /// End the run; with `undo`, take back what it did.
    Cancel {
        /// Whether what was done is taken back.
        undo: bool,
    },
    /// Approve a gate: `start`, `batch-2`, or the unit of an approval step.
    Approve {
        /// The gate.
        gate: String,
        /// What was confirmed of its checklist, each by its text.
        checked: Vec<String>,
    },
    /// Reject a gate.
    Reject {
        /// The gate.
        gate: String,
    },
    /// Try a site or a unit again.
    Retry {
        /// The site or unit.
        subject: String,
    },
    /// Go back to a step of a site, and do it and everything after it again.
    RetryFrom {
        /// The site.
        site: String,
        /// The step.
        step: String,
    },
    /// Try every quarantined site again.
    RetryQuarantined,
    /// Settle a unit as not to be done.
    Skip {
        /// The unit.
        unit: String,
    },
    /// Settle a unit as done by hand; the reason is the evidence.
    MarkDone {
        /// The unit.
        unit: String,
        /// Its outputs, a JSON object as text.
        outputs: Option<String>,
    },
    /// Say what is true of a unit in doubt.
    Resolve {
        /// The unit.
        unit: String,
        /// What is true.
        truth: Truth,
    },
    /// Take a site out.
    TakeOut {
        /// The site.
        site: String,
        /// How.
        how: TakeOut,
    },
    /// Bring a site in that another run has released.
    Adopt {
        /// The site.
        site: String,
        /// The other run.
        from: String,
    },
    /// Go by another plan in what has not begun.
    Amend {
        /// The other plan, encoded: [`Verb::amend`].
        plan: Box<[u8]>,
        /// Hash of the run's plan from which the difference was looked at.
        from: String,
    },
    /// Change the slots of a pool.
    SetPool {
        /// The pool.
        pool: String,
        /// Slots, at least 1.
        slots: u32,
    },
}

/// What is true of a unit in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It had its effect.
    Done,
    /// It had none: apply it again.
    NotDone,
    /// Not known, and not worth finding out.
    GiveUp,
}

impl From<Truth> for Ruling {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::Done => Self::Done,
            Truth::NotDone => Self::Again,
            Truth::GiveUp => Self::GiveUp,
        }
    }
}

impl Verb {
    /// Go by another plan in what has not begun, as long as the run goes by the plan `from` with which it was compared.
    ///
    /// # Errors
    /// If the plan cannot be encoded: a defect.
    pub fn amend(from: &Plan, plan: &Plan) -> Result<Self, VerbError> {
        let plan = plan.encode().map_err(|error| VerbError::Refused(error.to_string()))?;
        Ok(Self::Amend { plan: plan.into_boxed_slice(), from: from.hash().to_owned() })
    }

    /// Whether a run that has ended goes on with it, and so must hold its sites again.
    #[must_use]
    pub fn reopens(&self) -> bool {
        match self {
            Self::Cancel { undo } => *undo,
            Self::Retry { .. } | Self::RetryFrom { .. } | Self::RetryQuarantined => true,
            Self::TakeOut { how, .. } => *how == TakeOut::Undo,
            _ => false,
        }
    }

    /// Whether it can be taken at all, whatever the run.
    pub(crate) fn is_sound(&self, reason: &str) -> Result<(), VerbError> {
        if reason.trim().is_empty() || reason.chars().count() > REASON_MAX {
            return Err(VerbError::NoReason);
        }
        if let Self::MarkDone { outputs: Some(text), .. } = self {
            let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
            object.map_err(|_| VerbError::Outputs)?;
        }
        Ok(())
    }

    /// The command for a run as it is now; an adoption is made of two runs and has none.
    pub(crate) fn command(&self, run: &Run) -> Result<Command, VerbError> {
        Ok(match self {
            Self::Pause => Command::Pause,
            Self::Continue => Command::Continue,
            Self::Cancel { undo } => Command::Cancel { undo: *undo },
            Self::Approve { gate: name, checked } => {
                let gate = subject::gate(run, name)?;
                // A driver answers in words alone; what is open has to be known as such.
                run.is_checked(gate, checked).map_err(|why| VerbError::checks(name, why))?;
                Command::Approve { gate, checked: checked.clone() }
            }
            Self::Reject { gate } => Command::Reject { gate: subject::gate(run, gate)? },
            Self::Retry { subject: text } => Command::Retry {
                what: match subject::site(run, text) {
                    Ok(site) => Again::Site(site),
                    Err(_) => Again::Unit(subject::unit(run, text)?),
                },
            },
            Self::RetryFrom { site, step } => {
                Command::Retry { what: Again::From(subject::site(run, site)?, subject::step(run, step)?) }
            }
            Self::RetryQuarantined => Command::Retry { what: Again::Quarantined },
            Self::Skip { unit } => {
                let (node, item) = subject::node(run, unit)?;
                Command::Overrule { node, item, how: Decree::Skip }
            }
            Self::MarkDone { unit, outputs } => {
                let (node, item) = subject::node(run, unit)?;
                let outputs = outputs.clone().map(String::into_boxed_str);
                Command::Overrule { node, item, how: Decree::Done { outputs } }
            }
            Self::Resolve { unit, truth } => {
                Command::Rule { unit: subject::unit(run, unit)?, ruling: Ruling::from(*truth) }
            }
            Self::TakeOut { site, how } => Command::TakeOut { site: subject::site(run, site)?, how: *how },
            Self::SetPool { pool, slots } => Command::SetPool { pool: subject::pool(run, pool)?, slots: *slots },
            Self::Amend { plan, from } => {
                // Somebody may have amended it since: what was looked at is not what would change.
                if run.plan().hash() != from {
                    return Err(VerbError::PlanOther { from: from.clone(), now: run.plan().hash().to_owned() });
                }
                Command::Amend { plan: plan.clone() }
            }
            Self::Adopt { site, .. } => {
                return Err(VerbError::Refused(format!(
                    "site {site} comes from another run, which must be read first"
                )));
            }
        })
    }
}

/// Takes a verb on a run; its event is durable on return.
///
/// # Errors
/// If it has no reason or names something that is not there, if the run refuses it, the driver does not answer (what
/// became of the verb is said then), or the store fails.
///
/// # Cancel safety
/// Dropping the future leaves it open whether the verb was taken.
pub async fn take(store: &dyn Store, name: &str, asker: Asker<'_>, verb: &Verb) -> Result<Asked, VerbError> {
    verb.is_sound(asker.reason)?;
    if let Verb::Adopt { site, from } = verb {
        return adopt(store, name, asker, (site, from)).await;
    }
    if verb.reopens() {
        hold_again(store, name).await?;
    }
    let asked = ask(store, name, asker, |run| verb.command(run)).await?;
    claims::forget(store, name, verb).await;
    Ok(asked)
}
