//! Large objects that a tenant's rows name by number: they lie outside of tables, and their numbers are the server's.

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{Conflict, ConflictKind, RestoreError, failed};
use super::origin::Origin;
use super::pair::Pair;
use crate::postgres::quote::name;

/// Bytes that are copied at once.
const PART: i32 = 1024 * 1024;

/// Makes the large objects of a tenant again, under their numbers, with owner and rights.
///
/// # Errors
/// If the live database has another object under such a number.
pub(crate) async fn restore(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    tenant: &str,
) -> Result<(), RestoreError> {
    // A tenant with large objects is in no extract.
    let Some(backup) = origin.server() else { return Ok(()) };
    let (missing, conflicts) = look(live, backup, pair, tenant).await?;
    if !conflicts.is_empty() {
        return Err(RestoreError::Conflict { tenant: tenant.to_owned(), conflicts });
    }
    for number in missing {
        copy(live, backup, number).await?;
    }
    Ok(())
}

/// Finds which of a tenant's large objects are gone, and which numbers hold something else.
pub(crate) async fn look(
    live: &mut PgConnection,
    backup: &mut PgConnection,
    pair: &Pair,
    tenant: &str,
) -> Result<(Vec<i64>, Vec<Conflict>), RestoreError> {
    let (mut missing, mut conflicts) = (Vec::new(), Vec::new());
    let wanted = pair.wanted([tenant]);
    let doing = || failed("compare large objects");
    for sheet in &pair.sheets.all {
        for column in &sheet.large_objects {
            let Some(rows) = pair.closure.rows(&pair.backup, sheet.place, &wanted) else { continue };
            let numbers = format!(
                "SELECT DISTINCT m.oid::int8, md5(lo_get(m.oid)) FROM ({}) AS r JOIN pg_largeobject_metadata AS m ON m.oid = r.n ORDER BY 1",
                rows.select(&format!("t.{} AS n", name(column)))
            );
            let named: Vec<(i64, String)> =
                sqlx::query_as(AssertSqlSafe(numbers)).fetch_all(&mut *backup).await.map_err(doing())?;
            for (number, digest) in named {
                const THERE: &str = "SELECT md5(lo_get(oid)) FROM pg_largeobject_metadata WHERE oid = $1::int8::oid";
                let there: Option<(String,)> =
                    sqlx::query_as(THERE).bind(number).fetch_optional(&mut *live).await.map_err(doing())?;
                match there {
                    None => missing.push(number),
                    Some((same,)) if same == digest => {}
                    Some(_) => conflicts.push(Conflict {
                        table: sheet.label.clone(),
                        kind: ConflictKind::LargeObject,
                        constraint: None,
                        key: number.to_string(),
                        owner: None,
                    }),
                }
            }
        }
    }
    missing.sort_unstable();
    missing.dedup();
    Ok((missing, conflicts))
}

/// Returns whether a tenant's rows name large objects that are there.
pub(crate) async fn has_any(backup: &mut PgConnection, pair: &Pair, tenant: &str) -> Result<bool, RestoreError> {
    let wanted = pair.wanted([tenant]);
    for sheet in &pair.sheets.all {
        for column in &sheet.large_objects {
            let Some(rows) = pair.closure.rows(&pair.backup, sheet.place, &wanted) else { continue };
            let select = format!(
                "SELECT EXISTS (SELECT FROM ({}) AS r JOIN pg_largeobject_metadata AS m ON m.oid = r.n)",
                rows.select(&format!("t.{} AS n", name(column)))
            );
            let doing = failed("look for large objects");
            let (any,): (bool,) = sqlx::query_as(AssertSqlSafe(select)).fetch_one(&mut *backup).await.map_err(doing)?;
            if any {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

async fn copy(live: &mut PgConnection, backup: &mut PgConnection, number: i64) -> Result<(), RestoreError> {
    let doing = || failed(format!("copy the large object {number}"));
    sqlx::query("SELECT lo_create($1::int8::oid)").bind(number).execute(&mut *live).await.map_err(doing())?;
    let mut at: i64 = 0;
    loop {
        let (part,): (Vec<u8>,) = sqlx::query_as("SELECT lo_get($1::int8::oid, $2, $3)")
            .bind(number)
            .bind(at)
            .bind(PART)
            .fetch_one(&mut *backup)
            .await
            .map_err(doing())?;
        if part.is_empty() {
            break;
        }
        at += part.len() as i64;
        sqlx::query("SELECT lo_put($1::int8::oid, $2, $3)")
            .bind(number)
            .bind(at - part.len() as i64)
            .bind(part)
            .execute(&mut *live)
            .await
            .map_err(doing())?;
    }
    const OWNER: &str = "SELECT pg_get_userbyid(lomowner)::text FROM pg_largeobject_metadata WHERE oid = $1::int8::oid";
    let (owner,): (String,) = sqlx::query_as(OWNER).bind(number).fetch_one(&mut *backup).await.map_err(doing())?;
    let mut grants = format!("ALTER LARGE OBJECT {number} OWNER TO {};", name(&owner));
    const RIGHTS: &str = "SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type, \
        a.is_grantable FROM pg_largeobject_metadata AS m, aclexplode(m.lomacl) AS a \
        WHERE m.oid = $1::int8::oid AND a.grantee <> m.lomowner";
    let rights: Vec<(Option<String>, String, bool)> =
        sqlx::query_as(RIGHTS).bind(number).fetch_all(&mut *backup).await.map_err(doing())?;
    for (grantee, right, grantable) in rights {
        let grantee = grantee.map_or_else(|| "PUBLIC".to_owned(), |grantee| name(&grantee));
        let option = if grantable { " WITH GRANT OPTION" } else { "" };
        grants.push_str(&format!(" GRANT {right} ON LARGE OBJECT {number} TO {grantee}{option};"));
    }
    sqlx::raw_sql(AssertSqlSafe(grants)).execute(live).await.map(drop).map_err(doing())
}
