//! What a damaged site should look like: as at the point to which the catalogue says it was restored.

use std::collections::HashMap;
use std::sync::Arc;

use super::Difference;
use super::moved::Moves;
use crate::clock::{MAX_LOSS, Millis, rfc3339};
use crate::layout::{Layout, Passport};
use crate::moves;
use crate::population::Site;
use crate::sql::{self, Mode, StoreError};

/// What a site should look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// As at this instant: it was restored.
    At(Millis),
    /// Anything: it was damaged and not restored, which is a difference already.
    Anything,
}

/// What to expect of the damaged sites; all others should be as their log says.
pub(super) type Expectations = HashMap<String, Expect>;

/// The sites that came back under another ID, as the catalogue's register has them.
pub(super) async fn moves(layout: &Layout, passport: &Passport, sites: &[Site]) -> Result<Arc<Moves>, StoreError> {
    let path = layout.store("catalogue");
    let mut conn = sql::open(&path, Mode::Read).await?;
    let by_id: HashMap<&str, &Site> = sites.iter().map(|site| (site.id.as_str(), site)).collect();
    let apps = |id: &str| {
        let site = by_id.get(id).copied();
        site.into_iter().flat_map(|site| site.apps.iter().map(|app| app.id.as_str())).collect::<Vec<_>>()
    };
    let made = moves::read(&mut conn, passport.seed, apps).await.map_err(StoreError::sql(&path))?;
    conn.close().await.map_err(StoreError::sql(&path))?;
    Ok(Arc::new(Moves::new(made.into_iter().filter(|(_, undone)| !undone).map(|(moved, _)| moved).collect())))
}

/// Says what to expect of each damaged site, and what is wrong with its restore point.
pub(super) async fn expectations(
    layout: &Layout,
    passport: &Passport,
    moves: &Moves,
    found: &mut Vec<Difference>,
) -> Result<Expectations, StoreError> {
    let path = layout.store("catalogue");
    let mut conn = sql::open(&path, Mode::Read).await?;
    const SQL: &str = "SELECT site, restore_point FROM lab_restores WHERE operation = 'undelete'";
    let rows = sql::rows(&mut conn, SQL, &[]).await.map_err(StoreError::sql(&path))?;
    let restored: HashMap<&str, Millis> =
        rows.iter().filter_map(|row| Some((row.first()?.as_text()?, row.get(1)?.as_int()?))).collect();
    let mut out = Expectations::new();
    for (site, deleted_at) in &passport.deleted {
        let mut report = |what: String| {
            found.push(Difference {
                site: site.clone(),
                store: "catalogue".to_owned(),
                table: "sites".to_owned(),
                key: site.clone(),
                what,
            });
        };
        let moved = moves.of_old(site);
        let expect = match moved.map(|moved| &moved.point).or_else(|| restored.get(site.as_str())) {
            None => {
                report("not restored".to_owned());
                Expect::Anything
            }
            Some(point) => {
                if point >= deleted_at {
                    report(format!("restored to {}, not before its deletion", rfc3339(*point)));
                } else if deleted_at - point > MAX_LOSS {
                    report(format!("restored to {}, more than an hour before its deletion", rfc3339(*point)));
                }
                Expect::At(*point)
            }
        };
        // Under its old ID a site that came back under another stays as the deletion left it: as the log's end.
        if moved.is_none() {
            out.insert(site.clone(), expect);
        }
    }
    Ok(out)
}
