//! What is made from a plan to execute it. An amended run is equipped anew.

use std::sync::Arc;

use engine::{Evaluator, Plan};

use crate::ports::SecretSource;

/// What executes the expressions of a plan and reads its secrets.
#[derive(Clone)]
pub struct Equipment {
    /// Answers questions about expressions.
    pub evaluator: Arc<dyn Evaluator>,
    /// Reads the secrets that the plan's estate declares.
    pub secrets: Arc<dyn SecretSource>,
}

/// Makes the equipment for a plan: the run's first, and each that an amendment brings.
pub trait Equip: Send + Sync {
    /// Equips a plan.
    ///
    /// # Errors
    /// Says, for people, why the plan cannot be executed; nothing has been started then.
    fn equip(&self, plan: &Plan) -> Result<Equipment, String>;
}

impl<F: Fn(&Plan) -> Result<Equipment, String> + Send + Sync> Equip for F {
    fn equip(&self, plan: &Plan) -> Result<Equipment, String> {
        self(plan)
    }
}
