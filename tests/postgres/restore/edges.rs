//! Edges of PostgreSQL, each with the behaviour that is right for it.

use std::collections::BTreeMap;

use connectors::postgres::{Job, RestoreError, SharedDiffers, TenantOutcome, preview};

use super::world::{World, code, conflicts};
use reinstate_tests::postgres::Cluster;

const TENANTS: &str = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2);";

fn world(rest: &str) -> World {
    World::new(&format!("{TENANTS}{rest}"), "tenants")
}

fn drift(result: Result<impl std::fmt::Debug, RestoreError>) -> Vec<String> {
    match result {
        Err(RestoreError::Drift(differences)) => differences,
        other => panic!("no drift: {other:?}"),
    }
}

#[tokio::test]
async fn identity_takes_the_old_numbers_and_sequences_never_go_back() {
    let world = world(
        "CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE b (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE c (id bigint PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE SEQUENCE c_down INCREMENT -1; ALTER TABLE c ALTER id SET DEFAULT nextval('c_down'); \
         INSERT INTO a (tenant_id) SELECT 1 FROM generate_series(1, 50); INSERT INTO b (tenant_id) VALUES (1), (2), (1); \
         INSERT INTO c (tenant_id) VALUES (1), (1)",
    );
    world.delete(&["1"]).await;
    let _ = world.live("SELECT setval('a_id_seq', 7), setval('b_id_seq', 900), setval('c_down', -1)");
    let done = world.try_restore(&["1"]).await.unwrap();
    let raised: Vec<String> = done.raised.iter().map(|it| format!("{} {} {}", it.sequence, it.was, it.to)).collect();
    assert_eq!(raised, ["public.a_id_seq 7 50", "public.c_down -1 -2"]);
    assert_eq!(world.live("SELECT min(id), max(id) FROM a"), "1|50");
    assert_eq!(world.live("SELECT nextval('a_id_seq'), nextval('b_id_seq'), nextval('c_down')"), "51|901|-3");
}

#[tokio::test]
async fn computed_columns_are_compared_and_a_changed_function_shows() {
    let world = world(
        "CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'; \
         CREATE TABLE a (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, d int GENERATED ALWAYS AS (twice(id)) STORED); \
         INSERT INTO a VALUES (1, 1), (2, 2)",
    );
    world.delete(&["1"]).await;
    let _ = world.live("CREATE OR REPLACE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 3'");
    let refused = world.restore("1").await.unwrap_err();
    assert!(
        matches!(&refused, RestoreError::Mismatch { differences, .. } if differences == &["a: 1 rows, with other contents"]),
        "{refused}"
    );
    assert_eq!(world.live("SELECT count(*) FROM tenants"), "1");
    let _ = world.live("CREATE OR REPLACE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'");
    assert_eq!(code(world.restore("1").await), "done");
}

#[tokio::test]
async fn triggers_keep_quiet_so_that_rows_stay_as_they_were() {
    let world = world(
        "CREATE TABLE a (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, updated_at timestamptz); \
         CREATE TABLE log (at timestamptz DEFAULT now(), what text); \
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           NEW.updated_at := now(); INSERT INTO log (what) VALUES (TG_OP); RETURN NEW; END $$; \
         INSERT INTO a VALUES (1, 1, '2020-01-01'); \
         CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION touch()",
    );
    world.delete(&["1"]).await;
    let _ = world.live("DELETE FROM log");
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.live("SELECT updated_at < '2020-01-03', (SELECT count(*) FROM log) FROM a"), "t|0");
}

