//! Staged rows under their new IDs, held against the backup's before any live row is written: each must lead back.

use sqlx::{AssertSqlSafe, PgConnection};

use super::RemapError;
use super::plan::Plan;
use super::rewrite::{self, Direction};
use crate::postgres::quote::name;
use crate::postgres::restore::copy_stream::Fields;
use crate::postgres::restore::error::{RestoreError, failed};
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::session::run;
use crate::postgres::restore::source;
use crate::postgres::restore::stage::Stage;
use crate::postgres::restore::tally::Tally;

/// Gives a staged table its new IDs, takes them back and compares with what was seen of the backup's rows.
///
/// The live rows are compared too, once they are there; but only if they are the staged ones and no others, and then
/// everything is written already.
///
/// # Errors
/// Names the column whose values do not fit, or do not lead back.
pub(super) async fn rewrite(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    (at, stage): (usize, &mut Stage<'_>),
    meant: &Tally,
) -> Result<(), RestoreError> {
    narrow(live, plan, pair, at, stage).await?;
    let was = std::mem::replace(&mut stage.twin, format!("pg_temp.reinstate_new_{at}"));
    let select = rewrite::select(plan, &pair.backup, at, &format!("{was} AS t"), Direction::ToNew);
    let script = format!("CREATE TEMP TABLE reinstate_new_{at} ON COMMIT DROP AS {select}; ANALYZE {}", stage.twin);
    let label = &stage.sheet.label;
    match run(live, &script, &format!("give new IDs to rows of {label}")).await {
        // Out of range, or not what the type's check allows.
        Err(RestoreError::Database { state: Some(state), why, .. }) if state.starts_with("22") || state == "23514" => {
            return Err(RemapError::Unfit { what: label.clone(), why }.into());
        }
        made => made?,
    }
    let from = format!("{} AS t", stage.twin);
    if !back(live, plan, pair, (at, &from)).await?.is_of_the_rows_of(meant) {
        return Err(why(live, plan, pair, at, (&was, &from)).await?.into());
    }
    run(live, &format!("DROP TABLE {was}"), "drop a temporary table").await
}

/// Checks that nothing is cut off: `#1` that becomes `#10` may be `#1` again in a column of two letters, and lead back.
async fn narrow(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    at: usize,
    stage: &Stage<'_>,
) -> Result<(), RestoreError> {
    let sheet = &plan.sheets[at];
    let columns = pair.backup.tables[sheet.place].columns.iter();
    for column in columns.filter(|it| it.base_type.starts_with("character") && it.data_type != it.base_type) {
        if !plan.tables[at].touches(&column.name) {
            continue;
        }
        let select = format!(
            "SELECT count(*) FROM (SELECT {} AS whole FROM {} AS t{} OFFSET 0) AS n WHERE n.whole <> n.whole::{}::text",
            rewrite::as_text(plan, at, &column.name, Direction::ToNew),
            stage.twin,
            rewrite::joins(plan, at, Direction::ToNew),
            column.data_type
        );
        let (rows,): (i64,) = sqlx::query_as(AssertSqlSafe(select))
            .fetch_one(&mut *live)
            .await
            .map_err(failed(format!("look how long values of {} become", sheet.label)))?;
        if rows > 0 {
            let what = format!("{}.{}", sheet.label, column.name);
            return Err(
                RemapError::Unfit { what, why: format!("{rows} values are longer than {}", column.data_type) }.into()
            );
        }
    }
    Ok(())
}

/// Reads rows of a table, given as what stands after FROM with alias `t`, with their IDs taken back.
pub(super) async fn back(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    (at, from): (usize, &str),
) -> Result<Tally, RestoreError> {
    let sheet = &plan.sheets[at];
    let (mut tally, mut fields) = (Tally::default(), Fields::default());
    let select = rewrite::select(plan, &pair.backup, at, from, Direction::ToOld);
    let copy = format!("COPY ({select}) TO STDOUT (FORMAT {})", sheet.form.option());
    source::read(live, &copy, sheet, |row| {
        fields.find(sheet.form, row)?;
        tally.add(fields.span(row, 0, fields.len()));
        Ok(())
    })
    .await?;
    Ok(tally)
}

/// Finds the first column whose values do not come back.
async fn why(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    at: usize,
    (was, from): (&str, &str),
) -> Result<RemapError, RestoreError> {
    let sheet = &plan.sheets[at];
    for name_of in sheet.stored.iter().filter(|column| plan.tables[at].touches(column)) {
        let back = rewrite::value(plan, &pair.backup, at, name_of, Direction::ToOld);
        let joins = rewrite::joins(plan, at, Direction::ToOld);
        let select = format!(
            "SELECT count(*) FROM (SELECT s.{}::text FROM {was} AS s EXCEPT ALL SELECT ({back})::text FROM {from}{joins}) AS lost",
            name(name_of)
        );
        let (rows,): (i64,) = sqlx::query_as(AssertSqlSafe(select))
            .fetch_one(&mut *live)
            .await
            .map_err(failed(format!("compare rows of {}", sheet.label)))?;
        if rows == 0 {
            continue;
        }
        let what = format!("{}.{name_of}", sheet.label);
        return Ok(RemapError::NoWayBack { what, rows: u64::try_from(rows).unwrap_or(0) });
    }
    // Which one it is shows in none by itself.
    Ok(RemapError::NoWayBack { what: sheet.label.clone(), rows: 0 })
}
