//! What the calls of one connector share.

use runtime::Log;

use super::address::Address;
use super::place::Place;
use super::transfer::Memory;
use super::web::Web;
use crate::answer::Trouble;

/// Most objects that one attempt has at work.
pub(super) const CONCURRENCY_MAX: usize = 256;

/// What the calls of one connector share.
pub(super) struct Context<'c> {
    pub(super) web: &'c Web,
    pub(super) memory: &'c Memory,
    pub(super) concurrency: usize,
    /// Of the attempt.
    pub(super) log: &'c Log,
}

impl Context<'_> {
    /// Opens a store; with `make`, its folder is made if missing.
    pub(super) fn open(&self, address: &Address, prefix: &str, make: bool) -> Result<Place, Trouble> {
        Place::open(address, prefix, make, self.web)
    }

    /// Returns how many objects are at work at the same time.
    pub(super) fn concurrency(&self, asked: Option<usize>) -> Result<usize, Trouble> {
        match asked {
            None => Ok(self.concurrency),
            Some(asked) if (1..=CONCURRENCY_MAX).contains(&asked) => Ok(asked),
            Some(asked) => {
                Err(Trouble::never("objects.invalid", format!("concurrency: {asked} is not 1 to {CONCURRENCY_MAX}")))
            }
        }
    }

    /// Insists that what is written to one place is not listed in the other; with versions both may be the same.
    pub(super) fn apart(&self, from: &Place, to: &Place, versions: bool) -> Result<(), Trouble> {
        if from.same(to) {
            return if versions {
                Ok(())
            } else {
                Err(Trouble::never("objects.invalid", format!("{}: `from` and `to` are the same place", to.shown))
                    .hint("with `at`, versions of its objects are put back"))
            };
        }
        if from.overlaps(to) {
            return Err(Trouble::never(
                "objects.invalid",
                format!("{}: one of `from` and `to` lies in the other", to.shown),
            )
            .hint("choose prefixes beside each other"));
        }
        Ok(())
    }
}