#[tokio::test]
async fn a_partition_that_is_gone_fails_who_had_rows_there_and_nobody_else() {
    let world = world(
        "CREATE TABLE e (tenant_id int NOT NULL REFERENCES tenants, at date NOT NULL) PARTITION BY RANGE (at); \
         CREATE TABLE e_1 PARTITION OF e FOR VALUES FROM ('2021-01-01') TO ('2022-01-01'); \
         CREATE TABLE e_2 PARTITION OF e FOR VALUES FROM ('2022-01-01') TO ('2023-01-01'); \
         CREATE TABLE e_rest PARTITION OF e DEFAULT; \
         INSERT INTO e VALUES (1, '2021-05-05'), (1, '2022-05-05'), (2, '2022-05-05')",
    );
    world.delete(&["1", "2"]).await;
    let _ = world.live("DROP TABLE e_1");
    let done = world.try_restore(&["1", "2"]).await.unwrap();
    let codes: Vec<&str> = done.tenants.into_iter().map(|tenant| code(tenant.result)).collect();
    assert_eq!(codes, ["postgres.schema_drift", "done"]);
    assert_eq!(world.live("SELECT tenant_id, tableoid::regclass FROM e"), "2|e_2");
}

#[tokio::test]
async fn shared_rows_are_made_again_if_they_are_gone_and_needed_and_never_changed() {
    let world = world(
        "CREATE TABLE regions (code text PRIMARY KEY, name text); \
         CREATE TABLE people (id int PRIMARY KEY, mail text, region text REFERENCES regions); \
         CREATE TABLE members (tenant_id int NOT NULL REFERENCES tenants, person_id int NOT NULL REFERENCES people, PRIMARY KEY (tenant_id, person_id)); \
         INSERT INTO regions VALUES ('eu', 'Europe'), ('us', 'States'); \
         INSERT INTO people VALUES (1, 'a', 'eu'), (2, 'b', 'eu'), (3, 'c', 'us'), (4, 'd', NULL); \
         INSERT INTO members VALUES (1, 1), (1, 2), (2, 2), (2, 4)",
    );
    world.delete(&["1"]).await;
    let _ = world.live(
        "DELETE FROM people WHERE id IN (1, 3); UPDATE people SET mail = 'newer' WHERE id = 2; \
                        UPDATE people SET region = NULL; DELETE FROM regions",
    );
    let restored = world.restore("1").await.unwrap();
    let shared: Vec<String> = restored.shared.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
    assert_eq!(shared, ["people 1", "regions 1"]);
    assert_eq!(world.live("SELECT id, mail, region FROM people ORDER BY 1"), "1|a|eu\n2|newer|\n4|d|");
}

#[tokio::test]
async fn shared_rows_that_differ_are_told_and_stay_as_they_are() {
    let world = world(
        "CREATE TABLE plans (id uuid PRIMARY KEY, name text, price numeric, at timestamptz, later int); \
         CREATE TABLE people (id int PRIMARY KEY, mail text); \
         CREATE TABLE subscriptions (tenant_id int NOT NULL REFERENCES tenants, plan_id uuid REFERENCES plans, again uuid REFERENCES plans); \
         CREATE TABLE members (tenant_id int NOT NULL REFERENCES tenants, person_id int NOT NULL REFERENCES people, PRIMARY KEY (tenant_id, person_id)); \
         INSERT INTO plans SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'plan ' || n, 1.0, '2022-01-01', n FROM generate_series(1, 4) AS n; \
         INSERT INTO people SELECT n, 'mail ' || n FROM generate_series(1, 40) AS n; \
         INSERT INTO subscriptions SELECT 1, id, id FROM plans WHERE later < 4; INSERT INTO subscriptions SELECT 2, id, NULL FROM plans WHERE later > 1; \
         INSERT INTO members SELECT 1, id FROM people WHERE id > 20; INSERT INTO members VALUES (2, 1), (2, 22)",
    );
    world.delete(&["1", "2"]).await;
    // The same number with another scale is another text; a column that came and one that went are no difference of rows.
    let _ = world.live(
        "UPDATE plans SET price = 1.00 WHERE later = 2; UPDATE plans SET name = 'x' WHERE later = 4; \
         ALTER TABLE plans ADD new int DEFAULT 7, DROP later; \
         UPDATE people SET mail = NULL WHERE id BETWEEN 22 AND 33",
    );
    let shared = world.live("SELECT * FROM plans ORDER BY 1; SELECT * FROM people ORDER BY 1");
    let words = |found: &BTreeMap<String, SharedDiffers>| -> Vec<String> {
        found.iter().map(|(table, it)| format!("{table} {} {}", it.rows, it.keys.join(" "))).collect()
    };
    let plan = |n: u8| format!("(id)=(00000000-0000-0000-0000-00000000000{n})");
    let of_one = [
        "people 12 (id)=(22) (id)=(23) (id)=(24) (id)=(25) (id)=(26) (id)=(27) (id)=(28) (id)=(29)".to_owned(),
        format!("plans 1 {}", plan(2)),
    ];
    let of_two = ["people 1 (id)=(22)".to_owned(), format!("plans 2 {} {}", plan(2), plan(4))];
    assert_eq!(words(&world.look("1").await.shared_differs), of_one);

    let done = world.try_restore(&["1", "2"]).await.unwrap();
    let found: Vec<Vec<String>> =
        done.tenants.iter().map(|tenant| words(&tenant.result.as_ref().unwrap().shared_differs)).collect();
    assert_eq!(found, [of_one.to_vec(), of_two.to_vec()]);
    assert_eq!(world.live("SELECT * FROM plans ORDER BY 1; SELECT * FROM people ORDER BY 1"), shared);
    // The ledger keeps it.
    assert_eq!(words(&world.restore("1").await.unwrap().shared_differs), of_one);
    assert_eq!(
        world.live("SELECT detail #>> '{shared_differs,people,rows}' FROM reinstate.ledger ORDER BY key"),
        "12\n1"
    );
}

