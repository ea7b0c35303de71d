//! The format of the file: its mark, its number and its tables.

use sqlx::{Row, SqliteConnection};

/// Number of the format that this version writes; it reads all up to it.
pub const FORMAT: u32 = 3;

/// The first format that has what runs share: sites, requests, pools.
pub(super) const SHARED_SINCE: u32 = 2;
/// The first format that has the history of drills.
pub(super) const DRILLS_SINCE: u32 = 3;
/// The first format that has who is at work on what.
pub(super) const CLAIMS_SINCE: u32 = 3;
/// The first format that tells runs whose driver is gone from others.
pub(super) const ABANDONED_SINCE: u32 = 3;
/// The first format that has how long journals were when they were left.
pub(super) const LEFT_SINCE: u32 = 3;

/// The first format that has orders and workers.
pub(super) const DISPATCH_SINCE: u32 = 3;

/// The first format in which runs can be given up.
pub(super) const DISCARDED_SINCE: u32 = 3;

/// `PRAGMA application_id` of a journal: "rein".
const APPLICATION: i64 = 0x7265_696e;

/// Bits of a row's ID below the run's: the number of a group.
pub(super) const GROUP_BITS: u32 = 40;
/// Bits of a row's ID below the run's: the part of a plan.
pub(super) const PART_BITS: u32 = 20;

