//! Sites that come back under another ID: which site stands in for which, and how its rows are called there.

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::random::Random;
use crate::schema::Schema;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// The catalogue's register. What was taken back stays in it, so that no ID is ever given twice.
pub(crate) const DDL: &str = "CREATE TABLE IF NOT EXISTS lab_moves (\
    new TEXT PRIMARY KEY NOT NULL, old TEXT NOT NULL, restore_point INTEGER NOT NULL, undone INTEGER NOT NULL)";

/// A site that stands in for a deleted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) old: String,
    pub(crate) new: String,
    /// The time to which the old site's records are brought back.
    pub(crate) point: Millis,
    /// The new ID of every app that the old site had.
    pub(crate) apps: BTreeMap<String, String>,
}

impl Move {
    /// The `n`-th site that stands in for an old one, with these apps.
    pub(crate) fn nth<'a>(
        seed: u64,
        old: &str,
        n: i64,
        point: Millis,
        apps: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::of(seed, old, &Random::new(seed, &format!("in place of {old} {n}")).uuid(), point, apps)
    }

    fn of<'a>(seed: u64, old: &str, new: &str, point: Millis, apps: impl IntoIterator<Item = &'a str>) -> Self {
        // The old records stay, marked as deleted: an app needs an ID of its own, too.
        let apps = apps.into_iter().map(|app| (app.to_owned(), Random::new(seed, &format!("{app} on {new}")).uuid()));
        Self { old: old.to_owned(), new: new.to_owned(), point, apps: apps.collect() }
    }

    /// A row of the old site as the new one has it, but for the numbers that the store gives its rows.
    pub(crate) fn renamed(&self, mut row: Row) -> Row {
        for value in &mut row {
            if let Value::Text(text) = value {
                match self.apps.get(text.as_str()) {
                    Some(app) => text.clone_from(app),
                    None if text.contains(&self.old) => *text = text.replace(&self.old, &self.new),
                    None => {}
                }
            }
        }
        row
    }
}

/// All sites that were made to stand in for another, and whether they were taken back; `apps` tells those of a site.
pub(crate) async fn read<'a, A: IntoIterator<Item = &'a str>>(
    catalogue: &mut Session,
    seed: u64,
    apps: impl Fn(&str) -> A,
) -> Result<Vec<(Move, bool)>, sqlx::Error> {
    // A lab that was never served has no register.
    const THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'lab_moves'";
    if sql::number(catalogue, THERE, &[]).await? == 0 {
        return Ok(Vec::new());
    }
    let rows = sql::rows(catalogue, "SELECT old, new, restore_point, undone FROM lab_moves", &[]).await?;
    let one = |row: &Row| match row.as_slice() {
        [Value::Text(old), Value::Text(new), Value::Int(point), Value::Int(undone)] => {
            Some((Move::of(seed, old, new, *point, apps(old)), *undone != 0))
        }
        _ => None,
    };
    Ok(rows.iter().filter_map(one).collect())
}

/// Gives rows of a renamed site, by position of their table, the numbers that the store gave: `numbers` has for each
/// numbered table the new ID of each old one.
pub(crate) fn renumbered(
    schema: &Schema,
    position: usize,
    mut row: Row,
    numbers: &BTreeMap<&str, BTreeMap<i64, i64>>,
) -> Row {
    let table = &schema.tables[position];
    let own = table.is_numbered().then_some((0, table.name));
    for (column, of) in table.references().chain(own) {
        let Some(Value::Int(id)) = row.get_mut(column) else { continue };
        if let Some(new) = numbers.get(of).and_then(|ids| ids.get(id)) {
            *id = *new;
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_id_is_renamed_wherever_a_text_holds_it() {
        let moved = Move::nth(7, "old-1", 1, 0, ["app-1"]);
        let row = vec!["old-1".into(), "a old-1/b".into(), "app-1".into(), "app-1 too".into(), Value::Int(3)];
        let new = moved.new.as_str();
        let wanted = vec![
            new.into(),
            format!("a {new}/b").into(),
            moved.apps["app-1"].as_str().into(),
            "app-1 too".into(),
            Value::Int(3),
        ];
        assert_eq!(moved.renamed(row), wanted);
        assert_ne!(Move::nth(7, "old-1", 2, 0, []).new, moved.new, "an ID that was taken back is not given again");
    }
}