#[tokio::test]
async fn shared_rows_are_compared_once_for_all_tenants_of_a_job() {
    let mut world = world(
        "CREATE TABLE plans (id int PRIMARY KEY, name text); CREATE TABLE regions (id int PRIMARY KEY, name text); \
         CREATE TABLE subs (tenant_id int NOT NULL REFERENCES tenants, plan_id int REFERENCES plans, region_id int REFERENCES regions); \
         INSERT INTO tenants SELECT n FROM generate_series(3, 30) AS n; \
         INSERT INTO plans SELECT n, 'plan' FROM generate_series(0, 2) AS n; INSERT INTO regions SELECT n, 'r' FROM generate_series(0, 1) AS n; \
         INSERT INTO subs SELECT id, id % 3, id % 2 FROM tenants",
    );
    world.job.connections = 1;
    let ids: Vec<String> = (1..=30).map(|n: u32| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.delete(&ids).await;
    let _ = world.live("UPDATE plans SET name = 'another' WHERE id = 0");
    for database in ["copy", "live"] {
        let set = format!("ALTER DATABASE {database} SET log_statement = 'all'");
        let _ = world.cluster.sql("postgres", &set);
    }
    let done = world.try_restore(&ids).await.unwrap();
    let differ = |tenant: &&TenantOutcome| !tenant.result.as_ref().unwrap().shared_differs.is_empty();
    assert_eq!((done.tenants.len(), done.tenants.iter().filter(differ).count()), (30, 10));
    // Whoever comes first to one of the five rows asks for it, and the others ask for nothing.
    let asked = world.cluster.log().lines().filter(|line| line.contains("sha256(convert_to(")).count();
    assert!((2..=10).contains(&asked), "{asked} queries on both sides");
}

#[tokio::test]
async fn a_reference_to_a_row_that_is_nowhere_rolls_back() {
    let script = "CREATE TABLE c (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE d (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, of int REFERENCES c); \
         INSERT INTO c VALUES (1, 2), (2, 1); INSERT INTO d VALUES (1, 1, 1), (2, 1, 2)";
    let world = world(script);
    world.delete(&["1", "2"]).await;
    // The row of tenant 1 refers to one of tenant 2, who is still away.
    let refused = world.restore("1").await.unwrap_err();
    assert!(
        matches!(&refused, RestoreError::References { missing, .. } if missing == &["d (d_of_fkey) -> c (1)"]),
        "{refused}"
    );
    assert_eq!(world.live("SELECT count(*) FROM tenants"), "0");
    assert_eq!(world.look("1").await.missing, ["d (d_of_fkey) -> c (1)"]);
    assert_eq!(code(world.restore("2").await), "done");
    assert_eq!(code(world.restore("1").await), "done");
}

#[tokio::test]
async fn large_objects_come_back_under_their_numbers_with_owner_and_rights() {
    let script = "CREATE ROLE archivist; CREATE ROLE reader; \
         CREATE TABLE files (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, content oid); \
         SELECT lo_from_bytea(70001, repeat('large ', 400000)::bytea), lo_from_bytea(70002, 'other'); \
         ALTER LARGE OBJECT 70001 OWNER TO archivist; GRANT SELECT ON LARGE OBJECT 70001 TO reader; \
         INSERT INTO files VALUES (1, 1, 70001), (2, 2, 70002), (3, 1, NULL)";
    let world = world(script);
    world.delete(&["1"]).await;
    let _ = world.live("SELECT lo_unlink(70001)");
    let whole =
        "SELECT md5(lo_get(oid)), pg_get_userbyid(lomowner), lomacl FROM pg_largeobject_metadata WHERE oid = 70001";
    let was = world.copy(whole);
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.live(whole), was);

    world.delete(&["1"]).await;
    let _ = world
        .live("DELETE FROM reinstate.ledger; SELECT lo_unlink(70001); SELECT lo_from_bytea(70001, 'somebody else')");
    assert_eq!(conflicts(world.restore("1").await), ["large-object files 70001"]);
    assert_eq!(world.live("SELECT count(*) FROM files WHERE tenant_id = 1"), "0");
}

