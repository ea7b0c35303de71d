//! `postgres/extract@1` and `postgres/drop-extract@1`: each tenant of a shard at its own restore point, from one server
//! that is recovered once and moved forward from point to point.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use runtime::Call;
use serde_json::{Value, json};

use super::input::{DroppedExtract, Extract, Extracted as Outputs, SiteStands};
use super::trouble::trouble;
use crate::answer::{Trouble, duration, revealed};
use crate::postgres::recover::{self, Instance, Moved, Target};
use crate::postgres::restore::{EXTRACT, Extracted, Taking};

/// Tenants whose rows are taken out together.
struct Group {
    at: DateTime<Utc>,
    tenants: Vec<String>,
}

/// Takes all tenants out, each at its point; what is there already stays.
pub(super) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let input: Extract = revealed(&call.with, &call.secrets)?;
    let scope = input.root.scope(&input.tables, true)?;
    let together = input.together.as_deref().map(|text| duration("together", text)).transpose()?.unwrap_or_default();
    let groups = groups(&input.points, together)?;
    std::fs::create_dir_all(&input.into).map_err(|error| {
        Trouble::retry("postgres.files", format!("{}: {error}", input.into.display()))
            .hint("name a folder that can be written")
    })?;
    let folder = Extracted::open(&input.into).map_err(|error| trouble(&error))?;
    let mut outputs = Outputs {
        url: format!("{EXTRACT}{}", input.into.display()),
        path: input.into.display().to_string(),
        sites: 0,
        points: groups.len() as u64,
        starts: 0,
        rows: 0,
        missing: Vec::new(),
        restore_point: Vec::new(),
    };
    let (mut server, mut taking) = (None, None);
    for group in &groups {
        let point = recover::stamp(group.at);
        let mut open = Vec::new();
        for tenant in &group.tenants {
            match folder.manifest(tenant).map_err(|error| trouble(&error))? {
                Some(manifest) if manifest.point == point => {
                    told(&mut outputs, tenant, &manifest.tables.values().map(|it| it.rows).sum(), &manifest.stands)
                }
                _ => open.push(tenant.clone()),
            }
        }
        if open.is_empty() {
            continue;
        }
        let instance = match &mut server {
            Some(instance) => instance,
            None => server.insert(begin(call, &input, group.at).await?),
        };
        // When it moves on, everything of the points behind it is on disk.
        let moved = instance.walk_to(group.at).await?;
        let recovered = instance.recovered();
        let stands = serde_json::to_value(&recovered.restore_point).unwrap_or_default();
        let taking = match taking.take().filter(|_| moved == Moved::Alike) {
            Some(known) => taking.insert(known),
            None => {
                let anew = Taking::begin(&recovered.url, &scope, &input.into).await;
                taking.insert(anew.map_err(|error| trouble(&error))?)
            }
        };
        let taken = taking.extract(&open, &input.into, (&point, &stands)).await.map_err(|error| trouble(&error))?;
        outputs.missing.extend(taken.unknown);
        for (tenant, rows) in taken.tenants {
            told(&mut outputs, &tenant, &rows, &stands);
        }
    }
    if let Some(instance) = &server {
        outputs.starts = instance.starts();
        // What was to be taken out is on disk: nobody needs the server any more.
        recover::drop_instance(call, &with(call, &input, &groups)).await?;
    }
    serde_json::to_value(outputs).map_err(|error| Trouble::retry("postgres.failed", error.to_string()))
}

/// Removes the server and what was taken out; fine if there is none.
pub(super) async fn drop_extract(call: &Call) -> Result<Value, Trouble> {
    let input: Extract = revealed(&call.with, &call.secrets)?;
    let groups = groups(&input.points, std::time::Duration::ZERO)?;
    let (_, server) = recover::drop_instance(call, &with(call, &input, &groups)).await?;
    let mut tenants = 0;
    let files = |error: std::io::Error| Trouble::retry("postgres.files", format!("{}: {error}", input.into.display()));
    if input.into.is_dir() {
        for entry in std::fs::read_dir(&input.into).map_err(files)? {
            let path = entry.map_err(files)?.path();
            if is_tenants(&path) {
                std::fs::remove_dir_all(&path).map_err(files)?;
                tenants += 1;
            } else if is_catalogue(&path) {
                std::fs::remove_file(&path).map_err(files)?;
            }
        }
        // What is not ours stays, and so does the folder then.
        let _ = std::fs::remove_dir(&input.into);
    }
    serde_json::to_value(DroppedExtract { sites: tenants, server })
        .map_err(|error| Trouble::retry("postgres.failed", error.to_string()))
}

