//! The format of the schema: its mark, its number and its tables.

use sqlx::{PgConnection, Row};

use super::sql;

/// Number of the format that this version writes; it reads all up to it.
pub const POSTGRES_FORMAT: u32 = FORMATS.len() as u32;

/// What each format added to the one before; a schema is brought forward in one transaction. `{s}` is the schema.
///
/// Texts are kept as their bytes: to the letter, in the order of their bytes, whatever the database's collation.
/// `convert_from(name, 'UTF8')` shows them. There are no foreign keys: their checks would lock rows of `runs`.
const FORMATS: [&str; 1] = ["
    CREATE TABLE {s}.store (
        program text NOT NULL,         -- the mark: 'reinstate'
        format bigint NOT NULL,
        posted bigint NOT NULL         -- number of the last request
    );
    CREATE FUNCTION {s}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
        AS 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
    CREATE TABLE {s}.runs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name bytea NOT NULL UNIQUE,
        plan_hash bytea NOT NULL,
        created_at bigint NOT NULL,    -- milliseconds since the epoch, as all times
        plan_size bigint NOT NULL,     -- bytes
        checksum bytea NOT NULL        -- of all of this and the plan
    ) WITH (fillfactor = 80);
    CREATE TABLE {s}.plans (
        run bigint NOT NULL,
        part bigint NOT NULL,
        bytes bytea NOT NULL,
        PRIMARY KEY (run, part)
    );
    CREATE TABLE {s}.positions (       -- one row a run, which every append counts on: room for its versions in the page
        run bigint PRIMARY KEY,
        next bigint NOT NULL,          -- number of the next group
        epoch bigint NOT NULL,         -- 0: never driven
        expires_at bigint NOT NULL,
        goes_on boolean NOT NULL,      -- whether somebody is to go on if the lease is over and was not given back
        holder bytea NOT NULL          -- for people
    ) WITH (fillfactor = 40);
    CREATE TABLE {s}.groups (
        run bigint NOT NULL,
        seq bigint NOT NULL,
        epoch bigint NOT NULL,
        checksum bytea NOT NULL,       -- of the run's name, seq, epoch and bytes
        bytes bytea NOT NULL,
        PRIMARY KEY (run, seq)
    );
    CREATE TABLE {s}.held_sites (
        estate bytea NOT NULL,
        site bytea NOT NULL,
        run bigint NOT NULL,
        PRIMARY KEY (estate, site)
    );
    CREATE INDEX held_sites_of ON {s}.held_sites (run);
    CREATE TABLE {s}.requests (
        id bigint PRIMARY KEY,         -- from `store`: a sequence may give numbers out of order
        run bigint NOT NULL,
        expires_at bigint NOT NULL,    -- the smallest number if it was withdrawn
        taken_by bigint,               -- epoch
        bytes bytea NOT NULL,
        answer bytea
    );
    CREATE INDEX requests_of ON {s}.requests (run, expires_at);
    CREATE INDEX open_requests ON {s}.requests (run, id) WHERE answer IS NULL;
    CREATE TABLE {s}.estates (         -- whose shares are being divided: a lock, and no more
        estate bytea PRIMARY KEY,
        turn bigint NOT NULL
    ) WITH (fillfactor = 40);
    CREATE TABLE {s}.shares (
        estate bytea NOT NULL,
        pool bytea NOT NULL,
        key bytea NOT NULL,
        run bigint NOT NULL,
        epoch bigint NOT NULL,         -- of the lease that it belongs to; another one's counts for nothing
        slots bigint NOT NULL,         -- limit of the pool, as the run's plan has it
        held bigint NOT NULL,          -- granted or used, whichever is more
        want bigint NOT NULL,          -- capped at the limit
        unit bigint NOT NULL,          -- what one unit of the run takes, at most
        PRIMARY KEY (estate, pool, key, run)
    ) WITH (fillfactor = 40);
    CREATE INDEX shares_of ON {s}.shares (run);
    CREATE TABLE {s}.drills (
        drill bytea NOT NULL,
        slot bigint NOT NULL,
        run bytea NOT NULL,
        claimed_at bigint NOT NULL,
        runbook_hash bytea NOT NULL,
        ended_at bigint,               -- it and all below: NULL until the drill is over
        good boolean,
        proves boolean,                -- good, and nothing less than what was asked
        sites bigint,
        result bytea,
        PRIMARY KEY (drill, slot)
    );
    CREATE TABLE {s}.claims (
        run bigint NOT NULL,
        subject bytea NOT NULL,
        who bytea NOT NULL,
        since bigint NOT NULL,
        until bigint NOT NULL,         -- from then on it is nobody's
        notes bytea NOT NULL,          -- JSON: a list of who, at, text
        PRIMARY KEY (run, subject)
    );
    CREATE TABLE {s}.workers (         -- a beat writes one row, and changes nothing indexed
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never given twice
        name bytea NOT NULL,
        labels text[] NOT NULL,        -- each in hexadecimal digits
        slots bigint NOT NULL,
        version bytea NOT NULL,
        drains boolean NOT NULL,
        expires_at bigint NOT NULL
    -- A beat that finds its page full leaves it. What is left is too little for the server to look after by itself.
    ) WITH (fillfactor = 40, autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0);
    CREATE TABLE {s}.sent_orders (     -- made with the run, so that whoever changes its orders has a row to wait for
        run bigint PRIMARY KEY,
        epoch bigint NOT NULL,         -- the newest that has sent orders or withdrawn those of others
        last bigint NOT NULL           -- it sends no order with this number or a lower one
    ) WITH (fillfactor = 40);
    CREATE TABLE {s}.orders (          -- an answer changes nothing indexed: room for its version in the page
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never given twice: workers keep it
        run bigint NOT NULL,
        epoch bigint NOT NULL,
        number bigint NOT NULL,        -- the driver's, in this epoch
        unit bytea NOT NULL,
        attempt bigint NOT NULL,
        mode bigint NOT NULL,          -- 0 apply, 1 probe, 2 undo, 3 probe of the undo
        labels text[] NOT NULL,        -- each in hexadecimal digits, sorted
        timeout_ms bigint NOT NULL,
        call bytea NOT NULL,
        worker bigint,                 -- who claimed it; 0 where it was taken back
        fate bigint NOT NULL,          -- 0 open, 1 answered, 2 lost, 3 withdrawn, 4 taken back
        answer bytea
    ) WITH (fillfactor = 60);
    CREATE INDEX waiting_orders ON {s}.orders (id) WHERE worker IS NULL;
    CREATE INDEX orders_of ON {s}.orders (run, epoch, number);
    CREATE INDEX claimed_orders ON {s}.orders (worker) WHERE worker IS NOT NULL;
    CREATE TABLE {s}.spent (           -- names of runs that were given up; systems restored know them
        name bytea PRIMARY KEY
    );
    CREATE TABLE {s}.discarded (       -- runs whose rows are being deleted; nobody else finds them
        run bigint PRIMARY KEY
    );
    CREATE TABLE {s}.log_weights (
        run bigint PRIMARY KEY,
        weight bigint NOT NULL         -- bytes of its lines, each with what it counts beyond its text
    ) WITH (fillfactor = 40);
    CREATE TABLE {s}.logs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run bigint NOT NULL,
        unit bytea NOT NULL,
        attempt bigint NOT NULL,
        lines bigint NOT NULL,         -- written, whatever became of them
        bytes bigint NOT NULL,
        cut_lines bigint NOT NULL,
        cut_bytes bigint NOT NULL,
        beyond bigint NOT NULL,
        lost bigint NOT NULL,
        UNIQUE (run, unit, attempt)
    ) WITH (fillfactor = 70);
    CREATE TABLE {s}.lines (
        log bigint NOT NULL,
        number bigint NOT NULL,
        at bigint NOT NULL,
        voice bigint NOT NULL,
        text bytea NOT NULL,
        PRIMARY KEY (log, number)
    );
    CREATE INDEX drills_by_slot ON {s}.drills (slot, drill);
    CREATE INDEX open_drills ON {s}.drills (slot, drill) WHERE result IS NULL;
    CREATE INDEX open_drills_of ON {s}.drills (drill, slot) WHERE result IS NULL;
    CREATE INDEX good_drills ON {s}.drills (drill, ended_at, slot) WHERE proves;
    CREATE INDEX certificates ON {s}.drills (runbook_hash, ended_at, slot) WHERE proves;