#[tokio::test]
async fn a_schema_that_has_moved_is_told_before_anything_is_read() {
    let script = "CREATE TYPE state AS ENUM ('open', 'closed'); CREATE TABLE a (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, s state); \
                  INSERT INTO a VALUES (1, 1, 'closed')";
    let world = world(script);
    world.delete(&["1"]).await;
    let _ = world.live("ALTER TABLE a ADD must text NOT NULL DEFAULT ''; ALTER TABLE a ALTER must DROP DEFAULT");
    assert_eq!(drift(world.restore("1").await), ["a.must (text NOT NULL) is new"]);
    let _ = world.live("ALTER TABLE a DROP must; ALTER TYPE state RENAME VALUE 'closed' TO 'done'");
    assert_eq!(drift(world.restore("1").await), ["the type public.state has no label closed any more"]);
    let _ = world.live("ALTER TYPE state RENAME VALUE 'done' TO 'closed'; ALTER TYPE state ADD VALUE 'new'");
    assert_eq!(code(world.restore("1").await), "done", "a label more does no harm");
}

#[tokio::test]
async fn values_of_every_kind_come_back_to_the_bit_in_binary_and_as_text() {
    let script = "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('up', 'down'); \
         CREATE TYPE pair AS (a int, b mood); CREATE DOMAIN short AS text CHECK (length(VALUE) < 99); \
         CREATE TABLE v (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, n numeric, f float8, r real, t text, c citext, \
           j json, b jsonb, x xml, y bytea, u uuid, i interval, z timestamptz, ts tsvector, p point, m mood, mm mood[], pp pair, ppp pair[], \
           s short, ss short[], h hstore, ip inet, rr tstzrange, mr int4multirange, bits bit varying, money money, nn numeric[][]); \
         INSERT INTO v VALUES (1, 1, 1.00, 'NaN', 1e-30, E'tab\\t line\\n back\\\\ \\\\N', 'MiXed', '{\"a\":  1, \"a\": 2}', '{\"a\": [1, null]}', \
           '<a>b</a>', '\\x00ff0a5c', gen_random_uuid(), '1 year 2 mons -3 days 04:05:06.789', '2022-04-05 07:38:00.123456+02', to_tsvector('simple', 'a b a'), \
           point(1, -0.0), 'down', '{up,NULL,down}', (7, 'up'), ARRAY[(1, 'up')::pair, NULL], 'short', '{a,b}', 'a=>1,b=>NULL', '10.0.0.0/8', \
           '[2022-01-01,)', '{[1,3),[7,9)}', B'10110', '12.34', '{{1.0,2},{3,NULL}}'), \
           (2, 1, NULL, '-Infinity', NULL, '', NULL, NULL, NULL, NULL, '', NULL, NULL, 'infinity', NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, 'empty', NULL, NULL, NULL, '{}')";
    let mut world = world(script);
    let before = world.rows("copy");
    world.delete(&["1"]).await;
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.rows("live"), before);

    // The same schema made anew: its types have other numbers, so that what names them cannot travel in binary.
    let _ = world.cluster.sql("postgres", "CREATE DATABASE again");
    let _ = world.cluster.sql("again", &format!("CREATE TYPE before AS ENUM ('shifts'); CREATE TYPE more AS (a int); DROP TYPE before, more; {TENANTS}{script}; DELETE FROM v; DELETE FROM tenants WHERE id = 1"));
    world.job.to = world.cluster.url("again");
    assert_ne!(
        world.cluster.sql("again", "SELECT 'mood[]'::regtype::oid"),
        world.copy("SELECT 'mood[]'::regtype::oid")
    );
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.rows("again"), before);
}

