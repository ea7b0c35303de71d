//! The tables of the data set, as a person writes them down who restores by hand.

/// A table of tenants' rows.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Columns that are written; computed ones are not among them.
    pub(super) columns: &'static str,
    /// Whose a row `t` is; `{ids}` stands for an array of tenants.
    whose: &'static str,
    /// Columns that refer to another table's `id`.
    pub(super) references: &'static [(&'static str, &'static str)],
}

impl Table {
    /// The condition under which a row `t` belongs to tenants, given as an expression for an array.
    pub(super) fn of(&self, ids: &str) -> String {
        self.whose.replace("{ids}", ids)
    }

    /// Reads rows of tenants.
    pub(super) fn copy_out(&self, ids: &str, format: &str) -> String {
        let columns: Vec<String> = self.columns.split(", ").map(|column| format!("t.{column}")).collect();
        let (columns, name, of) = (columns.join(", "), self.name, self.of(ids));
        format!("COPY (SELECT {columns} FROM {name} AS t WHERE {of}) TO STDOUT (FORMAT {format})")
    }

    /// Writes rows.
    pub(super) fn copy_in(&self, format: &str) -> String {
        format!("COPY {} ({}) FROM STDIN (FORMAT {format})", self.name, self.columns)
    }
}

const OWN: &str = "t.tenant_id = ANY({ids})";

/// In an order in which what is referred to comes first; only `tenants.owner_id` refers to what comes later.
pub(super) const TABLES: [Table; 12] = [
    Table {
        name: "tenants",
        columns: "id, hostname, name, plan_id, owner_id, settings, created_at",
        whose: "t.id = ANY({ids})",
        references: &[("plan_id", "plans"), ("owner_id", "users")],
    },
    Table {
        name: "users",
        columns: "id, tenant_id, email, display_name, avatar, created_at",
        whose: OWN,
        references: &[("tenant_id", "tenants")],
    },
    Table { name: "groups", columns: "id, tenant_id, name", whose: OWN, references: &[("tenant_id", "tenants")] },
    Table {
        name: "memberships",
        columns: "group_id, user_id, since",
        whose: "t.group_id IN (SELECT g.id FROM groups AS g WHERE g.tenant_id = ANY({ids}))",
        references: &[("group_id", "groups"), ("user_id", "users")],
    },
    Table {
        name: "projects",
        columns: "id, tenant_id, key, name, lead_id, next_number",
        whose: OWN,
        references: &[("tenant_id", "tenants"), ("lead_id", "users")],
    },
    Table {
        name: "issues",
        columns: "id, tenant_id, project_id, number, parent_id, reporter_id, assignee_id, summary, description, fields, \
                  created_at",
        whose: OWN,
        references: &[
            ("tenant_id", "tenants"),
            ("project_id", "projects"),
            ("parent_id", "issues"),
            ("reporter_id", "users"),
            ("assignee_id", "users"),
        ],
    },
    Table {
        name: "comments",
        columns: "id, tenant_id, issue_id, author_id, body, created_at",
        whose: OWN,
        references: &[("tenant_id", "tenants"), ("issue_id", "issues"), ("author_id", "users")],
    },
    Table {
        name: "pages",
        columns: "id, tenant_id, parent_id, author_id, title, body",
        whose: OWN,
        references: &[("tenant_id", "tenants"), ("parent_id", "pages"), ("author_id", "users")],
    },
    Table {
        name: "attachments",
        columns: "id, issue_id, uploader_id, media_id, bytes, digest",
        whose: "t.issue_id IN (SELECT i.id FROM issues AS i WHERE i.tenant_id = ANY({ids}))",
        references: &[("issue_id", "issues"), ("uploader_id", "users")],
    },
    Table {
        name: "permissions",
        columns: "id, tenant_id, group_id, project_id, level",
        whose: OWN,
        references: &[("tenant_id", "tenants"), ("group_id", "groups"), ("project_id", "projects")],
    },
    Table {
        name: "app_installs",
        columns: "id, tenant_id, app, config",
        whose: OWN,
        references: &[("tenant_id", "tenants")],
    },
    Table {
        name: "audit",
        columns: "id, tenant_id, actor_id, at, what, detail",
        whose: OWN,
        references: &[("tenant_id", "tenants"), ("actor_id", "users")],
    },
];

/// Writes an array of tenants as an expression of SQL; IDs are those of the data set, which are plain.
pub(super) fn array<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let ids: Vec<&str> = ids.into_iter().collect();
    format!("'{{{}}}'::uuid[]", ids.join(","))
}

#[cfg(test)]
mod tests {
    use super::{TABLES, array};

    #[test]
    fn the_list_says_what_the_schema_says() {
        let keys: String = include_str!("keys.sql").split_whitespace().collect::<Vec<_>>().join(" ");
        let declared = keys.matches("FOREIGN KEY").count();
        let listed: Vec<String> = TABLES
            .iter()
            .flat_map(|table| table.references)
            .map(|(column, parent)| format!("FOREIGN KEY ({column}) REFERENCES {parent}"))
            .collect();
        assert_eq!(listed.len(), declared);
        for reference in listed {
            assert!(keys.contains(&reference), "{reference}");
        }
    }

    #[test]
    fn rows_are_selected_by_their_tenant() {
        let ids = array(["a", "b"]);
        assert_eq!(ids, "'{a,b}'::uuid[]");
        let copy = TABLES[2].copy_out(&ids, "text");
        let rows = "SELECT t.id, t.tenant_id, t.name FROM groups AS t WHERE t.tenant_id = ANY('{a,b}'::uuid[])";
        assert_eq!(copy, format!("COPY ({rows}) TO STDOUT (FORMAT text)"));
        assert_eq!(TABLES[2].copy_in("binary"), "COPY groups (id, tenant_id, name) FROM STDIN (FORMAT binary)");
    }
}
