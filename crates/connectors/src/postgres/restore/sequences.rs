//! Sequences: never set back; raised where the live one is behind what the backup had given out.

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{RestoreError, failed};
use super::pair::Pair;
use crate::postgres::quote::{name, qualified};

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

/// Compares sequences of the restored tables' columns, and raises those that are behind if asked to.
///
/// A number that was given out in the backup may be in a restored row. Live sequences are ahead as a rule, since
/// deletions do not set them back.
pub(crate) async fn raise(
    backup: &mut PgConnection,
    live: &mut PgConnection,
    pair: &Pair,
    write: bool,
) -> Result<Vec<Raised>, RestoreError> {
    let mut raised = Vec::new();
    for sequence in &pair.backup.sequences {
        let Some(sheet) = pair.sheets.all.iter().find(|sheet| sheet.place == sequence.table) else { continue };
        let doing = || failed(format!("compare the sequence {}", sequence.name));
        let its = qualified(&sequence.schema, &sequence.name);
        let up = sequence.increment > 0;
        let (most, beyond) = if up { ("max", "greatest") } else { ("min", "least") };
        let was = format!(
            "SELECT {beyond}(CASE WHEN is_called THEN last_value END, (SELECT {most}({})::int8 FROM {})) FROM {its}",
            name(&sequence.column),
            sheet.qualified
        );
        let (was,): (Option<i64>,) =
            sqlx::query_as(AssertSqlSafe(was)).fetch_one(&mut *backup).await.map_err(doing())?;
        let there: Option<(i64,)> = sqlx::query_as(AssertSqlSafe(format!("SELECT last_value FROM {its}")))
            .fetch_optional(&mut *live)
            .await
            .map_err(doing())?;
        let (Some(was), Some((is,))) = (was, there) else { continue };
        if (up && is >= was) || (!up && is <= was) {
            continue;
        }
        if write {
            // Between the look and the raise others may have drawn numbers: it only ever goes on.
            let raise = format!("SELECT setval('{}', {beyond}($1, last_value)) FROM {its}", its.replace('\'', "''"));
            sqlx::query(AssertSqlSafe(raise)).bind(was).execute(&mut *live).await.map_err(doing())?;
        }
        raised.push(Raised { sequence: format!("{}.{}", sequence.schema, sequence.name), was: is, to: was });
    }
    Ok(raised)
}
