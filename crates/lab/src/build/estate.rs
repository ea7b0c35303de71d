//! The files for people and orchestrators: `estate.yaml`, the vendors' token, the customers' contacts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::layout::{Backend, Layout, Passport};
use crate::population::Site;
use crate::random::Random;
use crate::sql::StoreError;

const SYSTEMS: [&str; 12] = [
    "catalogue",
    "commerce",
    "metadata",
    "region",
    "identity",
    "flags",
    "search",
    "events",
    "vendors",
    "media",
    "edge",
    "support",
];
/// What runbooks do to the shards of a lab, if these are databases of servers.
const SHARD_ACTIONS: [&str; 6] = ["recover@1", "restore@1", "verify@1", "bystanders@1", "remove@1", "drop-recovered@1"];
/// Of the sites with apps, the first and every so many after it are the company's own.
const OWN: usize = 20;

/// Writes them; `live` is where each shard is in use.
pub(super) fn write(layout: &Layout, passport: &Passport, sites: &[Site], live: &[String]) -> Result<(), StoreError> {
    let token = layout.vendor_token();
    secret(&token, &Random::new(passport.seed, "vendor token").uuid())?;

    let quote = |path: &Path| serde_json::Value::from(path.display().to_string()).to_string();
    let mut yaml = String::from("schema: estate/v1\nname: lab\nsandbox: true\n");
    if passport.backend == Backend::Postgres {
        yaml.push_str(
            "# Recovery goes by real time, so that this history took place in real time: a minute of the incident in a\n\
             # second. Where a runbook keeps 5 minutes of distance to a deletion, give it 5 seconds (--input margin=5s).\n\
             actions:\n",
        );
        for action in SHARD_ACTIONS {
            let _ = writeln!(yaml, "  sqlite/{action}: postgres/{action}");
        }
    }
    yaml.push_str("approvers:\n  support: [sam]\n  customers: [casey]\n");
    yaml.push_str("variables:\n");
    // For commands that look at it as a whole, such as `reinstate lab fingerprint`.
    let _ = writeln!(yaml, "  lab: {}", quote(&layout.root));
    for system in SYSTEMS {
        let _ = writeln!(yaml, "  {system}: http://{}/{system}", passport.services());
    }
    yaml.push_str("  shards:\n");
    for (name, live) in passport.shard_names().into_iter().zip(live) {
        let live = serde_json::Value::from(live.as_str());
        let _ = match passport.backend {
            Backend::Sqlite => {
                writeln!(yaml, "    {name}: {{ live: {live}, backup: {} }}", quote(&layout.backup(&name)))
            }
            Backend::Postgres => {
                let (base, wal) = (quote(&layout.base_backup(&name)), quote(&layout.wal(&name)));
                let recovered = quote(&layout.recovered(&name));
                writeln!(
                    yaml,
                    "    {name}:\n      live: {live}\n      backup: {{ base: {base}, wal: {wal}, database: shard }}\n      \
                     recovered: {recovered}"
                )
            }
        };
    }
    let url = |path: &Path| serde_json::Value::from(format!("file://{}", path.display())).to_string();
    let _ = writeln!(
        yaml,
        "  objects:\n    live: {}\n    backup: {}",
        url(&layout.objects()),
        url(&layout.object_backups())
    );
    let _ =
        writeln!(yaml, "secrets:\n  vendor_token: {}", serde_json::Value::from(format!("file:{}", token.display())));
    let path = layout.root.join("estate.yaml");
    std::fs::write(&path, yaml).map_err(StoreError::io(&path))?;

    let mut contacts = String::from("site,hostname,customer,admin_email\n");
    for site in sites {
        let _ = writeln!(contacts, "{},{},customer {},admin@{}.example", site.id, site.hostname, site.name, site.name);
    }
    let path = layout.root.join("contacts.csv");
    std::fs::write(&path, contacts).map_err(StoreError::io(&path))?;
    apps(layout, sites)
}

/// Every installed app with the site that it belongs to: two IDs of one form.
fn apps(layout: &Layout, sites: &[Site]) -> Result<(), StoreError> {
    let mut list = String::from("id,site,app,shard,region,own\n");
    for (position, site) in sites.iter().filter(|site| !site.apps.is_empty()).enumerate() {
        let own = position.is_multiple_of(OWN);
        for app in &site.apps {
            let _ = writeln!(list, "{},{},{},{},{},{own}", app.id, site.id, app.vendor, site.shard_name(), site.region);
        }
    }
    let path = layout.root.join("apps.csv");
    std::fs::write(&path, list).map_err(StoreError::io(&path))
}

fn secret(path: &Path, value: &str) -> Result<(), StoreError> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(StoreError::io(path))
}
