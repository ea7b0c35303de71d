//! The pictures of the page: plain SVG, drawn from the report's numbers.

use std::fmt::Write as _;

use crate::axis::times;
use crate::escape::Xml;
use crate::report::{Distribution, MomentKind, Report};
use crate::text::ms;

const WIDTH: f64 = 1040.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 20.0;
const CURVE: f64 = 150.0;
const LANE: f64 = 20.0;
/// Batches drawn as lanes; the table has all.
const LANES: usize = 30;
/// Marks drawn; the list has all.
const MARKS: usize = 40;

/// Batches as lanes under the curve of returned sites, with what happened to the run.
pub(super) fn timeline(html: &mut String, report: &Report) {
    let wall = report.wall_s.max(0.001);
    let x = |seconds: f64| LEFT + (seconds / wall).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let lanes = report.batches.len().min(LANES);
    let top = 22.0;
    let floor = top + CURVE;
    let lanes_top = floor + 14.0;
    #[expect(clippy::cast_precision_loss, reason = "at most a few dozen lanes")]
    let lane_y = |ix: usize| lanes_top + ix as f64 * LANE;
    let bottom = lane_y(lanes) + 4.0;
    let height = bottom + 24.0;
    let given = f64::from(report.sites_by_state.given.max(1));
    let y = |sites: f64| floor - sites / given * CURVE;
    let _ = write!(
        html,
        "<div class=\"scroll\"><svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" \
         viewBox=\"0 0 {WIDTH:.0} {height:.0}\"><title>Sites that are back over time, and batches</title>"
    );
    for tick in times(wall) {
        let at = x(tick);
        let _ = write!(
            html,
            "<path class=\"grid\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 17.0,
            Xml(ms(tick))
        );
    }
    for share in [0.0, 0.5, 1.0] {
        let _ = write!(
            html,
            "<path class=\"grid\" d=\"M{LEFT:.1} {0:.1}H{1:.1}\"/><text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{4:.0}</text>",
            y(share * given),
            WIDTH - RIGHT,
            LEFT - 8.0,
            y(share * given) + 4.0,
            share * given
        );
    }
    let _ = write!(html, "<text x=\"{:.1}\" y=\"13\">sites back</text>", LEFT - 8.0);
    curve(html, report, x, y, wall, floor);
    marks(html, report, x, top, bottom);
    for (ix, batch) in report.batches.iter().take(lanes).enumerate() {
        let at = lane_y(ix);
        let _ = write!(
            html,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">batch {}</text>",
            LEFT - 8.0,
            at + 13.0,
            batch.number
        );
        if let (Some(opened), Some(took)) = (batch.opened_after_s, batch.wall_s) {
            let class = if batch.over_budget {
                "lane over"
            } else if batch.settled.is_none() {
                "lane open"
            } else {
                "lane"
            };
            let _ = write!(
                html,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"3\"><title>batch {}: {} of {} sites back in {}</title></rect>",
                x(opened),
                at + 2.0,
                (x(opened + took) - x(opened)).max(2.5),
                LANE - 5.0,
                batch.number,
                batch.back,
                batch.sites,
                Xml(ms(took))
            );
        }
    }
    html.push_str("</svg></div>");
    if report.batches.len() > lanes {
        let _ = write!(html, "<p class=\"key\">{} more batches are in the table.</p>", report.batches.len() - lanes);
    }
    html.push_str(
        "<p class=\"key\"><i style=\"background:var(--good)\"></i>sites back<i style=\"background:var(--bar)\"></i>batch settled\
         <i style=\"background:var(--bar2)\"></i>batch open<i style=\"background:var(--bad)\"></i>over budget\
         <i style=\"background:var(--warn)\"></i>pause, resume or a person's act</p>",
    );
}

