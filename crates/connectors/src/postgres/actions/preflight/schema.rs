//! Both sides at once, where the copy is there already: everything that a restore compares before it writes.

use runtime::Finding;
use serde_json::Value;

use super::super::trouble::trouble;
use super::{live, scope};
use crate::answer::Trouble;
use crate::postgres::restore::Pair;

/// Answers whether the schemas are equal in what a restore relies on.
pub(super) async fn answer(subject: &str, question: &Value) -> Result<Vec<Finding>, Trouble> {
    let scope = scope(question)?;
    let mut backup = live::open(question.get("from")).await?;
    let mut live = live::open(question.get(super::SCHEMA)).await?;
    let described = Pair::describe(&mut backup, &scope).await.map_err(|error| trouble(&error))?;
    let pair = Pair::read(described, &mut live, &scope).await.map_err(|error| trouble(&error))?;
    let fact = format!("{} tables as in the recovered copy", pair.sheets.all.len());
    Ok(vec![match pair.lost.as_slice() {
        [] => Finding::good(super::SCHEMA, subject, fact),
        lost => {
            let names: Vec<String> = lost.iter().take(8).map(|lost| format!("{}.{}", lost.schema, lost.name)).collect();
            let fact = format!("{} partitions of the copy are gone: {}", lost.len(), names.join(", "));
            let hint = "tenants with rows there are refused: make the partitions again";
            Finding::warning("postgres.schema_drift", subject, fact, hint)
        }
    }])
}
