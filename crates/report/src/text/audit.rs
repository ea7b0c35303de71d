//! At which points in time the stores stand.

use crate::duration::{count, readable};
use crate::escape::plain;
use crate::report::{AuditReport, Report, StoreAudit};
use crate::text::ink::{Cell, Ink, Page};

/// Stores and sites shown of each; the rest is counted.
const SHOWN: usize = 40;

pub(super) fn audit(page: &mut Page, report: &Report) {
    let Some(audit) = &report.audit else { return };
    page.heading("Restore points");
    page.paragraph(2, 4, Some(if audit.differing > 0 { Ink::Bad } else { Ink::Strong }), &summary(audit));
    let points = audit.stores.iter().filter_map(|store| store.earliest.as_deref().zip(store.latest.as_deref()));
    if let Some((first, last)) = points.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) {
        let to = if first == last { String::new() } else { format!(" to {}", readable(last)) };
        page.paragraph(2, 4, None, &format!("points asked: {}{to}", readable(first)));
    }
    let rows: Vec<Vec<Cell>> = audit.stores.iter().filter(|store| !store.silent).take(SHOWN).map(row).collect();
    if !rows.is_empty() {
        page.table(&["store", "sites", "agree", "elsewhere", "asked else", "unproven", "proves"], &rows);
    }
    let silent: Vec<String> =
        audit.stores.iter().filter(|store| store.silent).map(|store| plain(&store.step)).collect();
    if !silent.is_empty() {
        let text = format!(
            "no evidence at all from {}: asked for a restore point, it answered none; its word is not known to be true",
            silent.join(", ")
        );
        page.paragraph(2, 4, Some(Ink::Warn), &text);
        let hint = "hint: let its action give `restore_point` (`outputs: { restore_point: /POINTER }` of http/request@1), or a \
                    check name it under `of`";
        page.paragraph(2, 8, None, hint);
    }
    for site in audit.differences.iter().take(SHOWN) {
        page.paragraph(2, 4, Some(Ink::Bad), &format!("{}: asked {}", plain(&site.site), readable(&site.asked)));
        for store in site.stores.iter().filter(|store| store.verdict != "agrees") {
            let reached = store.reached.as_deref().map_or_else(|| "not proved".to_owned(), readable);
            let evidence =
                if store.evidence.is_empty() { String::new() } else { format!(" ({})", plain(&store.evidence)) };
            let asked = if store.asked == site.asked {
                String::new()
            } else {
                format!(", asked for {}", readable(&store.asked))
            };
            page.paragraph(4, 8, None, &format!("{}: {reached}{asked}{evidence}", plain(&store.store)));
        }
        let agree = site.stores.iter().filter(|store| store.verdict == "agrees").count();
        if agree > 0 {
            page.paragraph(4, 8, None, &format!("{} at the point asked", count(agree as u64, "store", "stores")));
        }
    }
    let more = audit.differing as usize - audit.differences.len().min(SHOWN);
    if more > 0 {
        page.paragraph(2, 4, Some(Ink::Faint), &format!("and {more} more sites; the JSON report has them"));
    }
}

/// The audit in a sentence; shared with the HTML page.
pub(crate) fn summary(audit: &AuditReport) -> String {
    let sites = count(u64::from(audit.sites), "site is back", "sites are back");
    let mut text = format!("{sites}: {} proved to stand at one point in every store", audit.agreeing);
    if audit.differing > 0 {
        text = format!("{text}, {} with stores that DISAGREE", audit.differing);
    }
    let open = audit.sites - audit.agreeing - audit.differing;
    if open > 0 {
        text = format!("{text}, {open} not proved in every store");
    }
    text
}

fn row(store: &StoreAudit) -> Vec<Cell> {
    vec![
        Cell::new(plain(&store.store)),
        Cell::new(store.sites.to_string()),
        Cell::number(u64::from(store.agrees), Some(Ink::Good)),
        Cell::number(u64::from(store.elsewhere), Some(Ink::Bad)),
        Cell::number(u64::from(store.asked_otherwise), Some(Ink::Bad)),
        Cell::number(u64::from(store.unproven), Some(Ink::Warn)),
        match store.proves.len() {
            0 => Cell::new("itself"),
            steps => Cell::new(count(steps as u64, "step", "steps")),
        },
    ]
}
