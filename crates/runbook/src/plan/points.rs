//! Restore points: for each site, and for each key of each group.

use engine::{NO_KEY, PlanSpec, Scope, Values};
use serde_json::Value as Json;

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::evaluate::{Scene, Shape, Spot};
use crate::model::{RestorePoint, Runbook};
use crate::plan::decide::site_words;
use crate::plan::groups::MAX_SHOWN;
use crate::time;
use crate::words;

/// Fills in the points; those of a drill may be earlier than the runbook's, which is no loss of data.
pub(super) fn fill(
    runbook: &Runbook,
    spec: &mut PlanSpec,
    earlier_ms: u64,
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let Some(declared) = &runbook.restore_point else { return };
    let margin = match margin(declared, spec) {
        Ok(margin) => i64::try_from(margin).unwrap_or(i64::MAX),
        Err(fact) => {
            let span = declared.margin.as_ref().map_or(declared.span, |margin| margin.span);
            found.push(
                Diagnostic::error(
                    codes::BAD_RESTORE_POINT,
                    format!("the margin: {fact}"),
                    "give a duration such as `5m`",
                )
                .at(text, span, ""),
            );
            return;
        }
    };
    let Some(Values::Timestamp(before)) = spec.sites.columns.get(declared.before).map(|column| &column.values) else {
        return;
    };
    let before = before.clone();
    let mut points: Vec<i64> = before.iter().map(|at| at.saturating_sub(margin)).collect();
    if let Some(group) = declared.align.and_then(|ix| spec.groups.get(ix)) {
        let earliest = earliest(&group.keys.rows, group.keys.dictionary.len(), &points);
        for (point, &key) in points.iter_mut().zip(&group.keys.rows) {
            if let Some(&aligned) = earliest.get(key as usize).filter(|_| key != NO_KEY) {
                *point = aligned;
            }
        }
    }
    if let Some(allowed) = declared.max_loss_ms {
        too_much(spec, (declared, allowed), (&before, &points), text, found);
    }
    let earlier = i64::try_from(earlier_ms).unwrap_or(i64::MAX);
    points.iter_mut().for_each(|point| *point = point.saturating_sub(earlier));
    for group in &mut spec.groups {
        group.restore_points = earliest(&group.keys.rows, group.keys.dictionary.len(), &points);
    }
    spec.sites.restore_points = points;
}

/// The earliest point of the sites of each key; every key has a site.
fn earliest(rows: &[u32], keys: usize, points: &[i64]) -> Vec<i64> {
    let mut all = vec![i64::MAX; keys];
    for (&key, &point) in rows.iter().zip(points) {
        if let Some(known) = all.get_mut(key as usize).filter(|_| key != NO_KEY) {
            *known = point.min(*known);
        }
    }
    all
}

fn margin(declared: &RestorePoint, spec: &PlanSpec) -> Result<u64, String> {
    let Some(margin) = &declared.margin else { return Ok(0) };
    let shape = Shape::new(Json::String(margin.value.clone())).map_err(|failed| failed.fact)?;
    let scene = Scene::new(&spec.inputs, &spec.estate)?;
    let spot = Spot { spec, scope: Scope::Run, key: 0, item: None, outputs: None, undone: None };
    match shape.fill(&scene, spot).map_err(|failed| failed.fact)? {
        Json::String(text) => words::duration_ms(&text),
        other => Err(format!("`{other}` is not a duration")),
    }
}

fn too_much(
    spec: &PlanSpec,
    (declared, allowed): (&RestorePoint, u64),
    (before, points): (&[i64], &[i64]),
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let mut count = 0_usize;
    for (site, (&before, &point)) in before.iter().zip(points).enumerate() {
        let loss = u64::try_from(before.saturating_sub(point)).unwrap_or(0);
        if loss <= allowed {
            continue;
        }
        count += 1;
        if count <= MAX_SHOWN {
            found.push(
                Diagnostic::error(
                    codes::PLAN_LOSS,
                    format!(
                        "{} would lose {} of data, more than {}: it is brought back to {}",
                        site_words(spec, site),
                        duration(loss),
                        duration(allowed),
                        time::show(point)
                    ),
                    "restore sites that were damaged at very different times in separate runs, align by `site`, or raise `max_loss`",
                )
                .at(text, declared.span, ""),
            );
        }
    }
    if count > MAX_SHOWN {
        found.push(
            Diagnostic::error(
                codes::PLAN_LOSS,
                format!("{count} sites in all would lose too much; {MAX_SHOWN} are shown"),
                "see above",
            )
            .at(text, declared.span, ""),
        );
    }
}

fn duration(millis: u64) -> String {
    humantime::format_duration(std::time::Duration::from_millis(millis)).to_string()
}
