//! The passed drill that an estate demands of the runbook of a large run, and going without it.

use engine::{Millis, Plan, PlanSpec};
use report::stamp;
use runbook::Guard;
use runtime::{Drills, JournalError};

/// Why a run may not go as it is.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No drill has passed with its runbook lately enough.
    #[error("{fact}, and the estate {estate} demands one for {sites} sites")]
    Uncertified {
        /// What there is instead.
        fact: String,
        /// The estate.
        estate: String,
        /// Sites of the run.
        sites: u32,
    },
    /// Who goes without says why.
    #[error("no reason is given for going without a drill")]
    NoReason,
    /// There is nothing to go without.
    #[error("the estate {0} demands no drill")]
    Idle(String),
    /// Nobody could approve it.
    #[error("the estate {0} names nobody who may let a run go without a drill")]
    Final(String),
    /// Nobody would be asked any more.
    #[error("run {0} goes on already, and nobody would be asked whether it may go without a drill")]
    Late(String),
    /// The engine refuses the plan that goes without.
    #[error("the plan is refused: {0}")]
    Plan(String),
    /// The history cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl CertificateError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Uncertified { .. } => "runbook-uncertified",
            Self::NoReason => "uncertified-form",
            Self::Idle(_) => "uncertified-idle",
            Self::Final(_) => "uncertified-final",
            Self::Late(_) => "uncertified-late",
            Self::Plan(_) => "plan-refused",
            Self::Journal(error) => error.code(),
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Uncertified { .. } => {
                "run a drill with it into this store (`reinstate drill run`), or give `--uncertified REASON` (`uncertified` \
                 of a plan made by HTTP), which a second person must approve"
            }
            Self::NoReason => "say why it cannot wait",
            Self::Idle(_) => "leave `uncertified` out",
            Self::Final(_) => "run a drill, or give its `guard` an `approval`",
            Self::Late(_) => {
                "run a drill with the amended runbook into this store, or start a new run that adopts the sites"
            }
            Self::Plan(_) => "report this defect",
            Self::Journal(_) => "check the store",
        }
    }
}

/// Refuses a run whose runbook no drill has passed with lately enough; the drill may have had any name.
///
/// # Errors
/// [`CertificateError::Uncertified`], or the store's trouble.
///
/// # Cancel safety
/// May be dropped at any await.
pub async fn demanded(
    drills: &dyn Drills,
    plan: &Plan,
    guard: Option<&Guard>,
    now: Millis,
) -> Result<(), CertificateError> {
    let spec = plan.spec();
    let Some(rule) = guard.and_then(|guard| guard.certificate.as_ref()) else { return Ok(()) };
    if plan.site_count() <= rule.above || spec.extras.uncertified.is_some() {
        return Ok(());
    }
    let passed = drills.certificate(&spec.origin.runbook_hash(), now).await?.and_then(|entry| entry.result);
    let oldest = now.saturating_sub(i64::try_from(rule.max_age_ms).unwrap_or(i64::MAX));
    let fact = match passed {
        Some(drill) if drill.ended_at >= oldest => return Ok(()),
        Some(drill) => format!("the last drill that this runbook has passed ended {}", stamp(drill.ended_at)),
        None => "no drill has passed with this text of the runbook".to_owned(),
    };
    Err(CertificateError::Uncertified { fact, estate: spec.origin.estate.clone(), sites: plan.site_count() })
}

/// Refuses to amend a run with a runbook that a fresh run over its sites could not have, and with going without, which is
/// approved before a run begins or not at all.
///
/// # Errors
/// As [`demanded`], and [`CertificateError::Late`].
///
/// # Cancel safety
/// May be dropped at any await.
pub async fn demanded_of_amended(
    drills: &dyn Drills,
    run: &str,
    (old, new): (&Plan, &Plan),
    guard: Option<&Guard>,
    now: Millis,
) -> Result<(), CertificateError> {
    let (before, after) = (&old.spec().extras.uncertified, &new.spec().extras.uncertified);
    if after.is_some() && after != before {
        return Err(CertificateError::Late(run.to_owned()));
    }
    demanded(drills, new, guard, now).await
}

/// Marks a plan as going without: a second person approves its start, however small it is.
///
/// # Errors
/// If no reason is given, the estate demands no drill, or names nobody who could approve it.
pub fn waived(mut spec: PlanSpec, guard: Option<&Guard>, reason: &str) -> Result<PlanSpec, CertificateError> {
    if reason.trim().is_empty() {
        return Err(CertificateError::NoReason);
    }
    let estate = || spec.origin.estate.clone();
    let Some(guard) = guard.filter(|guard| guard.certificate.is_some()) else {
        return Err(CertificateError::Idle(estate()));
    };
    if guard.approval.is_none() {
        return Err(CertificateError::Final(estate()));
    }
    guard.hold(&mut spec.extras);
    spec.extras.uncertified = Some(reason.to_owned());
    Ok(spec)
}