#[tokio::test]
async fn what_the_deletion_changed_in_rows_of_others_is_named_with_old_values() {
    let world = world(
        "CREATE TABLE files (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE shares (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, file_id int REFERENCES files ON DELETE SET NULL); \
         CREATE TABLE stars (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, file_id int NOT NULL REFERENCES files ON DELETE CASCADE); \
         INSERT INTO files VALUES (1, 1), (2, 2); \
         INSERT INTO shares VALUES (1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, NULL); INSERT INTO stars VALUES (1, 2, 1), (2, 2, 2)",
    );
    let _ = world.live("DELETE FROM shares WHERE tenant_id = 1; DELETE FROM files WHERE tenant_id = 1; DELETE FROM tenants WHERE id = 1");
    let damaged = world.live("SELECT * FROM shares; SELECT * FROM stars");
    let job = Job { tenants: vec!["1".into()], ..world.job.clone() };
    let looked = preview(&job).await.unwrap();
    let residue: Vec<String> = looked
        .residue
        .iter()
        .map(|row| format!("{} {} {} was {} is {:?}", row.table, row.key, row.columns, row.was, row.is))
        .collect();
    assert_eq!(residue, ["shares (id)=(2) file_id was 1 is Some(\"NULL\")", "stars (id)=(1) file_id was 1 is None"]);
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.live("SELECT * FROM shares WHERE tenant_id = 2; SELECT * FROM stars"), damaged);
}

