//! Two sites whose rows hold IDs wherever they can be, and the first of them deleted.

use connectors::postgres::{Mention, Remap, RestoreError, Restored};

use crate::restore::world::World;

pub(crate) const OLD: &str = "00000000-0000-4000-8000-000000000001";
pub(crate) const OTHER: &str = "00000000-0000-4000-8000-000000000002";
pub(crate) const NEW: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
pub(crate) const SCHEMA: &str = include_str!("../schemas/renewed.sql");

pub(crate) const DECLARED: [&str; 2] = [
    "votes(subject_id)->comments(id) when subject_type=Comment",
    "votes(subject_id)->pages(id) when subject_type=Page",
];
pub(crate) const JSON: [&str; 4] = [
    "issues(payload $.site)->sites(id)",
    "issues(payload $.links[*].issue_id)->issues(id)",
    "issues(payload $.links[*].user)->users",
    "issues(payload $.\"by user\".*.id)->users(id)",
];
pub(crate) const TEXT: [&str; 3] =
    ["comments(body)->issues(id)", "comments(body)->sites(id)", "profiles(watched)->issues(id)"];

/// The world of [`SCHEMA`] after its first site was deleted, and what is declared of it.
pub(crate) async fn world() -> World {
    // A word that only looks like an ID is told apart in a test of its own.
    let mut world = World::new(
        &format!("{SCHEMA}; UPDATE comments SET body = regexp_replace(body, ' \\(not [^)]*\\)', '')"),
        "sites",
    );
    world.declare(&DECLARED);
    world.job.remap = Some(remap());
    world.delete(&[OLD]).await;
    world
}

pub(crate) fn remap() -> Remap {
    Remap {
        tenant: NEW.into(),
        json: JSON.iter().map(|text| Mention::json(text).unwrap()).collect(),
        text: TEXT.iter().map(|text| Mention::text(text).unwrap()).collect(),
        ..Remap::default()
    }
}

/// What a restore under new IDs was refused for: code and message.
pub(crate) fn refused(result: Result<Restored, RestoreError>) -> (&'static str, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}
