//! The judgement on catalogues written by hand; what a server says is tried elsewhere.

use super::*;
use crate::postgres::catalog::{Action, Catalog, Column, ForeignKey, Index, Table};

/// Builds a catalogue: `name: column? column/text! ...` with `?` for NULL, `*` for unique, then keys `a.x>b.y`, `~` for
/// SET NULL before it.
pub(super) fn catalog(tables: &[&str], keys: &[&str]) -> Catalog {
    let mut catalog = Catalog::default();
    for table in tables {
        let (name, columns) = table.split_once(':').unwrap_or((table, ""));
        let mut it = Table { schema: "public".into(), name: name.into(), ..Table::default() };
        for word in ["id!"].into_iter().chain(columns.split_whitespace()) {
            let unique = word.ends_with('*');
            let word = word.trim_end_matches('*');
            let name = word.trim_end_matches(['?', '!']).to_owned();
            let not_null = !word.ends_with('?');
            let (name, base) = match name.split_once('/') {
                Some((name, base)) => (name.to_owned(), base.to_owned()),
                None if name.ends_with("type") => (name, "text".to_owned()),
                None => (name, "bigint".to_owned()),
            };
            let (data_type, base_type) = (base.clone(), base);
            it.columns.push(Column { name: name.clone(), not_null, data_type, base_type, ..Column::default() });
            if unique || name == "id" {
                let columns = vec![name.clone()];
                it.indexes.push(Index {
                    name: format!("u_{name}"),
                    primary: name == "id",
                    unique: true,
                    whole: true,
                    columns,
                    ..Index::default()
                });
            }
        }
        catalog.tables.push(it);
    }
    for key in keys {
        let forgets = key.starts_with('~');
        let (from, to) = key.trim_start_matches('~').split_once('>').expect("a key has two sides");
        let end = |text: &str| {
            let (table, columns) = text.split_once('.').unwrap_or((text, "id"));
            let place = catalog.tables.iter().position(|other| other.name == table).expect("the table was given");
            (place, columns.split('+').map(str::to_owned).collect::<Vec<_>>())
        };
        let ((child, columns), (parent, parent_columns)) = (end(from), end(to));
        let on_delete = if forgets { Action::SetNull } else { Action::Refuse };
        let name = format!("fk_{}", columns.join("_"));
        catalog.foreign_keys.push(ForeignKey {
            name,
            child,
            columns,
            parent,
            parent_columns,
            on_delete,
            validated: true,
            ..ForeignKey::default()
        });
    }
    catalog
}

pub(super) fn closure(catalog: &Catalog, declare: &[&str]) -> Closure {
    let declarations = declare.iter().map(|text| text.parse().expect("it is a declaration")).collect();
    Closure::of(catalog, "tenants", &Options { declarations, ..Options::default() }).expect("the root is there")
}

pub(super) fn class(closure: &Closure, name: &str) -> Class {
    closure.tables.iter().find(|table| table.name == name).expect("the table was given").class
}

pub(super) fn way(closure: &Closure, name: &str) -> Vec<Way> {
    closure.tables.iter().find(|table| table.name == name).expect("the table was given").ways.clone()
}

#[test]
fn belonging_goes_through_keys_to_any_depth() {
    let catalog = catalog(
        &[
            "tenants",
            "projects: tenant_id!",
            "issues: project_id! parent_id?",
            "comments: issue_id!",
            "reactions: comment_id!",
        ],
        &[
            "projects.tenant_id>tenants",
            "issues.project_id>projects",
            "issues.parent_id>issues",
            "comments.issue_id>issues",
            "reactions.comment_id>comments",
        ],
    );
    let closure = closure(&catalog, &[]);
    assert!(closure.tables.iter().all(|table| table.class == Class::Tenant));
    let ways = way(&closure, "reactions");
    assert_eq!((ways.len(), ways[0].joins, ways[0].path.len(), ways[0].strict), (1, 3, 4, true));
    assert_eq!(closure.order, [0, 1, 2, 3, 4]);
    assert_eq!(closure.cycles, [vec![2]]);
    let rows = closure.rows(&catalog, 2, "$1").expect("it is a tenant's");
    assert_eq!(
        rows.select("t.*, {tenant}"),
        "SELECT t.*, w0.\"tenant_id\" FROM \"public\".\"issues\" AS t JOIN \"public\".\"projects\" AS w0 ON w0.\"id\" = \
         t.\"project_id\" WHERE w0.\"tenant_id\" = ANY($1)"
    );
}

#[test]
fn a_column_that_carries_the_tenant_needs_no_join() {
    let catalog = catalog(
        &["tenants", "projects: tenant_id!", "issues: tenant_id! project_id?"],
        &["projects.tenant_id>tenants", "issues.tenant_id+project_id>projects.tenant_id+id"],
    );
    let ways = way(&closure(&catalog, &[]), "issues");
    assert_eq!((ways[0].joins, ways[0].column.as_str(), ways[0].strict), (0, "tenant_id", true));
}

#[test]
fn a_cycle_with_the_root_stands_together_in_the_order() {
    let catalog = catalog(
        &["plans", "tenants: owner_id? plan_id!", "users: tenant_id!"],
        &["tenants.owner_id>users", "tenants.plan_id>plans", "users.tenant_id>tenants"],
    );
    let closure = closure(&catalog, &[]);
    assert_eq!(class(&closure, "plans"), Class::Shared);
    assert_eq!((closure.order.as_slice(), closure.cycles.as_slice()), ([1, 2].as_slice(), [vec![1, 2]].as_slice()));
}

