//! Longer texts of the help.

pub(super) const ABOUT: &str = "Put many deleted sites back, under their original IDs, from a YAML runbook";

pub(super) const LONG_ABOUT: &str = "\
Put many deleted sites back, under their original IDs, from a YAML runbook.

A runbook says which steps bring one site back and in which order; a list says which sites. `reinstate` restores them in \
parallel, batch by batch, and records every step in a journal, so that a run that was killed goes on where it was.

  reinstate demo                                        see it work, in a lab on this machine
  reinstate init restore.yaml                           start a runbook
  reinstate check restore.yaml --sites sites.csv        find every mistake before anything starts
  reinstate plan restore.yaml --sites sites.csv --estate estate.yaml
  reinstate simulate restore.yaml --sites sites.csv --estate estate.yaml
  reinstate run  restore.yaml --sites sites.csv --estate estate.yaml --plan HASH
  reinstate resume NAME                                 go on after a crash, a kill or Ctrl-C
  reinstate watch NAME                                  follow it on a full screen, approve, pause, retry
  reinstate serve --home DIR                            the same for programs and browsers, by HTTP
  reinstate status NAME                                 how it stands, and when it will be over
  reinstate why NAME SITE                               what holds a site up
  reinstate report NAME --format html --output report.html
  reinstate help                                        the guide, and what each error code means";

pub(super) const WATCH: &str = "\
Follow a run on a full screen and steer it.

Shows how the run stands, its sites, batches with their budgets, steps, pools, what waits for people \
and the latest events, with a forecast of the rest. It only reads: any number of people may watch, \
from the start or later, and leaving with `q` or Ctrl-C stops nothing. Whoever drives the run may \
die and be replaced meanwhile.

  reinstate watch april-1 --store sqlite:/var/lib/reinstate/runs.db

Up and down select what waits: approvals, steps in doubt or stuck, quarantined sites. Then

  a  approve    x  reject      r  retry    R  retry every quarantined site
  p  pause      c  continue    d  done     n  not done    g  give up (a step in doubt or stuck)

Each says first what it will touch and asks for a reason, which the journal keeps with your name; \
Enter sends it, Esc leaves it. It is the verb of the command line (`reinstate approve ...`), with \
the same rules and the same answers. `?` shows every key, Enter all that is known of the selected \
item, Tab the other pages.";

pub(super) const CLOSURE: &str = "\
Say of every table of a PostgreSQL database whose its rows are, and how they lead to the tenant.

It reads the system catalogue in one snapshot, changes nothing and reads no row of yours. From the table of the tenants \
(--root) it follows foreign keys to any depth, and gives each table a class with its reason:

  tenant     each row belongs to one tenant; the path is how. A row whose way ends in NULL is shared
  shared     rows that several tenants may use: plans, global users, countries
  derived    made from other rows: materialized views, tables that only triggers fill
  ephemeral  of use for a short time: unlogged tables, queues, sessions that lead to no tenant
  unknown    the catalogue does not say; a restore stops here until somebody declares it

  reinstate tenant closure --url postgres://me@db/shop --root tenants

What the catalogue does not say can be declared, in quotes for the shell's sake:

  --declare 'sessions=ephemeral'                      a class
  --declare 'addresses=tenant'                        rows that tenants' rows point at are theirs
  --declare 'notes(project_id)->projects(id)'         a reference without a foreign key
  --declare 'files(tenant_id,doc)->docs(tenant_id,id)'
  --declare 'votes(on_id)->issues(id) when on_type=Issue'   one table of a polymorphic reference

Where no foreign key says more, a column that is named and typed like one (project_id beside projects) counts; such \
paths say `by name only`, and --keys-only leaves them out. The exit code is 0 also with unknown tables.";

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done: succeeded, or clean
  1  could not do it: store, network, defect (the message says which)
  2  bad input: arguments, runbook, site list, estate
  3  the run ended with exceptions: some sites did not return cleanly
  4  the run failed, was aborted or cancelled
  5  the run waits for an operator
  6  stopped by a signal; `reinstate resume` goes on
  7  somebody else drives this run
  8  differences were found (`lab diff`)
  9  the drill was not good, or no good one has passed lately (`drill run`, `drill verify`)
  10  some sizes are slower than before (`bench restore --compare`)";

/// `tenant restore --help`.
pub(super) const TENANT_RESTORE: &str = "\
Put rows of tenants from a recovered copy back into a live PostgreSQL database, under their original IDs.

Which tables are a tenant's is found in the catalogue, as `reinstate tenant closure` shows it; a table of unknown class \
stops the restore. Both schemas are compared first. Each tenant goes in by one transaction together with its row in the \
ledger (reinstate.ledger in the live database): rows by COPY, every reference checked, all rows read back and compared \
with the copy by count and hash, the server's own counters compared with what was meant to be written. Whatever does not \
fit rolls that tenant back, and the others go on. Run twice, the second run finds the rows and writes nothing.

