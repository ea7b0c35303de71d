//! Parts of a runbook, as pages show them, put into a whole one and checked.

use crate::place::{Place, holds};

/// An estate in which everything that examples read may be anything.
pub(super) const ESTATE: &str = "schema: estate/v1\nname: example\nsandbox: true\n\
    approvers: { dr-leads: [anna, ben], support: [sam, mia] }\n\
    secrets: { vendor_token: \"env:VENDOR_TOKEN\", media_id: \"env:MEDIA_ID\", media_key: \"env:MEDIA_KEY\" }\n";

/// What a runbook has where a part says nothing.
const BASE: &[(&str, &str)] = &[
    ("schema", "schema: runbook/v1\n"),
    ("name", "name: example\n"),
    (
        "targets",
        "targets: { attributes: { shard: string, region: string, products: list<string>, users: integer, own: boolean, \
         deleted_at: timestamp }, scopes: { shard: site.shard } }\n",
    ),
    ("restore_point", "restore_point: { before: site.deleted_at, margin: 5m, align: shard }\n"),
    ("defaults", "defaults: { timeout: 10m }\n"),
    ("steps", "steps: { work: { uses: noop@1 } }\n"),
];

/// A whole runbook of which the given keys are a part.
pub(super) fn whole(part: &str) -> String {
    let given: Vec<&str> = part.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key).collect();
    let rest = BASE.iter().filter(|(key, _)| !given.contains(key)).map(|(_, text)| *text);
    format!("{}{part}", rest.collect::<String>())
}

/// Insists that a runbook is without errors and warnings for an estate.
pub(super) fn check(place: &str, runbook: &str, estate: &str) {
    let folder = Place::new();
    folder.write("r.yaml", runbook);
    folder.write("estate.yaml", estate);
    let said = crate::place::finish(&mut folder.command(&["check", "r.yaml", "--estate", "estate.yaml"]));
    assert!(said.status.success() && !said.err.contains("warning["), "{place}: {}\n{runbook}", said.all());
    holds(&said.all(), &["no errors"]);
}
