//! What the shell asks of the world.

mod claims;
mod clock;
mod connector;
mod coordination;
mod dispatch;
mod drills;
mod journal;
mod journal_error;
mod logs;
mod preflight;
mod retention;

pub use claims::{ClaimNote, Claims, NOTES_KEPT, ToClaim, WorkClaim};
pub use clock::Clock;
pub use connector::{Call, Connector, Probed, SecretSource, SecretText};
pub use coordination::{Fate, Grant, HeldSite, KEPT_MS, Mailbox, Posted, RunCopy, SharedPools, SiteLocks, Store, Want};
pub use dispatch::{
    ClaimedOrder, Dispatch, LeftOrder, LivingWorker, Order, OrderAnswer, OrderFate, Settled, WaitingOrders, Worker,
};
pub use drills::{DrillClaim, DrillEntry, DrillResult, Drills};
pub use journal::{Appended, Holder, Journal, Lease, RunHead, RunSummary, StoredGroup};
pub use journal_error::JournalError;
pub use logs::{AttemptLogs, LINE_WEIGHT, LogHead, LogLine, LogPiece, LogTally, Voice};
pub use preflight::{Claim, Finding, Intent, Severity, Source};
pub use retention::Retention;
