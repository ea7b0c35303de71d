//! Words that names are made of: who, for how long, and what for.

use super::names::{stem, thing, words};

/// Returns whether a column says what is in use for now: `current_team_id`, `last_org_id`.
pub(super) fn is_passing(column: &str) -> bool {
    let passing = ["active", "current", "last", "latest", "default", "selected", "recent", "preferred"];
    let words = words(column);
    words.len() > 1 && words.iter().any(|word| passing.contains(&word.as_str()))
}

/// Returns whether a table is named for people, who may be members of several tenants.
pub(super) fn are_people(table: &str) -> bool {
    let people = [
        "user",
        "users",
        "userprofile",
        "people",
        "person",
        "persons",
        "profile",
        "profiles",
        "identity",
        "identities",
        "account",
        "accounts",
        "principal",
        "principals",
        "login",
        "logins",
    ];
    thing(table).last().is_some_and(|word| people.contains(&word.as_str()))
}

/// Returns whether a column's name is one that is given to what lies outside of the database.
pub(super) fn names_a_stranger(column: &str) -> bool {
    let strangers = [
        "request",
        "trace",
        "span",
        "correlation",
        "idempotency",
        "external",
        "remote",
        "session",
        "pod",
        "process",
        "host",
        "node",
        "instance",
        "device",
        "scim",
        "stripe",
    ];
    stem(column).is_some_and(|stem| stem.iter().any(|word| strangers.contains(&word.as_str())))
}

/// Returns whether a column is named as those of many schemas that hold a tenant's ID.
pub(super) fn sounds_like_a_tenant(column: &str) -> bool {
    let tenants =
        ["tenant", "organization", "organisation", "org", "workspace", "account", "company", "customer", "realm"];
    stem(column).is_some_and(|stem| stem.last().is_some_and(|word| tenants.contains(&word.as_str())))
}

/// Returns whether a column is named for who did something rather than for what the row is part of.
pub(super) fn is_actor(column: &str) -> bool {
    let actors = [
        "user",
        "author",
        "creator",
        "created",
        "updated",
        "updater",
        "deleted",
        "editor",
        "edited",
        "actor",
        "owner",
        "sender",
        "assignee",
        "assigned",
        "reviewer",
        "approver",
        "requester",
        "inviter",
        "invited",
        "uploader",
        "member",
        "person",
        "by",
    ];
    words(column).iter().any(|word| actors.contains(&word.as_str()))
}

/// Returns whether a table is one in which tools keep which migrations have run.
pub(super) fn is_bookkeeping(table: &str) -> bool {
    let lower = table.to_lowercase();
    ["migration", "schema_version", "schema_history", "schema_info", "alembic_version", "databasechangelog"]
        .iter()
        .any(|part| lower.contains(part))
        || ["ar_internal_metadata", "goose_db_version", "sequelizemeta", "spatial_ref_sys"].contains(&lower.as_str())
}

/// Returns whether a table belongs to a known queue or session store, whose rows are of use for a short time.
pub(super) fn is_known_queue(table: &str) -> bool {
    let lower = table.to_lowercase();
    let starts = ["good_job", "solid_queue_", "solid_cache_", "solid_cable_", "oban_", "que_", "graphile_worker"];
    starts.iter().any(|start| lower.starts_with(start))
        || [
            "delayed_jobs",
            "django_session",
            "sessions",
            "active_sessions",
            "django_cache",
            "failed_jobs",
            "job_batches",
        ]
        .contains(&lower.as_str())
}

/// Returns whether a table's name says that its rows are of use for a short time.
pub(super) fn sounds_ephemeral(table: &str) -> bool {
    let short = [
        "session",
        "sessions",
        "job",
        "jobs",
        "queue",
        "queues",
        "outbox",
        "cache",
        "caches",
        "lock",
        "locks",
        "throttle",
        "throttles",
        "nonce",
        "nonces",
        "heartbeat",
        "heartbeats",
        "tmp",
        "temp",
        "scratch",
    ];
    is_known_queue(table) || words(table).iter().any(|word| short.contains(&word.as_str()))
}
