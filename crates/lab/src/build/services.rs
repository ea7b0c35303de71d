//! The rows of every service store at the full backup.

use crate::population::Site;
use crate::random::Random;
use crate::schema::Schema;
use crate::value::{Row, Value};

/// Rows per table of one service store. `objects` are `(site, id, name, bytes, blake3)`; `segments` are search rows.
pub(crate) fn generate(store: &Schema, seed: u64, sites: &[Site], mapping: &[Row], segments: &[Row]) -> Vec<Vec<Row>> {
    let mut out = vec![Vec::new(); store.tables.len()];
    match store.name {
        "media" => out[0] = mapping.to_vec(),
        "search" => out[0] = segments.to_vec(),
        _ => {
            let mut random = Random::new(seed, store.name);
            let mut group = 0;
            for site in sites {
                site_rows(store, site, &mut random, &mut group, &mut out);
            }
        }
    }
    out
}

fn site_rows(store: &Schema, site: &Site, random: &mut Random, group: &mut i64, out: &mut [Vec<Row>]) {
    let id = || Value::from(site.id.as_str());
    if store.name == "catalogue" {
        out[0].push(vec![
            id(),
            site.name.as_str().into(),
            site.hostname.as_str().into(),
            site.shard_name().into(),
            site.region.into(),
            "active".into(),
            site.created_at.as_str().into(),
            Value::Null,
        ]);
        for product in &site.products {
            out[1].push(vec![
                id(),
                (*product).into(),
                random.pick(&["free", "standard", "premium"]).into(),
                "active".into(),
            ]);
        }
        for app in &site.apps {
            out[2].push(vec![app.id.as_str().into(), id(), app.vendor.into(), random.words(1).into(), "active".into()]);
        }
        return;
    }
    match store.name {
        "commerce" => {
            out[0].push(vec![
                id(),
                format!("customer {}", site.name).into(),
                random.pick(&["USD", "EUR", "AUD"]).into(),
                Value::Int(random.below(90_000) as i64),
            ]);
            for product in &site.products {
                let tier = random.pick(&[&10i64, &25, &100, &500]);
                out[1].push(vec![id(), (*product).into(), (*tier).into(), "active".into(), "2023-01-31".into()]);
            }
            for name in ["storage-gb", "automation-runs"] {
                out[2].push(vec![id(), name.into(), Value::Int(1 + random.below(250) as i64)]);
            }
        }
        "metadata" => {
            out[0].push(vec![
                id(),
                site.name.as_str().into(),
                random.pick(&["en", "de", "ja"]).into(),
                random.pick(&["UTC", "Europe/Berlin", "Asia/Tokyo"]).into(),
                site.someone(random).into(),
            ]);
            for name in ["theme", "session-minutes", "ip-allowlist", "banner"] {
                out[1].push(vec![id(), name.into(), random.words(2).into()]);
            }
            for product in &site.products {
                out[2].push(vec![id(), (*product).into(), format!("{{\"seed\":{}}}", random.below(1_000_000)).into()]);
            }
        }
        "region" => {
            out[0].push(vec![id(), site.region.into(), format!("cell-{}", random.below(9)).into()]);
            for product in &site.products {
                out[1].push(vec![id(), (*product).into(), random.pick(&["global", "eu", "us"]).into()]);
            }
        }
        "identity" => identity(site, random, group, out),
        "flags" => {
            for name in ["new-editor", "dark-mode", "fast-search", "automation-v2", "beta-boards"] {
                if random.chance(0.7) {
                    out[0].push(vec![
                        id(),
                        name.into(),
                        random.pick(&["a", "b", "control"]).into(),
                        Value::Int(random.below(2) as i64),
                    ]);
                }
            }
        }
        "events" => {
            for name in ["notifications", "automation-runs", "logins"] {
                out[0].push(vec![id(), name.into(), Value::Int(1 + random.below(5_000) as i64)]);
            }
        }
        "vendors" => {
            for app in &site.apps {
                let version = format!("{}.{}", 1 + random.below(4), random.below(20));
                out[0].push(vec![
                    app.id.as_str().into(),
                    id(),
                    app.vendor.into(),
                    version.into(),
                    format!("{{\"plan\":{}}}", random.below(4)).into(),
                ]);
            }
        }
        "edge" => out[0].push(vec![id(), site.hostname.as_str().into(), site.region.into(), "open".into()]),
        _ => {}
    }
}

fn identity(site: &Site, random: &mut Random, group: &mut i64, out: &mut [Vec<Row>]) {
    let id = || Value::from(site.id.as_str());
    for (n, user) in site.users.iter().enumerate() {
        let name = format!("{} {n}", random.words(1));
        out[0].push(vec![
            user.as_str().into(),
            id(),
            format!("user{n}@{}", site.hostname).into(),
            name.into(),
            Value::Int(i64::from(random.chance(0.95))),
        ]);
    }
    for name in ["administrators", "members", "guests"] {
        *group += 1;
        out[1].push(vec![(*group).into(), id(), name.into()]);
        for (n, user) in site.users.iter().enumerate() {
            let joins = match name {
                "administrators" => n == 0,
                "members" => true,
                _ => random.chance(0.1),
            };
            if joins {
                out[2].push(vec![(*group).into(), user.as_str().into(), id()]);
            }
        }
        for product in site.products.iter().take(3) {
            out[3].push(vec![
                id(),
                (*group).into(),
                (*product).into(),
                random.pick(&["read", "write", "admin"]).into(),
            ]);
        }
    }
}