"];

/// What a schema is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is no such schema; it and the store are to be made.
    Missing,
    /// A schema without tables, to be made a store.
    Empty,
    /// A store of a format that this version reads, with its number.
    Store(u32),
    /// A store of a newer format.
    Newer(u32),
    /// Something else.
    Foreign(String),
}

/// Looks at a schema and changes nothing. `schema` is its name in quotes.
pub(super) async fn inspect(connection: &mut PgConnection, schema: &str) -> Result<Found, sqlx::Error> {
    let name = sql::text(schema.trim_matches('"'));
    let tables = format!(
        "SELECT count(DISTINCT n.oid) AS schemas, count(c.oid) AS tables, \
         count(CASE WHEN c.relname = 'store' THEN 1 END) AS marks FROM pg_catalog.pg_namespace n \
         LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
         WHERE n.nspname = convert_from({name}, 'UTF8')"
    );
    let answers = sql::send(connection, tables).await?;
    let row = answers.first().and_then(|answer| answer.rows.first()).ok_or(sqlx::Error::RowNotFound)?;
    let (schemas, tables, marks): (i64, i64, i64) =
        (row.try_get("schemas")?, row.try_get("tables")?, row.try_get("marks")?);
    let foreign = || Found::Foreign(format!("a schema with {tables} tables of another program"));
    if marks == 0 {
        return Ok(match (schemas, tables) {
            (0, _) => Found::Missing,
            (_, 0) => Found::Empty,
            _ => foreign(),
        });
    }
    let mark = sql::send(connection, format!("SELECT program, format FROM {schema}.store")).await;
    let answers = match mark {
        // Another program's table of that name has other columns.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42703") => return Ok(foreign()),
        mark => mark?,
    };
    let Some(row) = answers.first().and_then(|answer| answer.rows.first()) else { return Ok(foreign()) };
    let (Ok(program), Ok(format)) = (row.try_get::<&str, _>("program"), row.try_get::<i64, _>("format")) else {
        return Ok(foreign());
    };
    Ok(match (program, u32::try_from(format)) {
        ("reinstate", Ok(known @ 1..=POSTGRES_FORMAT)) => Found::Store(known),
        ("reinstate", Ok(newer)) if newer > POSTGRES_FORMAT => Found::Newer(newer),
        _ => foreign(),
    })
}

/// The one message, and therefore transaction, that makes what was found a store of this format. It fails if another
/// process does so at the same time: both want the same names.
pub(super) fn make(schema: &str, found: &Found) -> String {
    let mut message = sql::changing();
    let from = match found {
        Found::Store(format) => *format,
        // A schema that is there needs no right to make schemas.
        Found::Missing => {
            message.push_str(&format!("CREATE SCHEMA {schema};\n"));
            0
        }
        _ => 0,
    };
    for tables in FORMATS.iter().skip(from as usize) {
        message.push_str(&tables.replace("{s}", schema));
    }
    message.push_str(&match from {
        0 => format!("INSERT INTO {schema}.store VALUES ('reinstate', {POSTGRES_FORMAT}, 0)"),
        from => format!("UPDATE {schema}.store SET format = {POSTGRES_FORMAT} WHERE format = {from}"),
    });
    message
}
