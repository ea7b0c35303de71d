//! Which tables are a tenant's, on a schema with every trait that real ones have.

use connectors::postgres::{Catalog, Class, Closure, Options, TableKind, TriggerState, connect};
use reinstate_tests::postgres::Cluster;

const TRAITS: &str = include_str!("schemas/traits.sql");

const ROWS: &str = include_str!("schemas/traits_rows.sql");

/// Every table, its class, and a part of its reason.
const EXPECTED: &[(&str, Class, &str)] = &[
    ("addresses", Class::Tenant, "owned parent: tenants.address_id"),
    ("attachments", Class::Tenant, "one of 1 other ways"),
    ("audit", Class::Tenant, "tenant_id names the tenant"),
    ("bookings", Class::Tenant, "tenant_id names the tenant"),
    ("comments", Class::Tenant, "part of issues, by issue_id"),
    ("crm.DealNotes", Class::Tenant, "part of crm.Deals"),
    ("crm.Deals", Class::Tenant, "tenantId names the tenant"),
    ("delayed_jobs", Class::Ephemeral, "queue"),
    ("events", Class::Tenant, "tenant_id names the tenant"),
    ("geocodes", Class::Tenant, "part of addresses"),
    ("imports", Class::Unknown, "foreign_thing_id is named as a reference"),
    ("inbox_raw", Class::Unknown, "payload (jsonb) may name a tenant"),
    ("issue_counts", Class::Derived, "materialized"),
    ("issues", Class::Tenant, "tenant_id names the tenant, by its key to projects"),
    ("memberships", Class::Tenant, "tenant_id names the tenant"),
    ("notes", Class::Tenant, "tenant_id names the tenant"),
    ("pages", Class::Tenant, "tenant_id names the tenant"),
    ("pages_old", Class::Tenant, "inherited"),
    ("people", Class::Shared, "memberships.person_id"),
    ("person_keys", Class::Shared, "tied to people"),
    ("plan_features", Class::Shared, "tied to plans"),
    ("plans", Class::Shared, "tenants.plan_id"),
    ("presence", Class::Ephemeral, "unlogged"),
    ("projects", Class::Tenant, "tenant_id names the tenant"),
    ("reaction_reads", Class::Tenant, "part of comments"),
    ("reactions", Class::Tenant, "part of comments"),
    ("schema_migrations", Class::Shared, "migrations"),
    ("search_words", Class::Derived, "the trigger keep of pages"),
    ("settings", Class::Shared, "none of its columns"),
    ("templates", Class::Tenant, "NULL are shared"),
    ("tenants", Class::Tenant, "themselves"),
    ("users", Class::Tenant, "tenant_id names the tenant"),
    ("votes", Class::Unknown, "subject_type and subject_id"),
    ("webhook_calls", Class::Tenant, "by name only"),
    ("webhooks", Class::Tenant, "by name only"),
];

async fn read(cluster: &Cluster) -> Catalog {
    let mut connection = connect(&cluster.url("postgres")).await.unwrap();
    Catalog::read(&mut connection).await.unwrap()
}

fn notes(catalog: &Catalog, closure: &Closure, table: &str) -> String {
    closure.tables[catalog.find(table).unwrap()].notes.join("; ")
}

