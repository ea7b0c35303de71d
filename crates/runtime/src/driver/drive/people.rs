//! What people ask of a run that goes on, and what other runs want of it: taken from the desk between two decisions.

use engine::{Command, Event, Input, Record, SiteIx, TakeOut};

use super::{DriveError, Loop};
use crate::driver::amend;
use crate::driver::desk::Found;
use crate::driver::request::{Reply, Request};
use crate::ports::JournalError;

impl Loop<'_> {
    /// Acts on what a look at the desk found. A store that does not answer is borne with, as for the lease.
    pub(super) fn attend(&mut self, found: Result<Found, JournalError>) -> Result<(), DriveError> {
        let found = match found {
            Ok(found) => found,
            Err(error @ JournalError::Unavailable { .. }) => {
                tracing::warn!(%error, run = self.name, "the mailbox could not be read");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for (instance, grant) in found.grants {
            let (slots, sharers) = (self.run.usable(instance, grant.slots), grant.participants);
            self.input(Input::Grant { instance, slots, sharers })?;
        }
        for posted in found.posted {
            self.command(posted.id, &posted.bytes)?;
        }
        Ok(())
    }

    fn command(&mut self, id: u64, bytes: &[u8]) -> Result<(), DriveError> {
        let refused = match Request::decode(bytes) {
            Some(request) if matches!(request.command, Command::Amend { .. }) => {
                self.amendments.push(id, request);
                return Ok(());
            }
            None => Some("the driver does not understand the request: it is of another version".to_owned()),
            Some(request) => self.verb(request)?,
        };
        self.reply(id, refused);
        Ok(())
    }

    /// Decides a verb; says why it was refused.
    fn verb(&mut self, request: Request) -> Result<Option<String>, DriveError> {
        let Request { plan, actor, reason, command } = request;
        if plan != self.run.plan().hash() {
            return Ok(Some("the run's plan was amended meanwhile; look again".to_owned()));
        }
        match self.input(Input::Command { actor, reason, command }) {
            Ok(_) => Ok(None),
            Err(DriveError::Rejected(rejection)) => Ok(Some(rejection.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Replaces the plan; nothing is on its way to the journal.
    pub(super) fn amend(&mut self, id: u64, request: Request) -> Result<(), DriveError> {
        let Command::Amend { plan } = &request.command else { return Ok(()) };
        let equipment = match amend::equipped(plan, self.drive.launcher, self.drive.equip) {
            Ok(equipment) => equipment,
            Err(why) => {
                self.reply(id, Some(why));
                return Ok(());
            }
        };
        let before = self.run.clone();
        let refused = self.verb(request)?;
        if refused.is_none() {
            self.amendments.came(&before, &self.run);
            self.equipment = equipment;
            if let Some(desk) = &mut self.desk {
                desk.forget_grants();
            }
        }
        self.reply(id, refused);
        Ok(())
    }

    fn reply(&mut self, id: u64, refused: Option<String>) {
        match (refused, &mut self.desk) {
            (Some(why), Some(desk)) => desk.answer(id, Reply::Refused(why).encode()),
            (Some(_), None) => {}
            (None, _) => self.replies.push_back(id),
        }
    }

    /// Lets the sites go that records say the run has given up.
    pub(super) fn let_go(&mut self, records: &[Record]) {
        let given_up = records.iter().filter_map(|record| match record.event {
            Event::TakenOut { site, how: TakeOut::Release | TakeOut::Exclude, .. } => Some(site),
            _ => None,
        });
        let sites: Vec<String> = given_up.map(|site| self.run.plan().spec().sites.id(site).to_owned()).collect();
        if let (false, Some(desk)) = (sites.is_empty(), &mut self.desk) {
            desk.let_go(sites);
        }
    }

    /// What an earlier driver gave up may still be held: it may have died in between.
    pub(super) fn let_go_of_what_left(&mut self) {
        let run = &self.run;
        let left = |site: &SiteIx| matches!(run.taken_out(*site), Some(TakeOut::Release | TakeOut::Exclude));
        let sites = (0..run.plan().site_count()).map(SiteIx).filter(left);
        let sites: Vec<String> = sites.map(|site| run.plan().spec().sites.id(site).to_owned()).collect();
        if let (false, Some(desk)) = (sites.is_empty(), &mut self.desk) {
            desk.let_go(sites);
        }
    }
}
