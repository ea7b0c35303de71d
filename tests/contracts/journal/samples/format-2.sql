-- What format 2 adds to a file of format 1: run `b` (2) holds a site.
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
INSERT INTO held_sites VALUES ('prod', 's1', 2);