// Rows are keyed by one integer, the run's ID above the number, so that each table is one tree without a second index
// and a group is appended at the end of its run's range.
const TABLES_1: &str = "
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        plan_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL, -- milliseconds since the epoch
        plan_size INTEGER NOT NULL,  -- bytes
        checksum BLOB NOT NULL       -- of all of this and the plan
    ) STRICT;
    CREATE TABLE plans (
        id INTEGER PRIMARY KEY,      -- run << 20 | part
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE leases (
        run INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL,
        holder TEXT NOT NULL,        -- for people
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        born TEXT,                   -- boot, namespace and start of the process, if the host tells
        expires_at INTEGER NOT NULL  -- milliseconds since the epoch
    ) STRICT;
    CREATE TABLE groups (
        id INTEGER PRIMARY KEY,      -- run << 40 | seq
        epoch INTEGER NOT NULL,
        checksum BLOB NOT NULL,      -- of the run's name, seq, epoch and bytes
        bytes BLOB NOT NULL
    ) STRICT;
    PRAGMA application_id = 1919248750;
";

// What format 2 added. Nothing of format 1 changed, so a driver of an older version that has the file open goes on.
const TABLES_2: &str = "
    CREATE TABLE held_sites (
        estate TEXT NOT NULL,
        site TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (estate, site)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: posters keep it
        run INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, -- milliseconds since the epoch; the smallest number if it was withdrawn
        taken_by INTEGER,            -- epoch
        bytes BLOB NOT NULL,
        answer BLOB
    ) STRICT;
    CREATE INDEX open_requests ON requests (run) WHERE answer IS NULL;
    CREATE TABLE shares (
        estate TEXT NOT NULL,
        pool TEXT NOT NULL,
        key TEXT NOT NULL,
        run INTEGER NOT NULL,
        slots INTEGER NOT NULL,      -- limit of the pool, as the run's plan has it
        held INTEGER NOT NULL,       -- granted or used, whichever is more
        want INTEGER NOT NULL,       -- capped at the limit
        unit INTEGER NOT NULL,       -- what one unit of the run takes, at most
        PRIMARY KEY (estate, pool, key, run)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 2;
";

// What format 3 added, in tables of their own as well.
const TABLES_3: &str = "
    CREATE TABLE drills (
        drill TEXT NOT NULL,
        slot INTEGER NOT NULL,       -- milliseconds since the epoch, as all times
        run TEXT NOT NULL,
        claimed_at INTEGER NOT NULL,
        runbook_hash TEXT NOT NULL,
        ended_at INTEGER,            -- it and all below: NULL until the drill is over
        good INTEGER,
        proves INTEGER,              -- good, and nothing less than what was asked
        sites INTEGER,
        result BLOB,
        PRIMARY KEY (drill, slot)
    ) STRICT, WITHOUT ROWID;
    -- Whether somebody is to go on with the run if its lease is over and was not given back.
    ALTER TABLE leases ADD COLUMN goes_on INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE left_with (
        run INTEGER PRIMARY KEY,
        groups INTEGER NOT NULL      -- when its lease was last given back
    ) STRICT;
    CREATE TABLE claims (
        run INTEGER NOT NULL,
        subject TEXT NOT NULL,
        who TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,      -- from then on it is nobody's
        notes TEXT NOT NULL,         -- JSON: a list of who, at, text
        PRIMARY KEY (run, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE spent (             -- names of runs that were given up; systems restored know them
        name TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE discarded (         -- runs whose rows are being deleted; nobody else finds them
        run INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE workers (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: what an expired one had is not a newer one's
        name TEXT NOT NULL,
        labels TEXT NOT NULL,        -- JSON: a list
        slots INTEGER NOT NULL,
        version TEXT NOT NULL,
        drains INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE sent_orders (
        run INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL,      -- the newest that has sent orders or withdrawn those of others
        last INTEGER NOT NULL        -- it sends no order with this number or a lower one
    ) STRICT;
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: workers keep it
        run INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        number INTEGER NOT NULL,     -- the driver's, in this epoch
        unit TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        mode INTEGER NOT NULL,       -- 0 apply, 1 probe, 2 undo, 3 probe of the undo
        labels TEXT NOT NULL,        -- JSON: a list, sorted
        timeout_ms INTEGER NOT NULL,
        call BLOB NOT NULL,
        worker INTEGER,              -- who claimed it; 0 where it was taken back
        fate INTEGER NOT NULL,       -- 0 open, 1 answered, 2 lost, 3 withdrawn, 4 taken back
        answer BLOB
    ) STRICT;
    CREATE INDEX waiting_orders ON orders (id) WHERE worker IS NULL;
    CREATE INDEX orders_of ON orders (run, epoch, number);
    CREATE INDEX orders_at ON orders (worker) WHERE worker IS NOT NULL;
    CREATE INDEX drills_by_slot ON drills (slot, drill);
    CREATE INDEX open_drills ON drills (slot, drill) WHERE result IS NULL;
    CREATE INDEX open_drills_of ON drills (drill, slot) WHERE result IS NULL;
    CREATE INDEX good_drills ON drills (drill, ended_at, slot) WHERE proves;
    CREATE INDEX certificates ON drills (runbook_hash, ended_at, slot) WHERE proves;
    PRAGMA user_version = 3;
";

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A database without content, to be made a journal.
    Empty,
    /// A journal of a format that this version reads, with its number.
    Journal(u32),
    /// A journal of a newer format.
    Newer(u32),
    /// Something else.
    Foreign(String),
}

/// Looks at a file and changes nothing.
pub(super) async fn inspect(connection: &mut SqliteConnection) -> Result<Found, sqlx::Error> {
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id) AS application, \
         (SELECT user_version FROM pragma_user_version) AS format, \
         (SELECT count(*) FROM sqlite_schema) AS objects",
    )
    .persistent(false)
    .fetch_one(connection)
    .await?;
    let (application, format, objects): (i64, i64, i64) =
        (row.try_get("application")?, row.try_get("format")?, row.try_get("objects")?);
    Ok(match (application, u32::try_from(format)) {
        (APPLICATION, Ok(known @ 1..=FORMAT)) => Found::Journal(known),
        (APPLICATION, Ok(newer)) if newer > FORMAT => Found::Newer(newer),
        (0, Ok(0)) if objects == 0 => Found::Empty,
        _ => Found::Foreign(format!(
            "a database of another program (application_id {application}, user_version {format}, {objects} objects)"
        )),
    })
}

/// Makes an empty database or a journal of an older format one of this format, in one transaction; leaves what another
/// process made in the meantime alone.
pub(super) async fn make(connection: &mut SqliteConnection) -> Result<Found, sqlx::Error> {
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let found = inspect(connection).await?;
    match found {
        Found::Empty => {
            sqlx::raw_sql(TABLES_1).execute(&mut *connection).await?;
            sqlx::raw_sql(TABLES_2).execute(&mut *connection).await?;
            sqlx::raw_sql(TABLES_3).execute(&mut *connection).await?;
        }
        Found::Journal(1) => {
            sqlx::raw_sql(TABLES_2).execute(&mut *connection).await?;
            sqlx::raw_sql(TABLES_3).execute(&mut *connection).await?;
        }
        Found::Journal(2) => {
            sqlx::raw_sql(TABLES_3).execute(&mut *connection).await?;
        }
        found => {
            sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
            return Ok(found);
        }
    }
    sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
    Ok(Found::Journal(FORMAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_carry_the_mark_and_the_number() {
        assert!(TABLES_1.contains(&format!("application_id = {APPLICATION};")));
        assert!(TABLES_2.contains(&format!("user_version = {SHARED_SINCE};")));
        assert!(TABLES_3.contains(&format!("user_version = {FORMAT};")));
        assert!(TABLES_1.contains(&format!("run << {GROUP_BITS} | seq")));
        assert!(TABLES_1.contains(&format!("run << {PART_BITS} | part")));
    }
}
