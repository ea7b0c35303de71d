//! At which points in time the stores stand.

use std::fmt::Write as _;

use super::tables::{CARDS, close, open};
use crate::duration::readable;
use crate::escape::Xml;
use crate::report::Report;
use crate::text::summary;

pub(super) fn audit(html: &mut String, report: &Report) {
    let Some(audit) = &report.audit else { return };
    let class = if audit.differing > 0 { "bad" } else { "dim" };
    let _ = write!(html, "\n<h2>Restore points</h2><p class=\"{class}\">{}</p>", Xml(summary(audit)));
    open(
        html,
        &[
            "<store",
            "<step",
            "sites",
            "agree",
            "elsewhere",
            "asked otherwise",
            "unproven",
            "<points asked",
            "<evidence",
        ],
    );
    for store in &audit.stores {
        let points = match (&store.earliest, &store.latest) {
            (Some(first), Some(last)) if first == last => readable(first),
            (Some(first), Some(last)) => format!("{} – {}", readable(first), readable(last)),
            _ => String::new(),
        };
        let evidence = match (store.silent, store.proves.as_slice()) {
            (true, _) => "none: it answered no restore point".to_owned(),
            (false, []) => store.evidence.clone(),
            (false, steps) => format!("{}; proves {}", store.evidence, steps.join(", ")),
        };
        let _ = write!(
            html,
            "<tr><td class=\"left\">{}</td><td class=\"left\" title=\"{}\">{}</td><td>{}</td>",
            Xml(&store.store),
            Xml(&store.place),
            Xml(&store.step),
            store.sites
        );
        for (number, class) in
            [(store.agrees, "good"), (store.elsewhere, "bad"), (store.asked_otherwise, "bad"), (store.unproven, "warn")]
        {
            let class = if number == 0 { "zero" } else { class };
            let _ = write!(html, "<td class=\"{class}\">{number}</td>");
        }
        let _ = write!(html, "<td class=\"left\">{}</td><td class=\"left\">{}</td></tr>", Xml(points), Xml(evidence));
    }
    close(html, audit.stores.len(), "stores");
    if audit.differences.is_empty() {
        return;
    }
    let shown = if audit.differing <= 20 { " open=\"open\"" } else { "" };
    let _ = write!(html, "<details{shown}><summary>Sites whose stores disagree ({})</summary>", audit.differing);
    open(html, &["<site", "<store", "<asked", "<reached", "<evidence", "<verdict"]);
    for site in audit.differences.iter().take(CARDS) {
        for store in &site.stores {
            let class = if store.verdict == "agrees" { "good" } else { "bad" };
            let _ = write!(
                html,
                "<tr><td class=\"left\"><code>{}</code></td><td class=\"left\">{}</td><td class=\"left\">{}</td>\
                 <td class=\"left\">{}</td><td class=\"left\">{}</td><td class=\"left {class}\">{}</td></tr>",
                Xml(&site.site),
                Xml(&store.store),
                Xml(readable(&store.asked)),
                Xml(store.reached.as_deref().map_or_else(|| "–".to_owned(), readable)),
                Xml(&store.evidence),
                store.verdict.replace('_', " ")
            );
        }
    }
    html.push_str("</tbody></table></div>");
    if audit.differing as usize > CARDS {
        let more = audit.differing as usize - CARDS;
        let _ = write!(html, "<p class=\"key\">and {more} more sites; the JSON report has them.</p>");
    }
    html.push_str("</details>");
}
