//! What can be wrong with a journal, in words for people.

use std::borrow::Cow;

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A run of that name exists.
    #[error("run {0} exists already")]
    Exists(String),
    /// A run of that name was deleted; its name stays taken.
    #[error("run {0} was deleted, and its name stays taken")]
    Spent(String),
    /// No run of that name exists.
    #[error("there is no run {0}")]
    NoSuchRun(String),
    /// Somebody else drives the run.
    #[error("run {run} is driven by {holder}")]
    Held {
        /// The run.
        run: String,
        /// Who holds the lease.
        holder: String,
    },
    /// A newer lease exists: this process must stop driving.
    #[error("run {run} was taken over: epoch {epoch} is not the newest")]
    Fenced {
        /// The run.
        run: String,
        /// The stale epoch.
        epoch: u64,
    },
    /// Another number comes next: somebody else appended, or the caller lost count.
    #[error("group {expected} is not the next one of run {run}")]
    Conflict {
        /// The run.
        run: String,
        /// The expected number.
        expected: u64,
    },
    /// Another run holds a site that was asked for.
    #[error("site {site} is held by run {run}{}", more_held(*.more))]
    SiteHeld {
        /// The first of them.
        site: String,
        /// The run that holds it.
        run: String,
        /// How many more of the sites are held, by this run or others.
        more: u64,
    },
    /// A request is not one that this epoch took, so it cannot answer it.
    #[error("request {id} was not taken by epoch {epoch} of run {run}")]
    NotTaken {
        /// The run.
        run: String,
        /// The epoch.
        epoch: u64,
        /// Number of the request.
        id: u64,
    },
    /// A worker is not, or no longer, enlisted: it expired, or was struck off.
    #[error("worker {0} is not enlisted, or no longer")]
    NotEnlisted(u64),
    /// The address names no kind of store that this version can open.
    #[error("{0} is not a store that this version can open")]
    Unsupported(String),
    /// The store was written by a newer version.
    #[error("the store has format {found}, this version reads up to {known}")]
    NewerFormat {
        /// Found.
        found: u32,
        /// Known.
        known: u32,
    },
    /// The stored data is damaged.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// No space is left; nothing of the group was kept.
    #[error("no space left for the journal at {0}")]
    Full(String),
    /// The store cannot be written.
    #[error("the journal at {0} is read-only")]
    ReadOnly(String),
    /// The store cannot be reached or answered with an error.
    #[error("the journal is not available: {context}")]
    Unavailable {
        /// What was tried.
        context: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl JournalError {
    /// Returns the stable code that programs and documentation use; it never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "journal-exists",
            Self::Spent(_) => "journal-name-spent",
            Self::NoSuchRun(_) => "journal-no-such-run",
            Self::Held { .. } => "journal-held",
            Self::Fenced { .. } => "journal-fenced",
            Self::Conflict { .. } => "journal-conflict",
            Self::SiteHeld { .. } => "journal-site-held",
            Self::NotTaken { .. } => "journal-not-taken",
            Self::NotEnlisted(_) => "journal-not-enlisted",
            Self::Unsupported(_) => "journal-unsupported",
            Self::NewerFormat { .. } => "journal-newer-format",
            Self::Corrupt(_) => "journal-corrupt",
            Self::Full(_) => "journal-full",
            Self::ReadOnly(_) => "journal-read-only",
            Self::Unavailable { .. } => "journal-unavailable",
        }
    }

    /// Whether it may pass by itself: the store is away or full for a while, and what was asked can be asked again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full(_))
    }

    /// Returns what a person can do about it, as one sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::SiteHeld { run, .. } => {
                return Cow::Owned(format!(
                    "wait until run {run} has ended, or take these sites off the list; if nobody will go on with run {run}, \
                     release its sites or adopt them"
                ));
            }
            Self::Exists(_) => "choose another name, or resume the run of that name",
            Self::Spent(_) => {
                "choose another name: systems that were restored know what this one has done, and would do nothing"
            }
            Self::NoSuchRun(_) => "`reinstate runs` lists the runs of this store; name another one with --store",
            Self::Held { .. } => "stop that process, or wait until its lease expires, then resume",
            Self::Fenced { .. } => "leave the run to the process that took it over; this one must not go on",
            Self::Conflict { .. } => "resume the run: it goes on from what the journal holds",
            Self::NotTaken { .. } => "leave the request alone: it was withdrawn, or another driver took it",
            Self::NotEnlisted(_) => {
                "let it enlist anew: what it had was given up for lost, and is looked at before anything is done again"
            }
            Self::Unsupported(_) => {
                "use sqlite:PATH or postgres://USER@HOST/DATABASE; the password may be in PGPASSWORD"
            }
            Self::NewerFormat { .. } => "use the newer version of reinstate that wrote it; nothing was changed",
            Self::Corrupt(_) => {
                "keep the store (a file and its -wal, or a dump of the schema) for inspection, check the disk, and go on from a \
                 backup copy of it"
            }
            Self::Full(_) => "free some space there, then resume; all that was acknowledged is kept",
            Self::ReadOnly(_) => {
                "make it writable for this user (a file and its folder; in PostgreSQL the grants of the guide, on the primary), \
                 then resume"
            }
            Self::Unavailable { .. } => "remove the cause, then resume; all that was acknowledged is kept",
        })
    }
}

fn more_held(more: u64) -> String {
    match more {
        0 => String::new(),
        more => format!("; {more} more of these sites are held as well"),
    }
}
