//! The product databases: what each of the N shards holds for many sites at once.

use super::{Owner, Schema, Table};

const ID: (&str, &str) = ("id", "INTEGER PRIMARY KEY AUTOINCREMENT");
const SITE: (&str, &str) = ("site_id", "TEXT NOT NULL REFERENCES sites (site_id)");

macro_rules! table {
    ($name:literal, key $key:literal, $owner:expr, [$($column:expr),* $(,)?], constraints [$($c:literal),*], indexes [$($i:literal),*]) => {
        Table { name: $name, columns: &[$($column),*], key: $key, owner: $owner, constraints: &[$($c),*], indexes: &[$($i),*] }
    };
}

/// The tables of a shard that is a file.
pub(crate) static SHARD: Schema = Schema { name: "shard", tables: ALL.split_at(ALL.len() - 1).0 };

/// The tables of a shard that is a database of a server: those of [`SHARD`] at the same positions, and after them what
/// the server's triggers write.
pub(crate) static SERVED: Schema = Schema { name: "shard", tables: ALL };

const ALL: &[Table] = &[
    table!("plans", key 1, Owner::Shared, [("id", "INTEGER PRIMARY KEY"), ("code", "TEXT NOT NULL UNIQUE"), ("seats", "INTEGER NOT NULL"), ("price_cents", "INTEGER NOT NULL")], constraints [], indexes []),
    table!("issue_types", key 1, Owner::Shared, [("id", "INTEGER PRIMARY KEY"), ("name", "TEXT NOT NULL UNIQUE")], constraints [], indexes []),
    table!("sites", key 1, Owner::Site("site_id"), [("site_id", "TEXT PRIMARY KEY NOT NULL"), ("name", "TEXT NOT NULL"), ("hostname", "TEXT NOT NULL UNIQUE"), ("plan_id", "INTEGER NOT NULL REFERENCES plans (id)"), ("created_at", "TEXT NOT NULL")], constraints [], indexes ["plan_id"]),
    // Jira family: one schema, the product is a column of the project.
    table!("projects", key 1, Owner::Site("site_id"), [ID, SITE, ("product", "TEXT NOT NULL"), ("key", "TEXT NOT NULL"), ("name", "TEXT NOT NULL"), ("lead", "TEXT"), ("next_number", "INTEGER NOT NULL")], constraints ["UNIQUE (site_id, key)"], indexes []),
    table!("boards", key 1, Owner::Through("project_id", "projects"), [ID, ("project_id", "INTEGER NOT NULL REFERENCES projects (id)"), ("name", "TEXT NOT NULL"), ("kind", "TEXT NOT NULL")], constraints [], indexes ["project_id"]),
    table!("sprints", key 1, Owner::Through("board_id", "boards"), [ID, ("board_id", "INTEGER NOT NULL REFERENCES boards (id)"), ("name", "TEXT NOT NULL"), ("state", "TEXT NOT NULL")], constraints [], indexes ["board_id"]),
    table!("issues", key 1, Owner::Through("project_id", "projects"), [ID, ("project_id", "INTEGER NOT NULL REFERENCES projects (id)"), ("type_id", "INTEGER NOT NULL REFERENCES issue_types (id)"), ("parent_id", "INTEGER REFERENCES issues (id)"), ("sprint_id", "INTEGER REFERENCES sprints (id)"), ("number", "INTEGER NOT NULL"), ("summary", "TEXT NOT NULL"), ("status", "TEXT NOT NULL"), ("reporter", "TEXT NOT NULL"), ("estimate", "REAL"), ("updated_at", "TEXT NOT NULL")], constraints ["UNIQUE (project_id, number)"], indexes ["type_id", "parent_id", "sprint_id"]),
    table!("comments", key 1, Owner::Through("issue_id", "issues"), [ID, ("issue_id", "INTEGER NOT NULL REFERENCES issues (id)"), ("author", "TEXT NOT NULL"), ("body", "TEXT NOT NULL"), ("created_at", "TEXT NOT NULL")], constraints [], indexes ["issue_id"]),
    table!("attachments", key 1, Owner::Through("issue_id", "issues"), [ID, ("issue_id", "INTEGER NOT NULL REFERENCES issues (id)"), ("media_id", "TEXT NOT NULL UNIQUE"), ("name", "TEXT NOT NULL")], constraints [], indexes ["issue_id"]),
    table!("issue_links", key 3, Owner::Through("source_id", "issues"), [("source_id", "INTEGER NOT NULL REFERENCES issues (id)"), ("target_id", "INTEGER NOT NULL REFERENCES issues (id)"), ("kind", "TEXT NOT NULL")], constraints ["PRIMARY KEY (source_id, target_id, kind)"], indexes ["target_id"]),
    table!("queues", key 1, Owner::Through("project_id", "projects"), [ID, ("project_id", "INTEGER NOT NULL REFERENCES projects (id)"), ("name", "TEXT NOT NULL"), ("filter", "TEXT NOT NULL")], constraints [], indexes ["project_id"]),
    table!("ideas", key 1, Owner::Through("project_id", "projects"), [ID, ("project_id", "INTEGER NOT NULL REFERENCES projects (id)"), ("title", "TEXT NOT NULL"), ("score", "INTEGER NOT NULL"), ("delivered_by", "INTEGER REFERENCES issues (id)")], constraints [], indexes ["project_id", "delivered_by"]),
    // Confluence.
    table!("spaces", key 1, Owner::Site("site_id"), [ID, SITE, ("key", "TEXT NOT NULL"), ("name", "TEXT NOT NULL")], constraints ["UNIQUE (site_id, key)"], indexes []),
    table!("pages", key 1, Owner::Through("space_id", "spaces"), [ID, ("space_id", "INTEGER NOT NULL REFERENCES spaces (id)"), ("parent_id", "INTEGER REFERENCES pages (id)"), ("title", "TEXT NOT NULL"), ("body", "TEXT NOT NULL"), ("version", "INTEGER NOT NULL"), ("author", "TEXT NOT NULL"), ("updated_at", "TEXT NOT NULL")], constraints [], indexes ["space_id", "parent_id"]),
    table!("page_attachments", key 1, Owner::Through("page_id", "pages"), [ID, ("page_id", "INTEGER NOT NULL REFERENCES pages (id)"), ("media_id", "TEXT NOT NULL UNIQUE"), ("name", "TEXT NOT NULL")], constraints [], indexes ["page_id"]),
    table!("labels", key 2, Owner::Through("page_id", "pages"), [("page_id", "INTEGER NOT NULL REFERENCES pages (id)"), ("label", "TEXT NOT NULL")], constraints ["PRIMARY KEY (page_id, label)"], indexes []),
    // Opsgenie.
    table!("teams", key 1, Owner::Site("site_id"), [ID, SITE, ("name", "TEXT NOT NULL")], constraints [], indexes ["site_id"]),
    table!("schedules", key 1, Owner::Through("team_id", "teams"), [ID, ("team_id", "INTEGER NOT NULL REFERENCES teams (id)"), ("name", "TEXT NOT NULL"), ("rotation", "TEXT NOT NULL")], constraints [], indexes ["team_id"]),
    table!("alerts", key 1, Owner::Through("team_id", "teams"), [ID, ("team_id", "INTEGER NOT NULL REFERENCES teams (id)"), ("message", "TEXT NOT NULL"), ("priority", "INTEGER NOT NULL"), ("state", "TEXT NOT NULL"), ("payload", "BLOB"), ("raised_at", "TEXT NOT NULL")], constraints [], indexes ["team_id"]),
    // Statuspage.
    table!("status_pages", key 1, Owner::Site("site_id"), [ID, SITE, ("name", "TEXT NOT NULL"), ("subdomain", "TEXT NOT NULL UNIQUE")], constraints [], indexes ["site_id"]),
    table!("components", key 1, Owner::Through("status_page_id", "status_pages"), [ID, ("status_page_id", "INTEGER NOT NULL REFERENCES status_pages (id)"), ("name", "TEXT NOT NULL"), ("state", "TEXT NOT NULL")], constraints [], indexes ["status_page_id"]),
    table!("incidents", key 1, Owner::Through("component_id", "components"), [ID, ("component_id", "INTEGER NOT NULL REFERENCES components (id)"), ("title", "TEXT NOT NULL"), ("impact", "TEXT NOT NULL"), ("opened_at", "TEXT NOT NULL")], constraints [], indexes ["component_id"]),
    // Access.
    table!("access_policies", key 1, Owner::Site("site_id"), [ID, SITE, ("name", "TEXT NOT NULL"), ("kind", "TEXT NOT NULL")], constraints [], indexes ["site_id"]),
    table!("access_rules", key 1, Owner::Through("policy_id", "access_policies"), [ID, ("policy_id", "INTEGER NOT NULL REFERENCES access_policies (id)"), ("subject", "TEXT NOT NULL"), ("effect", "TEXT NOT NULL")], constraints [], indexes ["policy_id"]),
    // Insight: assets, and a link that reaches its site over two products.
    table!("object_schemas", key 1, Owner::Site("site_id"), [ID, SITE, ("name", "TEXT NOT NULL")], constraints [], indexes ["site_id"]),
    table!("assets", key 1, Owner::Through("schema_id", "object_schemas"), [ID, ("schema_id", "INTEGER NOT NULL REFERENCES object_schemas (id)"), ("kind", "TEXT NOT NULL"), ("name", "TEXT NOT NULL"), ("attributes", "BLOB NOT NULL")], constraints [], indexes ["schema_id"]),
    table!("asset_issues", key 2, Owner::Through("asset_id", "assets"), [("asset_id", "INTEGER NOT NULL REFERENCES assets (id)"), ("issue_id", "INTEGER NOT NULL REFERENCES issues (id)")], constraints ["PRIMARY KEY (asset_id, issue_id)"], indexes ["issue_id"]),
    // Written by a trigger on `issues`, on servers only.
    table!("issue_history", key 1, Owner::Through("issue_id", "issues"), [ID, ("issue_id", "INTEGER NOT NULL REFERENCES issues (id)"), ("status", "TEXT NOT NULL"), ("changed_at", "TEXT NOT NULL")], constraints [], indexes ["issue_id"]),
];