Triggers are kept quiet and keys are checked by set, which needs a superuser or, from PostgreSQL 15 on, \
GRANT SET ON PARAMETER session_replication_role. Sequences that stand behind the copy's are raised. Shared rows that are \
gone and needed are made again, with what went with them, and told. Rows of others are never written.

With --new-id one tenant comes back under another ID: numbered keys and UUIDs get new values, all that refers to them \
follows, and reinstate.id_map in the live database keeps old and new. What no catalogue knows of, IDs in JSON and text, is \
declared; an old ID that is found anywhere else stops it.

Exit code 0: all restored. 3: some were not, and why. 2: something is wrong with the arguments or schemas. With --dry-run \
3 means that something is in the way.

Examples:
  reinstate tenant restore --from postgres:///copy --to postgres://db/app --root accounts --id 42 --dry-run
  reinstate tenant restore --from URL --to URL --root sites --id A B C --max-latency 20ms --json
  reinstate tenant restore --from URL --to URL --root sites --id A --new-id B \\
    --remap-text 'comments(body)->issues(id)'
";

/// `bench restore --help`.
pub(super) const BENCH_RESTORE: &str = "\
How fast whole sites come back, what holds them up, and how long a larger restore will take.

A lab is built (`reinstate lab build`), sites of it are deleted, and samples of them are restored by the shipped runbook, \
through the engine and its journal, as `reinstate run` does it: every batch size with every size of the pools and every number \
of workers, fewer sites with the runbook's own pools, and each pool by itself with twice its slots. Before each run the lab is \
put back. A run counts only if every site returned; the first of each size is compared with the truth as `lab diff` does.

From this follow: sites an hour, rows and MB a second for each batch size, with their spread; where the time of a run goes \
(connectors, waiting for each pool, engine and journal, waits between batches); the pool that helps when it is larger; a model \
of how the time grows, with its error; from it the time of larger runs and the batch size to choose.

The folder of --out gets throughput.json, throughput.csv and throughput.html, which needs no network.

Examples:
  reinstate bench restore
  reinstate bench restore --backend postgres --sites 30,60 --batches 5,15,30 --out today
  reinstate bench restore --pools x0.5,x2 --rto 4h --check 883 --compare today/throughput.json";

/// `bench tenant --help`.
pub(super) const BENCH_TENANT: &str = "\
Rows a second of a tenant restore on PostgreSQL servers of the benchmark's own, against what can be done by hand.

A shared database of many tenants is made (12 tables, 27 foreign keys, 41 indexes, sizes as in life), and half of the \
tenants are deleted. Each contender puts them back into a fresh copy of it, with everything durable; afterwards the whole \
database is compared with what it was, outside of the measured time.

  ours     as `reinstate tenant restore` does it: a transaction a tenant, references checked, all rows read back
  hand     the best procedure known by hand: a transaction a tenant, COPY as text, references and hashes checked by set
  plain    COPY with foreign keys checked row by row, one connection, no proof
  ceiling  two large binary streams, nothing checked
  small    sites of fewer than 200 rows alone, on one connection, ours and by hand
  live     ours beside tenants in use, without and with --max-latency
  flat     what a row costs with few and with many sites

Takes minutes and some gigabytes of disk. It needs the server's programs (initdb, pg_ctl); for root they run as the user \
postgres. Exit code 1 also if a contender did not restore what was deleted.";

/// `bench store --help`.
pub(super) const BENCH_STORE: &str = "\
Whether a store stays small and fast while runs come and go.

With --soak the 30-step runbook of `bench engine` is run again and again, and old runs are given up as `runs prune` does. What \
is told: steps a second in each quarter of the time, and what each table took at most, with its dead rows.

With --history a week's units are done in seven days of a few seconds. Told are steps a second before, with a week of history, \
and when it is given up; what the store took after each day; and the same of a second week, in which runs are given up when \
they are two days old. On PostgreSQL also what each statement took, if the database has the extension pg_stat_statements, in \
whatever schema, and lets this role read it.

Runs that others have in the store are left alone, and measured with it. Those of the measurement, named \
bench-..., are given up at its end, also when it is stopped by Ctrl-C; one that is killed leaves them.";

/// `store copy --help`.
pub(super) const STORE_COPY: &str = "\
Copy runs from one store to another, such as from a file to PostgreSQL.

A run comes over whole or not at all: its plan, its groups byte for byte, and its hold on its sites. Its chain is followed \
before and after. One that somebody drives is refused. One that is there already, the same, is left alone, so that the \
command can be given again.

Requests that wait for a driver stay behind, and so do claims, the logs of attempts and the history of drills. The run is \
in both stores then: go on with it in the new one alone.

  reinstate store copy sqlite:reinstate.db postgres://reinstate@db1/runs april-1
  reinstate store copy sqlite:reinstate.db postgres://reinstate@db1/runs";