#[tokio::test]
async fn every_table_has_its_class_and_its_rows_lead_to_the_tenant() {
    let cluster = Cluster::start();
    let _ = cluster.sql("postgres", TRAITS);
    let catalog = read(&cluster).await;
    let closure = Closure::of(&catalog, "tenants", &Options::default()).unwrap();
    let mut labels: Vec<String> = catalog.tables.iter().map(|table| table.label()).collect();
    labels.sort();
    assert_eq!(labels, EXPECTED.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    for (name, class, reason) in EXPECTED {
        let found = &closure.tables[catalog.find(name).unwrap()];
        assert_eq!(found.class, *class, "{name}: {}", found.reason);
        assert!(found.reason.contains(reason), "{name}: {}", found.reason);
        assert_eq!(found.ways.is_empty(), *class != Class::Tenant, "{name}");
    }

    // What a restore must know is said.
    for (table, note) in [
        ("notes", "policies hide rows, of its owner too"),
        ("pages", "the trigger keep fires though others are kept quiet"),
        ("pages", "the trigger keep writes search_words"),
        ("reactions", "no primary key"),
        ("attachments", "large objects"),
        ("users", "users_mail_key keeps rows of different tenants apart"),
        ("bookings", "bookings_during_excl keeps rows of different tenants apart"),
    ] {
        assert!(notes(&catalog, &closure, table).contains(note), "{table}: {}", notes(&catalog, &closure, table));
    }
    assert!(!notes(&catalog, &closure, "pages").contains("writes users"), "a comment writes nothing");

    // Parents before children, circles together.
    let at = |name: &str| closure.order.iter().position(|table| *table == catalog.find(name).unwrap()).unwrap();
    for (parent, child) in
        [("addresses", "tenants"), ("projects", "issues"), ("issues", "comments"), ("pages", "attachments")]
    {
        assert!(at(parent) < at(child), "{parent} before {child}");
    }
    let circle: Vec<usize> = ["tenants", "users"].iter().map(|name| catalog.find(name).unwrap()).collect();
    assert_eq!(closure.cycles, [circle]);
}

#[tokio::test]
async fn the_catalogue_is_read_as_it_is() {
    let cluster = Cluster::start();
    let _ = cluster.sql("postgres", TRAITS);
    let catalog = read(&cluster).await;
    let table = |name: &str| &catalog.tables[catalog.find(name).unwrap()];
    let events = table("events");
    let parts: Vec<&str> = events.partitions.iter().map(|part| part.name.as_str()).collect();
    assert_eq!((events.kind, parts), (TableKind::Partitioned, vec!["events_2024", "events_2025_0"]));
    let users = table("users");
    let mail = users.column("mail").unwrap();
    assert_eq!((mail.base_type.as_str(), mail.not_null), ("public.citext", true));
    assert!(users.column("lower_mail").unwrap().generated.is_some());
    assert!(table("attachments").column("content").unwrap().large_object);
    assert_eq!(table("projects").primary_key(), ["tenant_id", "id"]);
    let own = catalog.foreign_keys.iter().filter(|key| key.child == catalog.find("events").unwrap());
    assert_eq!(
        own.map(|key| (key.columns[0].as_str(), key.partial)).collect::<Vec<_>>(),
        [("tenant_id", false), ("user_id", true)]
    );
    let keep = catalog.triggers.iter().find(|trigger| trigger.name == "keep").unwrap();
    let written: Vec<&str> = keep.writes.iter().map(|at| catalog.tables[*at].name.as_str()).collect();
    assert_eq!((keep.state, written), (TriggerState::Always, vec!["audit", "search_words"]));
    assert!(catalog.sequences.iter().any(|sequence| sequence.column == "Id" && sequence.schema == "crm"));
    let partial = table("templates").indexes.iter().find(|index| index.name == "one_default").unwrap();
    assert!(!partial.whole && partial.predicate.is_some());
}

#[tokio::test]
async fn the_rows_of_tenants_are_found_each_once_and_only_theirs() {
    let cluster = Cluster::start();
    let _ = cluster.sql("postgres", &format!("{TRAITS}{ROWS}"));
    let catalog = read(&cluster).await;
    let declarations = [
        "votes(subject_id)->issues(id) when subject_type=Issue",
        "votes(subject_id)->pages(id) when subject_type=Page",
        "imports=ephemeral",
        "inbox_raw=shared",
    ];
    let declarations = declarations.iter().map(|text| text.parse().unwrap()).collect();
    let closure = Closure::of(&catalog, "tenants", &Options { declarations, ..Options::default() }).unwrap();
    assert_eq!(closure.of_class(Class::Unknown).count(), 0);
    for table in closure.of_class(Class::Tenant) {
        let name = catalog.tables[table].label();
        let all = closure.rows(&catalog, table, "'{1,2}'::bigint[]").unwrap();
        let whole = cluster.sql(
            "postgres",
            &format!(
                "SELECT {0} AS tenant, count(*) FROM {1} WHERE {0} IS NOT NULL GROUP BY 1 ORDER BY 1",
                all.tenant, all.from
            ),
        );
        let picked = cluster.sql(
            "postgres",
            &format!(
                "SELECT tenant, count(*) FROM ({}) AS r GROUP BY 1 ORDER BY 1",
                all.select("{tenant} AS tenant, t.*")
            ),
        );
        assert_eq!(picked, whole, "{name}: by tenant and by scan");
        // Two tenants with the same rows each, and rows of none where that can be.
        let counts: Vec<&str> = whole.lines().map(|line| line.split_once('|').unwrap().1).collect();
        assert_eq!(counts.len(), 2, "{name}: {whole}");
        assert_eq!(counts[0], counts[1], "{name}: {whole}");
        let one = closure.rows(&catalog, table, "'{2}'::bigint[]").unwrap();
        let tenants = cluster
            .sql("postgres", &format!("SELECT DISTINCT tenant FROM ({}) AS r", one.select("{tenant} AS tenant")));
        assert_eq!(tenants, "2", "{name}");
    }
    let shared = cluster.sql("postgres", "SELECT count(*) FROM templates WHERE tenant_id IS NULL");
    assert_eq!(shared, "1");
}