/// Whether a folder was made by an extraction: its name is a tenant's in hexadecimal, whole or in part.
fn is_tenants(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let ending = path.extension().is_none_or(|ending| ending == "part");
    path.is_dir() && ending && !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_catalogue(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("catalog-") && (name.ends_with(".json") || name.ends_with(".part"))
}

/// Finds or makes the server at its first point; one that has moved on further is of no use any more.
async fn begin(call: &Call, input: &Extract, at: DateTime<Utc>) -> Result<Instance, Trouble> {
    let with = with_at(call, input, at);
    let mut instance = Instance::open(call, &with).await?;
    match instance.advance(&Target::Time(at)).await {
        Err(error) if error.is("postgres.point_passed") => {
            recover::drop_instance(call, &with).await?;
            Instance::open(call, &with).await
        }
        advanced => advanced.map(|()| instance),
    }
}

/// The inputs of the recovery, secrets as references: named by the folder, so that a later point moves the same server
/// on.
fn with_at(call: &Call, input: &Extract, at: DateTime<Utc>) -> Value {
    let name = blake3::hash(input.into.as_os_str().as_encoded_bytes()).to_hex();
    let mut with = json!({ "backup": call.with.get("backup"), "at": recover::stamp(at), "name": format!("extract-{}", &name[..12]) });
    if let Some(place) = &input.server_into {
        with["into"] = json!(place);
    }
    if let Some(role) = &input.role {
        with["role"] = json!(role);
    }
    if let Some(buffers) = &input.shared_buffers {
        with["shared_buffers"] = json!(buffers);
    }
    with
}

fn with(call: &Call, input: &Extract, groups: &[Group]) -> Value {
    with_at(call, input, groups.first().map_or_else(Utc::now, |group| group.at))
}

/// Groups tenants by their points in ascending order; points within `together` of the first of a group become that one.
fn groups(points: &BTreeMap<String, String>, together: std::time::Duration) -> Result<Vec<Group>, Trouble> {
    let mut all = points
        .iter()
        .map(|(tenant, at)| Ok((recover::point(at)?, tenant.clone())))
        .collect::<Result<Vec<_>, Trouble>>()?;
    all.sort();
    let mut groups: Vec<Group> = Vec::new();
    for (at, tenant) in all {
        match groups.last_mut() {
            Some(group) if (at - group.at).to_std().is_ok_and(|since| since <= together) => group.tenants.push(tenant),
            _ => groups.push(Group { at, tenants: vec![tenant] }),
        }
    }
    Ok(groups)
}

fn told(outputs: &mut Outputs, tenant: &str, rows: &u64, stands: &Value) {
    outputs.sites += 1;
    outputs.rows += rows;
    let text = |name: &str| stands.get(name).and_then(Value::as_str).map(str::to_owned);
    outputs.restore_point.push(SiteStands {
        site: tenant.to_owned(),
        reached: text("reached"),
        until: text("until"),
        evidence: text("evidence").unwrap_or_default(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_visited_in_ascending_order_and_none_is_later_than_asked() {
        let points: BTreeMap<String, String> = [("c", "07"), ("a", "05"), ("b", "05"), ("d", "06")]
            .map(|(tenant, second)| (tenant.to_owned(), format!("2022-04-05T07:38:{second}Z")))
            .into();
        let seen = |together: u64| {
            let groups = groups(&points, std::time::Duration::from_secs(together)).expect("it was made to be so");
            groups
                .iter()
                .map(|it| format!("{}:{}", it.at.format("%S"), it.tenants.join("")))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(seen(0), "05:ab 06:d 07:c");
        assert_eq!(seen(1), "05:abd 07:c");
        assert_eq!(seen(60), "05:abdc");
    }
}
