//! The shell around the engine: the ports to the world and the one driver loop.
//!
//! Architecture invariant: no adapter is known here, no YAML, no SQL.

mod attempt;
mod clock;
mod drill;
mod driver;
mod fair;
mod log;
mod memory;
mod ports;
mod retention;
mod worker;

pub use clock::{ManualClock, SystemClock};
pub use drill::{Conduct, ConductError, Conducted, DrillObserver, DrillPlans, DrillRuns, conduct, open_drill};
pub use driver::{
    Drive, DriveEnd, DriveError, Equip, Equipment, Launcher, Observer, RecoverError, Recovered, Reply, Request,
    Settings, Tail, Verified, created, drive, open, recover, verify,
};
pub use engine;
pub use fair::{Party, fair_grant};
pub use log::{Log, LogBook};
pub use memory::MemoryJournal;
pub use ports::{
    Appended, AttemptLogs, Call, Claim, ClaimNote, ClaimedOrder, Claims, Clock, Connector, Dispatch, DrillClaim,
    DrillEntry, DrillResult, Drills, Fate, Finding, Grant, HeldSite, Holder, Intent, Journal, JournalError, KEPT_MS,
    LINE_WEIGHT, Lease, LeftOrder, LivingWorker, LogHead, LogLine, LogPiece, LogTally, Mailbox, NOTES_KEPT, Order,
    OrderAnswer, OrderFate, Posted, Probed, Retention, RunCopy, RunHead, RunSummary, SecretSource, SecretText, Settled,
    Severity, SharedPools, SiteLocks, Source, Store, StoredGroup, ToClaim, Voice, WaitingOrders, Want, WorkClaim,
    Worker,
};
pub use retention::{Judged, Pruning, free_all};
pub use worker::{Hands, LEASE_MAX_MS, WorkerError, WorkerSettings, Working, work};