#[tokio::test]
async fn many_small_tenants_go_in_by_one_statement_and_to_the_bit() {
    let world = World::new(
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TYPE mood AS ENUM ('up', 'down'); CREATE TYPE pair AS (a int, b text); \
         CREATE TABLE plans (code text PRIMARY KEY); INSERT INTO plans VALUES ('free'); \
         CREATE TABLE tenants (gone int, id int PRIMARY KEY, plan text NOT NULL REFERENCES plans, owner_id bigint); \
         ALTER TABLE tenants DROP COLUMN gone; \
         CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, \
           \"Name\" text, old text, mood mood, moods mood[], age positive, twice int GENERATED ALWAYS AS (age * 2) STORED, \
           seen timestamptz, at_home inet, raw bytea, doc jsonb, mix pair, price numeric(12,4), u uuid); \
         ALTER TABLE people DROP COLUMN old; ALTER TABLE tenants ADD FOREIGN KEY (owner_id) REFERENCES people; \
         CREATE TABLE days (tenant_id int NOT NULL REFERENCES tenants, day date NOT NULL, n float8) PARTITION BY RANGE (day); \
         CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2022-01-01') TO ('2022-07-01'); \
         CREATE TABLE days_2 PARTITION OF days DEFAULT; \
         INSERT INTO tenants SELECT n, 'free' FROM generate_series(1, 40) AS n; \
         INSERT INTO people (tenant_id, \"Name\", mood, moods, age, seen, at_home, raw, doc, mix, price, u) \
           SELECT 1 + n % 40, nullif(repeat('ä\\', n % 5), ''), 'down', ARRAY['up', NULL]::mood[], 1 + n, 'infinity', '10.0.0.1/8', \
             '\\x00ff', '{\"a\": [1.10, null]}', ROW(n, NULL)::pair, 1.10, '00000000-0000-4000-8000-000000000001' FROM generate_series(1, 200) AS n; \
         INSERT INTO days SELECT id, '2022-02-02', 'NaN' FROM tenants; INSERT INTO days SELECT id, '2023-02-02', -0.0 FROM tenants; \
         UPDATE tenants SET owner_id = (SELECT min(p.id) FROM people AS p WHERE p.tenant_id = tenants.id)",
        "tenants",
    );
    let all: Vec<String> = (1..=30).map(|n| n.to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    world.delete(&all).await;
    // One of them was re-created in part: it alone is looked at row by row, and refused.
    let _ = world.live("INSERT INTO tenants VALUES (7, 'free', NULL); ALTER DATABASE live SET log_statement = 'all'");
    let done = world.try_restore(&all).await.unwrap();
    let refused: Vec<&str> =
        done.tenants.iter().filter(|one| one.result.is_err()).map(|one| one.tenant.as_str()).collect();
    assert_eq!(refused, ["7"]);
    let at_once = world.cluster.log().matches("WITH i0 AS (INSERT INTO").count();
    assert!((1..=2).contains(&at_once), "the others by one statement, or two connections by one each: {at_once}");
    let _ = world.live("DELETE FROM tenants WHERE id = 7");
    assert_eq!(code(world.restore("7").await), "done");
    assert_eq!(world.rows("live"), world.rows("copy"));
}

#[tokio::test]
async fn a_rule_that_rewrites_inserts_is_not_asked() {
    let world = World::new(
        "CREATE TABLE tenants (id int PRIMARY KEY); CREATE TABLE notes (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE RULE never AS ON INSERT TO notes DO INSTEAD NOTHING; ALTER TABLE notes DISABLE RULE never; \
         INSERT INTO tenants SELECT generate_series(1, 40); INSERT INTO notes SELECT id, id FROM tenants; \
         ALTER TABLE notes ENABLE ALWAYS RULE never",
        "tenants",
    );
    let all: Vec<String> = (1..=30).map(|n| n.to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    world.delete(&all).await;
    let done = world.try_restore(&all).await.unwrap();
    assert!(done.tenants.iter().all(|one| one.result.is_ok()), "{done:?}");
    assert_eq!(world.rows("live"), world.rows("copy"));
}

#[tokio::test]
async fn a_tenant_that_was_switched_off_before_the_point_is_not_restored() {
    let mut world = world(
        "ALTER TABLE tenants ADD deleted_at timestamptz, ADD state text DEFAULT 'live'; INSERT INTO tenants (id) VALUES (3); \
         UPDATE tenants SET deleted_at = '2022-04-05 07:38:00Z', state = 'closing' WHERE id = 1",
    );
    world.delete(&["1", "3"]).await;
    world.job.scope.active = [("deleted_at".into(), None), ("state".into(), Some("live".into()))].into();
    let refused = world.restore("1").await.unwrap_err();
    assert_eq!(refused.code(), "postgres.inactive");
    let said = refused.to_string();
    assert!(said.contains("state is closing") && said.contains("deleted_at is 2022-04-05"), "{said}");
    let looked = preview(&Job { tenants: vec!["1".into()], ..world.job.clone() }).await.unwrap();
    assert_eq!(looked.tenants[0].1.as_ref().map_err(RestoreError::code).unwrap_err(), "postgres.inactive");
    assert_eq!(code(world.restore("3").await), "done");
    assert_eq!(world.live("SELECT count(*) FROM tenants WHERE id = 1"), "0");
    world.job.scope.active = [("gone".into(), None)].into();
    assert_eq!(world.restore("1").await.unwrap_err().code(), "postgres.no_column");
}

#[tokio::test]
async fn readers_of_changes_are_told_from_where_rows_come_and_may_leave_them_out() {
    let mut world = World::on(
        Cluster::with().set("wal_level", "logical"),
        &format!("{TENANTS} INSERT INTO tenants SELECT generate_series(3, 60)"),
        "tenants",
    );
    let all: Vec<String> = (1..=50).map(|n| n.to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    world.delete(&all).await;
    let _ = world.live("SELECT pg_create_logical_replication_slot('reader', 'test_decoding')");
    world.job.replication_origin = Some("reinstate".into());
    let done = world.try_restore(&all).await.unwrap();
    assert!(done.tenants.iter().all(|one| one.result.is_ok()), "{done:?}");
    let _ = world.live("INSERT INTO tenants VALUES (61)");
    let seen = |only: u8| {
        world.live(&format!(
            "SELECT count(*) FROM pg_logical_slot_peek_changes('reader', NULL, NULL, 'only-local', '{only}') \
             WHERE data LIKE 'table public.tenants: INSERT%'"
        ))
    };
    assert_eq!((seen(0), seen(1)), ("51".into(), "1".into()));
}

#[tokio::test]
async fn what_a_row_refers_to_is_held_before_it_is_counted_on() {
    for (end, made) in [("COMMIT", 1), ("ROLLBACK", 0)] {
        let world = world(
            "CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (3), (4); \
             CREATE TABLE notes (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, plan_id int REFERENCES plans); \
             INSERT INTO notes VALUES (1, 1, 3), (2, 2, 4)",
        );
        world.delete(&["1"]).await;
        // Somebody is about to delete it, and its foreign keys saw no row of ours.
        let mut other = connectors::postgres::connect(&world.cluster.url("live")).await.unwrap();
        sqlx::raw_sql("BEGIN; DELETE FROM plans WHERE id = 3").execute(&mut other).await.unwrap();
        let restore = async {
            let restored = world.restore("1").await.unwrap();
            assert_eq!(restored.shared.values().sum::<u64>(), made, "{end}");
        };
        let decide = async {
            let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
            let mut watcher = connectors::postgres::connect(&world.cluster.url("postgres")).await.unwrap();
            while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watcher).await.unwrap() == 0 {
                tokio::task::yield_now().await;
            }
            sqlx::raw_sql(end).execute(&mut other).await.unwrap();
        };
        tokio::join!(restore, decide);
        let dangling = "SELECT count(*) FROM notes AS n LEFT JOIN plans AS p ON p.id = n.plan_id WHERE p.id IS NULL";
        assert_eq!(world.live(dangling), "0", "{end}");
    }
}

#[tokio::test]
async fn a_computed_column_of_a_domain_without_null_does_not_keep_small_tenants_away() {
    let world = World::new(
        "CREATE DOMAIN sure AS int NOT NULL; CREATE TABLE tenants (id int PRIMARY KEY, twice sure GENERATED ALWAYS AS (id * 2) STORED); \
         INSERT INTO tenants SELECT generate_series(1, 40)",
        "tenants",
    );
    let all: Vec<String> = (1..=30).map(|n| n.to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    world.delete(&all).await;
    let done = world.try_restore(&all).await.unwrap();
    assert!(done.tenants.iter().all(|one| one.result.is_ok()), "{done:?}");
    assert_eq!(world.rows("live"), world.rows("copy"));
}
