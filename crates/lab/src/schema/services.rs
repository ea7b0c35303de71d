//! The stores of the services: one file each, every row names its site.

use super::{Owner, Schema, Table};

const SITE: (&str, &str) = ("site_id", "TEXT NOT NULL");
const PER_SITE: (&str, &str) = ("site_id", "TEXT PRIMARY KEY NOT NULL");
const TEXT: &str = "TEXT NOT NULL";
const INT: &str = "INTEGER NOT NULL";

const fn per_site(name: &'static str, columns: &'static [(&'static str, &'static str)]) -> Table {
    Table { name, columns, key: 1, owner: Owner::Site("site_id"), constraints: &[], indexes: &[] }
}

const fn listed(
    name: &'static str,
    columns: &'static [(&'static str, &'static str)],
    key: usize,
    constraints: &'static [&'static str],
) -> Table {
    Table { name, columns, key, owner: Owner::Site("site_id"), constraints, indexes: &["site_id"] }
}

const UUID: (&str, &str) = ("id", "TEXT PRIMARY KEY NOT NULL");

pub(crate) const CATALOGUE: Schema = Schema {
    name: "catalogue",
    tables: &[
        per_site(
            "sites",
            &[
                PER_SITE,
                ("name", TEXT),
                ("hostname", TEXT),
                ("shard", TEXT),
                ("region", TEXT),
                ("state", TEXT),
                ("created_at", TEXT),
                ("deleted_at", "TEXT"),
            ],
        ),
        listed(
            "site_products",
            &[SITE, ("product", TEXT), ("edition", TEXT), ("state", TEXT)],
            2,
            &["PRIMARY KEY (site_id, product)"],
        ),
        listed("apps", &[UUID, SITE, ("vendor", TEXT), ("name", TEXT), ("state", TEXT)], 1, &[]),
    ],
};

const COMMERCE: Schema = Schema {
    name: "commerce",
    tables: &[
        per_site("accounts", &[PER_SITE, ("customer", TEXT), ("currency", TEXT), ("balance_cents", INT)]),
        listed(
            "licences",
            &[SITE, ("product", TEXT), ("tier", INT), ("status", TEXT), ("expires_on", TEXT)],
            2,
            &["PRIMARY KEY (site_id, product)"],
        ),
        listed("entitlements", &[SITE, ("name", TEXT), ("quantity", INT)], 2, &["PRIMARY KEY (site_id, name)"]),
    ],
};

const METADATA: Schema = Schema {
    name: "metadata",
    tables: &[
        per_site("core", &[PER_SITE, ("title", TEXT), ("locale", TEXT), ("time_zone", TEXT), ("owner", TEXT)]),
        listed("configuration", &[SITE, ("name", TEXT), ("value", TEXT)], 2, &["PRIMARY KEY (site_id, name)"]),
        listed(
            "product_settings",
            &[SITE, ("product", TEXT), ("settings", TEXT)],
            2,
            &["PRIMARY KEY (site_id, product)"],
        ),
    ],
};

const REGION: Schema = Schema {
    name: "region",
    tables: &[
        per_site("pins", &[PER_SITE, ("region", TEXT), ("cell", TEXT)]),
        listed("residency", &[SITE, ("product", TEXT), ("realm", TEXT)], 2, &["PRIMARY KEY (site_id, product)"]),
    ],
};

const IDENTITY: Schema = Schema {
    name: "identity",
    tables: &[
        listed("users", &[UUID, SITE, ("email", TEXT), ("name", TEXT), ("active", INT)], 1, &[]),
        listed(
            "groups",
            &[("id", "INTEGER PRIMARY KEY AUTOINCREMENT"), SITE, ("name", TEXT)],
            1,
            &["UNIQUE (site_id, name)"],
        ),
        Table {
            indexes: &["site_id", "user_id"],
            ..listed(
                "memberships",
                &[
                    ("group_id", "INTEGER NOT NULL REFERENCES groups (id)"),
                    ("user_id", "TEXT NOT NULL REFERENCES users (id)"),
                    SITE,
                ],
                2,
                &["PRIMARY KEY (group_id, user_id)"],
            )
        },
        Table {
            indexes: &["group_id"],
            ..listed(
                "permissions",
                &[SITE, ("group_id", "INTEGER NOT NULL REFERENCES groups (id)"), ("scope", TEXT), ("level", TEXT)],
                3,
                &["PRIMARY KEY (site_id, group_id, scope)"],
            )
        },
    ],
};

const FLAGS: Schema = Schema {
    name: "flags",
    tables: &[listed(
        "flags",
        &[SITE, ("name", TEXT), ("variant", TEXT), ("enabled", INT)],
        2,
        &["PRIMARY KEY (site_id, name)"],
    )],
};

const MEDIA: Schema = Schema {
    name: "media",
    tables: &[listed(
        "mapping",
        &[UUID, SITE, ("path", TEXT), ("name", TEXT), ("bytes", INT), ("blake3", TEXT)],
        1,
        &[],
    )],
};

pub(crate) const SEARCH: Schema = Schema {
    name: "search",
    tables: &[listed(
        "segments",
        &[SITE, ("product", TEXT), ("documents", INT), ("terms", TEXT)],
        2,
        &["PRIMARY KEY (site_id, product)"],
    )],
};

/// The counters are a projection; the events themselves are append-only and outlive a deletion.
const EVENTS: Schema = Schema {
    name: "events",
    tables: &[listed("counters", &[SITE, ("name", TEXT), ("value", INT)], 2, &["PRIMARY KEY (site_id, name)"])],
};

const VENDORS: Schema = Schema {
    name: "vendors",
    tables: &[listed(
        "installations",
        &[("app_id", "TEXT PRIMARY KEY NOT NULL"), SITE, ("vendor", TEXT), ("version", TEXT), ("settings", TEXT)],
        1,
        &[],
    )],
};

const EDGE: Schema = Schema {
    name: "edge",
    tables: &[per_site("routes", &[PER_SITE, ("hostname", "TEXT NOT NULL UNIQUE"), ("region", TEXT), ("state", TEXT)])],
};

/// Every service store, in the order in which they are built and compared.
pub(crate) const SERVICES: [&Schema; 11] =
    [&CATALOGUE, &COMMERCE, &METADATA, &REGION, &IDENTITY, &FLAGS, &MEDIA, &SEARCH, &EVENTS, &VENDORS, &EDGE];
