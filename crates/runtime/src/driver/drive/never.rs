//! Attempts that surely never began, and what an earlier drive has left: neither is in doubt.

use std::collections::HashMap;

use engine::{Input, Rejection, UnitIx};

use super::{DriveError, Loop};
use crate::driver::launch::Start;
use crate::driver::orders::answered;
use crate::ports::{LeftOrder, OrderFate};

impl Loop<'_> {
    /// Tells the engine of the end of an attempt; says whether anything came of it.
    pub(super) fn tell(&mut self, input: Input) -> Result<bool, DriveError> {
        match self.input(input) {
            // It has answered after all; the run has gone on without it.
            Err(DriveError::Rejected(Rejection::Stale { .. })) => Ok(false),
            told => told,
        }
    }

    /// Notes that nobody has begun an attempt whose start is durable, and nobody will.
    pub(super) fn never_began(&mut self, start: &Start) -> Result<(), DriveError> {
        let Some(unit) = self.amendments.now(start.unit, start.amendments) else { return Ok(()) };
        self.tell(Input::NotBegun { unit, attempt: start.attempt, mode: start.mode }).map(drop)
    }

    /// Tells the engine what surely became of orders that an earlier drive has left, before all else that was in flight is in
    /// doubt. What is told is durable before the orders are withdrawn: if this process dies in between, the next one learns
    /// the same.
    pub(super) async fn settle_left(&mut self) -> Result<(), DriveError> {
        let Some(orders) = self.orders.as_mut().filter(|_| self.run.in_flight() > 0) else { return Ok(()) };
        // A store that cannot say is one that cannot take what is decided next, either: the drive ends, and nothing is guessed.
        let left = orders.left().await?;
        let units: HashMap<String, UnitIx> =
            self.run.pending().map(|pending| (self.run.unit_key(pending.unit), pending.unit)).collect();
        for LeftOrder { unit, attempt, mode, fate } in left {
            let Some(&unit) = units.get(&unit) else { continue };
            let told = match fate {
                OrderFate::Answered(bytes) => Input::Report { unit, attempt, mode, outcome: answered(&bytes) },
                OrderFate::TakenBack => Input::NotBegun { unit, attempt, mode },
                OrderFate::Lost => continue,
            };
            self.tell(told)?;
        }
        Ok(())
    }
}
