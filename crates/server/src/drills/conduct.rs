//! A drill taking place in this process: claimed, conducted, judged and kept. The command line and the scheduler do it
//! alike.

use std::sync::Arc;

use engine::{Millis, Plan};
use report::DrillReport;
use runtime::{
    Clock, Conduct, Connector, DrillClaim, DrillEntry, DrillObserver, DrillRuns, Equipment, JournalError, Settings,
};
use tokio_util::sync::CancellationToken;

use crate::drills::chaos::Chaos;
use crate::drills::judge::judge;
use crate::drills::trouble::of_conduct;
use crate::drills::{DrillError, ReadyDrill};
use crate::drivers::{Kit, holder};

/// A claim that is no older may be that of a process which has not come to its first record yet.
const FRESH_MS: Millis = 60_000;

/// Conducts drills in this process.
pub struct Conductor<'a> {
    /// What runs are driven with.
    pub kit: &'a Kit,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Who that is in the journals.
    pub actor: &'a str,
    /// Sees what became durable.
    pub observer: &'a mut dyn DrillObserver,
    /// Cancelled when a drill is to be called off; it is cleaned up all the same.
    pub stop: CancellationToken,
}

impl Conductor<'_> {
    /// Ends a drill whose process was lost: what has not ended is called off, then cleaned up and judged.
    ///
    /// # Errors
    /// [`DrillError::Elsewhere`] if another process conducts it, or may be about to; else if its journals cannot be read or
    /// written.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping it is like a crash.
    pub async fn end(&mut self, entry: &DrillEntry) -> Result<DrillReport, DrillError> {
        let claim = &entry.claim;
        // The clock of another machine may be a little ahead.
        if (self.clock.now() - claim.at).abs() < FRESH_MS && !self.begun(claim).await? {
            let holder = "the process that claimed it".to_owned();
            return Err(DrillError::Elsewhere { run: claim.run.clone(), holder });
        }
        let kit = self.kit;
        let troubles = self.conduct(claim, false, &kit.connectors).await?;
        judge(&*kit.store, claim, &troubles, None, self.clock.now()).await
    }

    /// Has a drill take place: its slot is claimed, it is conducted, with chaos if its plan asks for that, judged and kept.
    /// What `stop` calls off is cleaned up all the same.
    ///
    /// # Errors
    /// [`DrillError::Claimed`] if the slot was seen to by another process. If another run holds one of its sites, the
    /// history says so. Else if its journals cannot be read or written: it is ended later, like one whose process was
    /// lost.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping it is like a crash.
    pub async fn take_place(&mut self, ready: &ReadyDrill) -> Result<DrillReport, DrillError> {
        self.claimed(ready).await?;
        let (kit, claim) = (self.kit, &ready.claim);
        let chaos = Chaos::of(&ready.plans.run);
        let troubles = match &chaos {
            Some(chaos) => self.conduct(claim, true, &chaos.around(&claim.run, &kit.connectors)).await?,
            None => self.conduct(claim, true, &kit.connectors).await?,
        };
        judge(&*kit.store, claim, &troubles, chaos.map(|chaos| chaos.told()), self.clock.now()).await
    }

    /// Claims a slot and creates the runs.
    async fn claimed(&mut self, ready: &ReadyDrill) -> Result<(), DrillError> {
        let (store, claim) = (&*self.kit.store, &ready.claim);
        match runtime::open_drill(store, claim, &ready.plans).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(DrillError::Claimed(claim.drill.clone())),
            Err(error) => {
                // Nothing was done; the history says so.
                judge(store, claim, &[error.to_string()], None, self.clock.now()).await?;
                Err(error.into())
            }
        }
    }

    /// Writes into the history that nothing came of a slot, and why.
    ///
    /// # Errors
    /// If the slot was claimed before, or the store fails.
    ///
    /// # Cancel safety
    /// Dropping the future may leave a claim of which nothing came: it is ended like a drill whose process was lost.
    pub async fn came_to_nothing(&mut self, claim: &DrillClaim, why: String) -> Result<DrillReport, DrillError> {
        if !self.kit.store.claim_drill(claim).await? {
            return Err(DrillError::Claimed(claim.drill.clone()));
        }
        judge(&*self.kit.store, claim, &[why], None, self.clock.now()).await
    }

    async fn conduct(
        &mut self,
        claim: &DrillClaim,
        begins: bool,
        connectors: &[Arc<dyn Connector>],
    ) -> Result<Vec<String>, DrillError> {
        let kit = self.kit;
        let conduct = Conduct {
            store: &*kit.store,
            holder: holder(),
            actor: self.actor.to_owned(),
            equip: &|plan: &Plan| -> Result<Equipment, String> { kit.equip(plan) },
            launcher: &|| kit.launcher(connectors),
            clock: self.clock,
            observer: &mut *self.observer,
            stop: self.stop.clone(),
            settings: Settings::default(),
        };
        let conducted = runtime::conduct(conduct, &claim.run, begins).await;
        Ok(conducted.map_err(|error| of_conduct(&claim.run, error))?.troubles)
    }

    /// Whether anything of a drill is in a journal.
    async fn begun(&mut self, claim: &DrillClaim) -> Result<bool, DrillError> {
        for run in DrillRuns::of(&claim.run).all() {
            match self.kit.store.load(&run, 0, 1).await {
                Ok(groups) if groups.is_empty() => {}
                Ok(_) => return Ok(true),
                Err(JournalError::NoSuchRun(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }
}
