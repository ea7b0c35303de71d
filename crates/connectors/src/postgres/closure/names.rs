//! What names suggest. Nothing here is proof: whatever rests on a name says so.

use crate::postgres::catalog::{Catalog, Table};

/// Splits `projectIssueId`, `ProjectIssueID` and `project_issue_id` alike into words in lower case.
pub(super) fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let starts = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || (before.is_uppercase() && chars.get(at + 1).is_some_and(|next| next.is_lowercase()))
            });
        if !c.is_alphanumeric() || starts {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the words before the last if that says "reference": `source_project_id` gives source, project.
pub(super) fn stem(column: &str) -> Option<Vec<String>> {
    let mut words = words(column);
    let last = words.pop()?;
    (matches!(last.as_str(), "id" | "uuid" | "guid" | "fk" | "ref") && !words.is_empty()).then_some(words)
}

/// Returns whether a table's last word, or what may be its singular, is this word.
fn same_word(plural: &str, word: &str) -> bool {
    let singular = |ending: &str, instead: &str| {
        plural.strip_suffix(ending).is_some_and(|start| word.strip_suffix(instead) == Some(start))
    };
    plural == word
        || singular("s", "")
        || singular("es", "")
        || singular("ies", "y")
        || singular("people", "person")
        || singular("children", "child")
        || singular("ices", "ex")
        || singular("a", "um")
}

/// Returns whether these words are a table's name in the singular, or its end if `end` is allowed.
fn means(stem: &[String], table: &[String], end: bool) -> bool {
    let Some(skipped) = table.len().checked_sub(stem.len()) else { return false };
    if skipped > 0 && !end {
        return false;
    }
    let (Some((last, first)), Some((word, words))) = (table[skipped..].split_last(), stem.split_last()) else {
        return false;
    };
    first.iter().zip(words).all(|(one, other)| one == other) && same_word(last, word)
}

/// Returns whether a column is named as a reference to a table: by its name, or its name's end.
pub(super) fn refers_to(column: &str, table: &str) -> bool {
    stem(column).is_some_and(|stem| means(&stem, &thing(table), true))
}

/// Returns whether a table is named with the last of these words.
pub(super) fn share_a_word(stem: &[String], table: &str) -> bool {
    stem.last().is_some_and(|last| thing(table).iter().any(|word| same_word(word, last)))
}

/// Returns the names of all tables in words.
pub(super) fn tables(catalog: &Catalog) -> Vec<Vec<String>> {
    catalog.tables.iter().map(|table| thing(&table.name)).collect()
}

/// Returns the words of a table's name without one that only says that it is a table.
pub(super) fn thing(table: &str) -> Vec<String> {
    let mut words = words(table);
    let says_table = |word: &String| matches!(word.as_str(), "table" | "tbl" | "tb" | "entity" | "entities");
    if words.len() > 1 && words.last().is_some_and(says_table) {
        words.pop();
    }
    if words.len() > 1 && words.first().is_some_and(says_table) {
        words.remove(0);
    }
    words
}

/// Finds the table that a column is named for; `None` if there is none, or more than one.
///
/// `project_id` is `projects` rather than `app_project`, and that rather than nothing; a word before it
/// (`source_project_id`) is a role and may be left out. `parent_id` is the table itself. `named` is every table's name in
/// words, as [`tables`] gives them.
pub(super) fn target(catalog: &Catalog, named: &[Vec<String>], from: usize, column: &str) -> Option<usize> {
    let stem = stem(column)?;
    if stem == ["parent"] {
        return Some(from);
    }
    let own = &named[from];
    let mut itself = None;
    for skip in 0..stem.len() {
        for end in [false, true] {
            let mut found: Vec<usize> = (0..named.len()).filter(|at| means(&stem[skip..], &named[*at], end)).collect();
            if found.len() > 1 {
                // Of tables of several applications, the one of our own.
                let near = |at: &usize| {
                    catalog.tables[*at].schema == catalog.tables[from].schema && named[*at].first() == own.first()
                };
                if found.iter().any(near) {
                    found.retain(near);
                }
                // And of those `app_message` rather than `app_sent_messages`.
                let fewest = found.iter().map(|at| named[*at].len()).min();
                found.retain(|at| Some(named[*at].len()) == fewest);
            }
            match found.as_slice() {
                // A pair of alike things is named for one of them: `linked_page_id` in `linked_pages` is of `pages`.
                [one] if *one == from && skip + 1 < stem.len() => itself = Some(from),
                [one] => return Some(*one),
                [] => {}
                _ => return None,
            }
        }
    }
    itself
}

/// Returns whether values of two types can be the same thing.
pub(super) fn comparable(one: &str, other: &str) -> bool {
    family(one) == family(other)
}

fn family(base: &str) -> &str {
    match base.rsplit('.').next().unwrap_or(base).trim_matches('"') {
        "smallint" | "integer" | "bigint" | "numeric" => "number",
        "text" | "character varying" | "character" | "citext" | "bpchar" => "text",
        other => other,
    }
}

/// Finds pairs of columns like `owner_type` and `owner_id`: references whose table stands in the row.
pub(super) fn polymorphic(table: &Table) -> Vec<(String, String)> {
    let kind = |words: &[String]| {
        let kinds = ["type", "kind", "class", "model", "table", "name"];
        words.split_last().filter(|(last, _)| kinds.contains(&last.as_str())).map(|(_, start)| start.to_vec())
    };
    let mut pairs = Vec::new();
    for id in &table.columns {
        let Some(stem) = stem(&id.name) else { continue };
        // What keeps rows apart by itself is a row's own name.
        let only = [id.name.clone()];
        if table.primary_key() == only || (family(&id.base_type) == "text" && table.is_unique(&only)) {
            continue;
        }
        let same = table.columns.iter().find(|column| {
            let words = words(&column.name);
            kind(&words).is_some_and(|start| start == stem && words.last().is_some_and(|last| last != "name"))
                // `type` beside `type_id`
                || (stem == words && kind(&words).is_some())
        });
        if let Some(same) = same {
            pairs.push((same.name.clone(), id.name.clone()));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(names: &[&str]) -> Catalog {
        let table = |name: &&str| Table { schema: "public".into(), name: (*name).into(), ..Table::default() };
        Catalog { tables: names.iter().map(table).collect(), ..Catalog::default() }
    }

    #[test]
    fn columns_find_the_table_they_are_named_for() {
        let catalog = catalog(&[
            "Team",
            "app_project",
            "boxes",
            "companies",
            "crm_project",
            "canned_responses",
            "app_task",
            "app_project_tasks",
            "pages",
            "linked_pages",
            "tbl_invoice",
        ]);
        for (from, column, found) in [
            (0, "teamId", Some(0)),
            (0, "team_id", Some(0)),
            (0, "lastTeamId", Some(0)),
            (6, "project_id", Some(1)),
            (0, "project_id", None),
            (0, "box_id", Some(2)),
            (0, "company_id", Some(3)),
            (0, "canned_response_id", Some(5)),
            (3, "parent_id", Some(3)),
            (0, "task_id", Some(6)),
            (9, "page_id", Some(8)),
            (9, "linked_page_id", Some(8)),
            (0, "invoice_id", Some(10)),
            (0, "stripe_id", None),
            (0, "id", None),
            (0, "team", None),
        ] {
            assert_eq!(target(&catalog, &tables(&catalog), from, column), found, "{column}");
        }
    }

    #[test]
    fn words_are_found_in_any_style() {
        assert_eq!(words("sourceURLId"), ["source", "url", "id"]);
        assert_eq!(words("zerver_realm"), ["zerver", "realm"]);
        assert!(refers_to("realm_id", "zerver_realm") && !refers_to("realm", "zerver_realm"));
    }

    #[test]
    fn pairs_of_type_and_id_are_found() {
        let column = |name: &str| crate::postgres::Column { name: name.into(), ..Default::default() };
        let table =
            |names: &[&str]| Table { columns: names.iter().map(|name| column(name)).collect(), ..Table::default() };
        assert_eq!(polymorphic(&table(&["id", "owner_type", "owner_id"])), [("owner_type".into(), "owner_id".into())]);
        assert_eq!(polymorphic(&table(&["type", "type_id"])), [("type".into(), "type_id".into())]);
        assert!(polymorphic(&table(&["id", "type", "owner_id", "owner_name"])).is_empty());
    }
}