#[test]
fn users_of_several_tenants_stay_shared_though_one_column_mentions_a_tenant() {
    let catalog = catalog(
        &["tenants", "users: last_org?", "members: tenant_id! user_id!", "tokens: user_id!"],
        &["~users.last_org>tenants", "members.tenant_id>tenants", "members.user_id>users", "tokens.user_id>users"],
    );
    let closure = closure(&catalog, &[]);
    let classes = ["users", "members", "tokens"].map(|name| class(&closure, name));
    assert_eq!(classes, [Class::Shared, Class::Tenant, Class::Shared]);
}

#[test]
fn a_parent_that_only_one_row_can_point_at_is_owned_with_all_below_it() {
    let catalog = catalog(
        &["tenants: address_id?*", "addresses", "geocodes: address_id!"],
        &["tenants.address_id>addresses", "geocodes.address_id>addresses"],
    );
    let closure = closure(&catalog, &[]);
    assert_eq!(class(&closure, "geocodes"), Class::Tenant);
    assert!(way(&closure, "addresses")[0].path[0].up);
}

#[test]
fn one_of_several_keys_leads_to_the_tenant() {
    let catalog = catalog(
        &["tenants", "issues: tenant_id!", "pages: tenant_id!", "files: issue_id? page_id?"],
        &["issues.tenant_id>tenants", "pages.tenant_id>tenants", "files.issue_id>issues", "files.page_id>pages"],
    );
    let closure = closure(&catalog, &[]);
    assert_eq!(way(&closure, "files").len(), 2);
    let rows = closure.rows(&catalog, 3, "$1").expect("it is a tenant's");
    assert_eq!(rows.tenant, "coalesce(w0_0.\"tenant_id\", w1_0.\"tenant_id\")");
    assert_eq!(rows.select("t.*").matches("UNION ALL").count(), 1);
}

#[test]
fn names_count_where_no_key_says_more_and_say_so() {
    let given = catalog(
        &["tenants", "projects: tenant_id!", "labels: tenant_id!", "notes: project_id!", "events: thing_id!"],
        &["projects.tenant_id>tenants"],
    );
    let by_name = closure(&given, &[]);
    for name in ["labels", "notes"] {
        assert_eq!(class(&by_name, name), Class::Tenant);
        assert!(way(&by_name, name)[0].by_name());
    }
    assert_eq!(class(&by_name, "events"), Class::Unknown, "a reference to who knows what");
    let options = Options { by_name: false, ..Options::default() };
    let strict = Closure::of(&given, "tenants", &options).expect("the root is there");
    for name in ["labels", "notes", "events"] {
        assert_eq!(class(&strict, name), Class::Unknown);
    }
}

#[test]
fn a_polymorphic_reference_is_unknown_until_it_is_declared() {
    let catalog = catalog(
        &["tenants", "issues: tenant_id!", "pages: tenant_id!", "votes: on_type! on_id!"],
        &["issues.tenant_id>tenants", "pages.tenant_id>tenants"],
    );
    assert_eq!(class(&closure(&catalog, &[]), "votes"), Class::Unknown);
    let declared =
        closure(&catalog, &["votes(on_id)->issues when on_type=Issue", "votes(on_id)->pages when on_type=O'Page"]);
    let rows = declared.rows(&catalog, 3, "$1").expect("it is a tenant's now");
    let query = rows.select("t.*");
    assert!(query.contains("\"on_type\"::text = 'Issue'") && query.contains("'O''Page'"), "{query}");
}

#[test]
fn what_is_declared_wins_and_stops_the_way() {
    let given = catalog(
        &["tenants", "users: tenant_id!", "sessions: user_id!"],
        &["users.tenant_id>tenants", "sessions.user_id>users"],
    );
    let it = closure(&given, &["sessions=ephemeral"]);
    assert_eq!(class(&it, "sessions"), Class::Ephemeral);
    let it = closure(&given, &["users=shared"]);
    assert_ne!(class(&it, "sessions"), Class::Tenant);
    let it = closure(&given, &["tenants(id)->users(tenant_id)"]);
    assert_eq!(class(&it, "tenants"), Class::Tenant);
}

#[test]
fn what_is_not_there_is_named() {
    let catalog = catalog(&["tenants"], &[]);
    let of = |root: &str, declare: &str| {
        let declarations = if declare.is_empty() { Vec::new() } else { vec![declare.parse().expect("well-formed")] };
        Closure::of(&catalog, root, &Options { declarations, ..Options::default() })
            .map(|_| ())
            .expect_err("it is wrong")
            .code()
    };
    assert_eq!(of("customers", ""), "tenant.root");
    assert_eq!(of("tenants", "ghosts=shared"), "tenant.declared");
    assert_eq!(of("tenants", "tenants(ghost)->tenants(id)"), "tenant.column");
    assert_eq!(of("tenants", "tenants(id,id)->tenants(id)"), "tenant.pairs");
}

#[test]
fn what_hangs_on_an_unknown_table_is_unknown_too() {
    let catalog = catalog(
        &["tenants: plan_id!", "plans", "links: on_type! on_id! blob_id!", "blobs", "parts: blob_id!"],
        &["tenants.plan_id>plans", "links.blob_id>blobs", "parts.blob_id>blobs"],
    );
    let before = closure(&catalog, &[]);
    for name in ["links", "blobs", "parts"] {
        assert_eq!(class(&before, name), Class::Unknown, "{name}");
    }
    assert_eq!(class(&before, "plans"), Class::Shared);
    let declared = closure(&catalog, &["links=shared"]);
    for name in ["links", "blobs", "parts"] {
        assert_eq!(class(&declared, name), Class::Shared, "{name}");
    }
}
