//! What is asked of the estate before a run, so that what cannot work is found before anything has changed.
//!
//! A run of 100,000 sites would ask the same few things a million times: whether a service can be reached, whether a
//! shard's log reaches far enough. So a connector first narrows what a run would have it do to [questions]
//! ([`Connector::questions`]), which are data and compared as such, and then answers each once
//! ([`Connector::preflight`]).
//!
//! [questions]: Intent
//! [`Connector::questions`]: crate::Connector::questions
//! [`Connector::preflight`]: crate::Connector::preflight

use std::collections::BTreeMap;

use serde_json::Value;

/// What a run would have an action do, as far as that is known before the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intent {
    /// Action, `sqlite/restore@1`.
    pub uses: String,
    /// Its inputs; what needs the outputs of a step is left out, in lists it is `null`. Secrets are references.
    pub with: Value,
    /// Inputs that come from outputs of another step, by the name of the input: what that step would be asked.
    pub from: BTreeMap<String, Source>,
}

/// A step from whose outputs an input comes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Its action.
    pub uses: String,
    /// The action's inputs, as far as they are known.
    pub with: Value,
}

/// What was found about the estate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable code, the one that the action itself would fail with where there is one: `sqlite.log_too_short`.
    pub code: &'static str,
    /// What was looked at: an address, a file. No secrets.
    pub subject: String,
    /// The fact, without secrets.
    pub fact: String,
    /// The operator's next move; empty if all is well.
    pub hint: String,
    /// Space that the run would take on a volume; claims on one volume are added up.
    pub claim: Option<Claim>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The run cannot work.
    Error,
    /// The run may work.
    Warning,
    /// All is well.
    Good,
}

/// Space that a run would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What takes it; claims of the same thing count once, with the largest.
    pub what: String,
    /// Which volume: the same text for the same volume.
    pub volume: String,
    /// Bytes that are free there.
    pub free: u64,
    /// Bytes that are taken.
    pub bytes: u64,
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn good(code: &'static str, subject: impl Into<String>, fact: impl Into<String>) -> Self {
        Self {
            severity: Severity::Good,
            code,
            subject: subject.into(),
            fact: fact.into(),
            hint: String::new(),
            claim: None,
        }
    }

    /// The run may work.
    #[must_use]
    pub fn warning(
        code: &'static str,
        subject: impl Into<String>,
        fact: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, hint: hint.into(), ..Self::good(code, subject, fact) }
    }

    /// The run cannot work.
    #[must_use]
    pub fn error(
        code: &'static str,
        subject: impl Into<String>,
        fact: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, ..Self::warning(code, subject, fact, hint) }
    }

    /// Adds the space that is taken.
    #[must_use]
    pub fn claiming(mut self, claim: Claim) -> Self {
        self.claim = Some(claim);
        self
    }
}
