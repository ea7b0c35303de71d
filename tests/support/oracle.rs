//! Expressions of simulated plans: answers that look random and are always the same.

use engine::{EvalError, Evaluator, KeyIx, Outputs, Plan, StepIx, Target};

use crate::random::Random;

/// Conditions and items that look random but are a function of step and key, as expressions over outputs are.
#[derive(Debug)]
pub struct Oracle {
    /// Whether some expressions give no value.
    pub fails: bool,
}

impl Evaluator for Oracle {
    fn condition(&self, plan: &Plan, step: StepIx, key: KeyIx, _: &dyn Outputs) -> Result<bool, EvalError> {
        match Random::new(named(plan, step) << 32 | u64::from(key.0)).between(0, 9) {
            0 if self.fails => Err(EvalError { code: "sim".into(), message: "no value".into(), hint: String::new() }),
            0..=3 => Ok(false),
            _ => Ok(true),
        }
    }

    fn items(&self, plan: &Plan, step: StepIx, key: KeyIx, _: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        let count = Random::new(named(plan, step) << 33 | u64::from(key.0)).between(0, 4);
        if count == 4 && self.fails {
            return Err(EvalError { code: "sim".into(), message: "no list".into(), hint: String::new() });
        }
        Ok((0..count).map(|item| item.to_string()).collect())
    }

    fn with(&self, _: &Plan, _: Target<'_>, _: &dyn Outputs) -> Result<serde_json::Value, EvalError> {
        Ok(serde_json::Value::Null)
    }

    fn labels(&self, plan: &Plan, target: Target<'_>, _: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        Ok(plan.spec().extras.runs_on(target.step).into_iter().map(str::to_owned).collect())
    }
}

/// A number of a step that an amendment does not change.
fn named(plan: &Plan, step: StepIx) -> u64 {
    plan.step(step).name.bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_003)
}