fn curve(html: &mut String, report: &Report, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64, wall: f64, floor: f64) {
    let points = &report.returned_over_time;
    let Some(&(_, last)) = points.last() else { return };
    let mut path = format!("M{:.1} {floor:.1}", x(0.0));
    for &(at, sites) in points {
        let _ = write!(path, "H{:.1}V{:.1}", x(at), y(f64::from(sites)));
    }
    let _ = write!(path, "H{:.1}V{:.1}", x(wall), y(f64::from(last)));
    let _ = write!(
        html,
        "<path class=\"area\" d=\"{path}V{floor:.1}H{:.1}Z\"/><path class=\"curve\" d=\"{path}\"/>",
        x(0.0)
    );
}

fn marks(html: &mut String, report: &Report, x: impl Fn(f64) -> f64, top: f64, bottom: f64) {
    let marked = report.timeline.iter().filter(|moment| {
        matches!(
            moment.kind,
            MomentKind::Paused
                | MomentKind::Resumed
                | MomentKind::Reopened
                | MomentKind::Rejected
                | MomentKind::Lapsed
                | MomentKind::Cancelled
                | MomentKind::Unwinding
                | MomentKind::BudgetExceeded
        ) || moment.kind.is_act()
    });
    for moment in marked.take(MARKS) {
        let at = x(moment.after_s);
        let _ = write!(
            html,
            "<g><title>{}: {}</title><path class=\"mark\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/>\
             <circle class=\"tip\" cx=\"{at:.1}\" cy=\"{top:.1}\" r=\"4.5\"/></g>",
            Xml(ms(moment.after_s)),
            Xml(&moment.text)
        );
    }
}

/// A bar beside a name and a value: the second part of the bar lies under the first.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) first: f64,
    pub(super) second: f64,
    pub(super) value: String,
}

/// Horizontal bars of one scale.
pub(super) fn bars(html: &mut String, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.first.max(bar.second)).fold(0.0, f64::max);
    html.push_str("<div class=\"card bars\">");
    for bar in bars {
        let share = |value: f64| if most > 0.0 { (value / most * 100.0).max(0.4) } else { 0.0 };
        let _ = write!(
            html,
            "<span class=\"name\" title=\"{name}\">{name}</span><svg xmlns=\"http://www.w3.org/2000/svg\" aria-hidden=\"true\">",
            name = Xml(&bar.name)
        );
        for (class, value) in [("b2", bar.second), ("b1", bar.first)] {
            if value > 0.0 {
                let _ = write!(
                    html,
                    "<rect class=\"{class}\" y=\"1\" height=\"12\" rx=\"3\" width=\"{:.1}%\"/>",
                    share(value)
                );
            }
        }
        let _ = write!(html, "</svg><span class=\"value\">{}</span>", Xml(&bar.value));
    }
    html.push_str("</div>");
}

/// A distribution as columns, from its least to its largest value.
pub(super) fn histogram(html: &mut String, distribution: &Distribution) {
    let most = distribution.counts.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return;
    }
    if distribution.counts.iter().filter(|&&count| count > 0).count() == 1 {
        let _ = write!(html, "<p class=\"same\">the same for all {most}: <b>{}</b></p>", Xml(ms(distribution.from_s)));
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few dozen columns")]
    let width = 100.0 / distribution.counts.len() as f64;
    html.push_str("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hist\" aria-hidden=\"true\">");
    let mut left = 0.0;
    for &count in &distribution.counts {
        if count > 0 {
            let height = (f64::from(count) / f64::from(most) * 96.0).max(2.0);
            let _ = write!(
                html,
                "<rect class=\"b1\" x=\"{left:.2}%\" y=\"{:.1}%\" width=\"{:.2}%\" height=\"{height:.1}%\"><title>{count}</title></rect>",
                100.0 - height,
                width * 0.9
            );
        }
        left += width;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few dozen columns")]
    let end = distribution.from_s + distribution.width_s * distribution.counts.len() as f64;
    let _ = write!(
        html,
        "</svg><div class=\"axis\"><span>{}</span><span>tallest column: {most} sites</span><span>{}</span></div>",
        Xml(ms(distribution.from_s)),
        Xml(ms(end))
    );
}
