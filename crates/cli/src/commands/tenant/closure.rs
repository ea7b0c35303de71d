//! `tenant closure`: whose the rows of a database are.

use connectors::postgres::{self, Catalog, Class, Closure, Hop, Link, TableClass, Way};
use serde_json::{Value, json};

use super::options;
use crate::args::TenantClosure;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Shows the class of every table.
pub(super) async fn closure(args: &TenantClosure, json: bool) -> Result<Exit, Failure> {
    let options = options(&args.belonging)?;
    let catalog = read(&args.url).await?;
    let closure = Closure::of(&catalog, &args.belonging.root, &options)
        .map_err(|error| Failure::input(error.code(), error.to_string(), error.hint()))?;
    if json {
        out::json(&as_json(&catalog, &closure));
    } else {
        out::answer(&as_text(&catalog, &closure));
    }
    Ok(Exit::Done)
}

async fn read(url: &str) -> Result<Catalog, Failure> {
    let mut connection = postgres::connect(url).await.map_err(|error| {
        let exit = if matches!(error, postgres::ConnectError::Url { .. }) { Exit::BadInput } else { Exit::Trouble };
        Failure::new(exit, error.code(), error.to_string(), error.hint())
    })?;
    Catalog::read(&mut connection).await.map_err(|error| Failure::trouble(error.code(), &error, error.hint()))
}

/// The answer for programs; names of tables are without schema where that is `public`.
fn as_json(catalog: &Catalog, closure: &Closure) -> Value {
    let label = |at: &usize| catalog.tables[*at].label();
    let tables: Vec<Value> = closure
        .tables
        .iter()
        .enumerate()
        .map(|(at, table)| {
            let ways: Vec<Value> = table
                .ways
                .iter()
                .map(|way| {
                    let path: Vec<Value> = way.path.iter().map(|hop| hop_json(catalog, hop)).collect();
                    let holder = catalog.tables[way.holder(at)].label();
                    json!({ "path": path, "tenant_in": { "table": holder, "column": way.column }, "always": way.strict })
                })
                .collect();
            json!({
                "name": label(&at),
                "schema": table.schema,
                "class": table.class,
                "reason": table.reason,
                "by_name": table.ways.iter().any(Way::by_name),
                "path": ways.first().map_or_else(|| json!([]), |way| way["path"].clone()),
                "ways": ways,
                "notes": table.notes,
            })
        })
        .collect();
    json!({
        "root": label(&closure.root),
        "key": closure.key,
        "tables": tables,
        "order": closure.order.iter().map(label).collect::<Vec<_>>(),
        "cycles": closure.cycles.iter().map(|group| group.iter().map(label).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "unknown": closure.of_class(Class::Unknown).map(|at| label(&at)).collect::<Vec<_>>(),
    })
}

fn hop_json(catalog: &Catalog, hop: &Hop) -> Value {
    json!({
        "table": catalog.tables[hop.table].label(),
        "columns": hop.columns,
        "to": catalog.tables[hop.to].label(),
        "to_columns": hop.to_columns,
        "owned_by": hop.up,
        "when": hop.when.as_ref().map(|(column, value)| format!("{column}={value}")),
        "by": match &hop.by {
            Link::ForeignKey(name) => format!("foreign key {name}"),
            Link::Inherited(name) => format!("inherited foreign key {name}"),
            Link::Declared => "declared".to_owned(),
            Link::ByName => "name".to_owned(),
        },
    })
}

/// The answer for people: what needs a person first, then tenants' tables in order of insert, then the rest.
fn as_text(catalog: &Catalog, closure: &Closure) -> String {
    let mut text = format!(
        "{} tables; the tenants are rows of {}, named by {} ({})\n",
        closure.tables.len(),
        catalog.tables[closure.root].label(),
        closure.key,
        closure.key_type
    );
    for class in [Class::Unknown, Class::Tenant, Class::Shared, Class::Derived, Class::Ephemeral] {
        let members: Vec<usize> = match class {
            Class::Tenant => closure.order.clone(),
            class => closure.of_class(class).collect(),
        };
        if members.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{} {}\n", members.len(), class.as_str()));
        let width = members.iter().map(|at| catalog.tables[*at].label().chars().count()).max().unwrap_or(0).min(40);
        for at in members {
            let TableClass { reason, ways, notes, .. } = &closure.tables[at];
            text.push_str(&format!("  {:width$}  {reason}\n", catalog.tables[at].label()));
            for way in ways.iter().filter(|way| !way.path.is_empty()) {
                text.push_str(&format!("  {:width$}    {}\n", "", path(catalog, way)));
            }
            for note in notes {
                text.push_str(&format!("  {:width$}    note: {note}\n", ""));
            }
        }
    }
    for group in &closure.cycles {
        let names: Vec<String> = group.iter().map(|at| catalog.tables[*at].label()).collect();
        text.push_str(&match names.as_slice() {
            [one] => format!("\n{one} refers to itself"),
            many => format!("\nforeign keys lead around in a circle: {}", many.join(", ")),
        });
    }
    if closure.of_class(Class::Unknown).next().is_some() {
        text.push_str("\nunknown tables stop a restore: look at them and declare each (--declare, see --help)\n");
    }
    text
}

/// `comments.issue_id -> issues.project_id -> projects.tenant_id -> tenants`
fn path(catalog: &Catalog, way: &Way) -> String {
    let mut text = String::new();
    for hop in &way.path {
        let arrow = match (hop.up, &hop.by) {
            (true, _) => "<-",
            (false, Link::ByName) => "~>",
            (false, _) => "->",
        };
        text.push_str(&format!("{}.{} {arrow} ", catalog.tables[hop.table].label(), hop.columns.join("+")));
        if let Some((column, value)) = &hop.when {
            text.push_str(&format!("[{column}={value}] "));
        }
    }
    if let Some(hop) = way.path.last() {
        text.push_str(&catalog.tables[hop.to].label());
    }
    text
}
