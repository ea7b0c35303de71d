//! Ending what nobody is there to decide about: a run of a drill is called off, taken back, given up.

use engine::{Command, DrillPart, Event, Input, Record, Ruling, Run, Status};
use tokio_util::sync::CancellationToken;

use crate::drill::conduct::{Conduct, ConductError};
use crate::driver::{DriveEnd, recover};
use crate::ports::Lease;

/// How often units that wait for an operator are given up before the run is left as it stands.
const ROUNDS: u32 = 8;

impl Conduct<'_> {
    /// Calls a run off unless it has ended, and drives it to its end.
    pub(super) async fn close(
        &mut self,
        part: DrillPart,
        run: &str,
        why: &str,
        troubles: &mut Vec<String>,
    ) -> Result<(), ConductError> {
        let cancel = Command::Cancel { undo: false };
        if self.enact(run, None, &format!("the drill is called off: {why}"), &[cancel], troubles).await? {
            self.unstoppable(part, run, None, troubles).await?;
        }
        Ok(())
    }

    /// Takes a run back that has begun, if the drill says so, and unless it was taken back before.
    pub(super) async fn take_back(&mut self, run: &str, troubles: &mut Vec<String>) -> Result<(), ConductError> {
        let mut unwound = false;
        let seen = |_: &Run, record: &Record| unwound |= matches!(record.event, Event::Unwinding { .. });
        let found = recover(self.store, run, seen).await?.run;
        let wished = found.plan().spec().extras.drill.as_ref().is_some_and(|mark| mark.take_back);
        if !wished || found.opened_at().is_none() || (unwound && matches!(found.status(), Status::Ended(_))) {
            return Ok(());
        }
        let undo = Command::Cancel { undo: true };
        if unwound || self.enact(run, None, "the drill takes back what it did", &[undo], troubles).await? {
            self.unstoppable(DrillPart::Run, run, None, troubles).await?;
        }
        Ok(())
    }

    /// Drives a run to its end; what waits for an operator is given up.
    pub(super) async fn end(
        &mut self,
        part: DrillPart,
        run: &str,
        lease: Option<Lease>,
        troubles: &mut Vec<String>,
    ) -> Result<(), ConductError> {
        for _ in 0..ROUNDS {
            match self.drive(part, run, lease.clone(), troubles).await? {
                Some(DriveEnd::WaitsForOperator) => {}
                Some(DriveEnd::Ended(_) | DriveEnd::Stopped) | None => return Ok(()),
            }
            let found = recover(self.store, run, |_, _| {}).await?.run;
            let mut commands: Vec<Command> =
                found.for_operator().map(|unit| Command::Rule { unit, ruling: Ruling::GiveUp }).collect();
            if commands.is_empty() {
                // It is paused, or waits for an approval.
                commands.push(Command::Cancel { undo: false });
            }
            let reason = "nobody is there to decide: the drill gives it up";
            if !self.enact(run, lease.clone(), reason, &commands, troubles).await? {
                break;
            }
        }
        troubles.push(format!("run {run} could not be brought to an end"));
        Ok(())
    }

    /// Drives a run to its end although the drill was stopped: what is ended so is on its way out.
    async fn unstoppable(
        &mut self,
        part: DrillPart,
        run: &str,
        lease: Option<Lease>,
        troubles: &mut Vec<String>,
    ) -> Result<(), ConductError> {
        let stop = std::mem::replace(&mut self.stop, CancellationToken::new());
        let ended = self.end(part, run, lease, troubles).await;
        self.stop = stop;
        ended
    }

    /// Records commands in the journal of a run that nobody drives; those that it refuses are left out. Says whether the
    /// run has not ended then.
    async fn enact(
        &mut self,
        run: &str,
        lease: Option<Lease>,
        reason: &str,
        commands: &[Command],
        troubles: &mut Vec<String>,
    ) -> Result<bool, ConductError> {
        let own = match &lease {
            None => Some(self.store.acquire(run, &self.holder, self.settings.lease_ms).await?),
            Some(_) => None,
        };
        let Some(held) = lease.or(own.clone()) else { return Ok(false) };
        let enacted = self.enact_held(&held, reason, commands, troubles).await;
        if let Some(own) = &own {
            let _ = self.store.release(own).await;
        }
        enacted
    }

    async fn enact_held(
        &mut self,
        lease: &Lease,
        reason: &str,
        commands: &[Command],
        troubles: &mut Vec<String>,
    ) -> Result<bool, ConductError> {
        let recovered = recover(self.store, &lease.run, |_, _| {}).await?;
        let mut run = recovered.run;
        let undo = commands.iter().any(|command| matches!(command, Command::Cancel { undo: true }));
        if matches!(run.status(), Status::Ended(_)) && !undo {
            return Ok(false);
        }
        let evaluator = match self.equip.equip(run.plan()) {
            Ok(equipment) => equipment.evaluator,
            Err(why) => {
                troubles.push(format!("run {}: {why}", lease.run));
                return Ok(false);
            }
        };
        let at = self.clock.now().max(run.now());
        let mut inputs = Vec::new();
        if run.opened_at().is_none() {
            inputs.push(Input::Open { actor: self.actor.clone() });
        }
        inputs.extend(commands.iter().map(|command| Input::Command {
            actor: self.actor.clone(),
            reason: reason.to_owned(),
            command: command.clone(),
        }));
        let mut group = recovered.chain.writer();
        for input in inputs {
            // What is refused has come about by itself.
            for event in run.decide(at, input, &*evaluator).unwrap_or_default() {
                let record = Record { at, event };
                if let Err(error) = run.apply(&record) {
                    troubles.push(format!("run {}: {error}", lease.run));
                    return Ok(false);
                }
                group.push(&record);
            }
        }
        if !group.is_empty() {
            self.store.append(lease, recovered.next, &group.finish().bytes).await?;
        }
        Ok(!matches!(run.status(), Status::Ended(_)))
    }
}
