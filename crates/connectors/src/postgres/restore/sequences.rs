//! Sequences: never set back; raised where the live one is behind what the backup had given out.

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{RestoreError, failed};
use super::pair::Pair;
use crate::postgres::quote::{literal, name, qualified};

/// A sequence of the live database that stood behind the backup's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Raised {
    /// The sequence.
    pub sequence: String,
    /// Where it stood.
    pub was: i64,
    /// Where the backup's stood, or its column's greatest number: where it stands now, unless nothing was to be written.
    pub to: i64,
}

/// Where a sequence stands: schema, name and number.
pub(crate) type Stand = (String, String, i64);

/// Returns where sequences of the restored tables' columns stand in the backup, or their columns' greatest numbers.
pub(crate) async fn stand(backup: &mut PgConnection, pair: &Pair) -> Result<Vec<Stand>, RestoreError> {
    let mut all = Vec::new();
    for sequence in &pair.backup.sequences {
        let Some(sheet) = pair.sheets.all.iter().find(|sheet| sheet.place == sequence.table) else { continue };
        let its = qualified(&sequence.schema, &sequence.name);
        let (most, beyond) = if sequence.increment > 0 { ("max", "greatest") } else { ("min", "least") };
        let was = format!(
            "SELECT {beyond}(CASE WHEN is_called THEN last_value END, (SELECT {most}({})::int8 FROM {})) FROM {its}",
            name(&sequence.column),
            sheet.qualified
        );
        let doing = failed(format!("look where the sequence {} stands", sequence.name));
        let (was,): (Option<i64>,) = sqlx::query_as(AssertSqlSafe(was)).fetch_one(&mut *backup).await.map_err(doing)?;
        all.extend(was.map(|was| (sequence.schema.clone(), sequence.name.clone(), was)));
    }
    Ok(all)
}

/// Compares live sequences with where they stood in the backup, and raises those that are behind if asked to.
///
/// A number that was given out in the backup may be in a restored row. Live sequences are ahead as a rule, since
/// deletions do not set them back.
pub(crate) async fn raise(
    live: &mut PgConnection,
    pair: &Pair,
    stands: &[Stand],
    write: bool,
) -> Result<Vec<Raised>, RestoreError> {
    let mut raised = Vec::new();
    for (schema, called, was) in stands {
        let known = pair.backup.sequences.iter().find(|other| other.schema == *schema && other.name == *called);
        let Some(sequence) = known else { continue };
        let doing = || failed(format!("compare the sequence {called}"));
        let its = qualified(schema, called);
        let up = sequence.increment > 0;
        let beyond = if up { "greatest" } else { "least" };
        let there: Option<(i64,)> = sqlx::query_as(AssertSqlSafe(format!("SELECT last_value FROM {its}")))
            .fetch_optional(&mut *live)
            .await
            .map_err(doing())?;
        let Some((is,)) = there else { continue };
        if (up && is >= *was) || (!up && is <= *was) {
            continue;
        }
        if write {
            // Between the look and the raise others may have drawn numbers: it only ever goes on.
            let raise = format!("SELECT setval({}, {beyond}($1, last_value)) FROM {its}", literal(&its));
            sqlx::query(AssertSqlSafe(raise)).bind(was).execute(&mut *live).await.map_err(doing())?;
        }
        raised.push(Raised { sequence: format!("{schema}.{called}"), was: is, to: *was });
    }
    Ok(raised)
}
