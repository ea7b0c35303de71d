//! Pictures of measurements: points, lines and bands over two axes, as SVG without a script.

use std::fmt::Write as _;

use crate::axis::numbers;
use crate::escape::Xml;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 108.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 44.0;

/// One line or set of points with its name.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) form: Form,
}

/// How a series is drawn.
pub(super) enum Form {
    Line,
    Dots,
    /// The area between each point's value and that of the other list.
    Band(Vec<f64>),
}

/// What is drawn over the axes.
pub(super) struct Plot<'a> {
    /// Unique in the page.
    pub(super) id: &'a str,
    pub(super) title: String,
    /// What there is to see, for whoever cannot.
    pub(super) told: String,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) series: Vec<Series>,
    pub(super) y_label: fn(f64) -> String,
    /// Where the lines of the upright axis are, up to a value.
    pub(super) y_ticks: fn(f64) -> Vec<f64>,
}

/// Draws a plot, with its names below.
pub(super) fn draw(html: &mut String, plot: &Plot) {
    let all = || plot.series.iter().flat_map(|series| &series.points);
    let bands = plot.series.iter().filter_map(|series| match &series.form {
        Form::Band(high) => Some(high),
        Form::Line | Form::Dots => None,
    });
    let most_x = all().map(|point| point.0).fold(0.0, f64::max);
    let most_y = all().map(|point| point.1).chain(bands.flatten().copied()).fold(0.0, f64::max);
    if most_x <= 0.0 || most_y <= 0.0 || !most_x.is_finite() || !most_y.is_finite() {
        return;
    }
    let (x_ticks, y_ticks) = (numbers(most_x), (plot.y_ticks)(most_y));
    let (end_x, end_y) = (most_x * 1.03, y_ticks.last().copied().unwrap_or(most_y).max(most_y) * 1.02);
    let x = |value: f64| LEFT + value / end_x * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / end_y * (HEIGHT - TOP - BOTTOM);
    let id = plot.id;
    let _ = write!(
        html,
        "<figure class=\"card\"><svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" \
         viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
        Xml(&plot.title),
        Xml(&plot.told)
    );
    for tick in x_ticks {
        let at = x(tick);
        let _ = write!(
            html,
            "<path class=\"grid\" d=\"M{at:.1} {TOP:.1}V{:.1}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0,
            Xml(number(tick))
        );
    }
    for tick in y_ticks {
        let at = y(tick);
        let _ = write!(
            html,
            "<path class=\"grid\" d=\"M{LEFT:.1} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            Xml((plot.y_label)(tick))
        );
    }
    let _ = write!(
        html,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 6.0,
        Xml(plot.x),
        f64::midpoint(TOP, HEIGHT - BOTTOM),
        Xml(plot.y)
    );
    for (ix, series) in plot.series.iter().enumerate() {
        one(html, series, colour(ix, &plot.series), &x, &y);
    }
    html.push_str("</svg><figcaption class=\"key\">");
    for (ix, series) in plot.series.iter().enumerate() {
        let _ = write!(html, "<i class=\"s{}\"></i>{}", colour(ix, &plot.series), Xml(&series.name));
    }
    html.push_str("</figcaption></figure>");
}

/// Number of a series' colour; a band has that of the line after it.
fn colour(ix: usize, series: &[Series]) -> usize {
    series[..ix].iter().filter(|one| !matches!(one.form, Form::Band(_))).count() % 6
}

fn one(html: &mut String, series: &Series, colour: usize, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
    let path = |points: &mut dyn Iterator<Item = (f64, f64)>, first: char| {
        let mut path = String::new();
        for (ix, (at, value)) in points.enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if ix == 0 { first } else { 'L' }, x(at), y(value));
        }
        path
    };
    match &series.form {
        Form::Dots => {
            for &(at, value) in &series.points {
                let _ = write!(
                    html,
                    "<circle class=\"dot s{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4.5\"/>",
                    x(at),
                    y(value)
                );
            }
        }
        Form::Line => {
            let drawn = path(&mut series.points.iter().copied(), 'M');
            let _ = write!(html, "<path class=\"line s{colour}\" d=\"{drawn}\"/>");
            for &(at, value) in series.points.iter().filter(|_| series.points.len() <= 12) {
                let _ = write!(
                    html,
                    "<circle class=\"dot s{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                    x(at),
                    y(value)
                );
            }
        }
        Form::Band(high) => {
            let there = path(&mut series.points.iter().copied(), 'M');
            let back = path(&mut series.points.iter().zip(high).rev().map(|(low, high)| (low.0, *high)), 'L');
            let _ = write!(html, "<path class=\"band s{colour}\" d=\"{there}{back}Z\"/>");
        }
    }
}

/// A part of a bar: class of its colour, words, share of the whole.
pub(super) type Part = (&'static str, String, f64);

/// Bars of parts that add up to a whole, one below the other; each a name, its parts, and a value.
pub(super) fn stacks(html: &mut String, title: &str, rows: &[(String, Vec<Part>, String)]) {
    html.push_str("<div class=\"card stacks\">");
    for (name, parts, value) in rows {
        let told: Vec<String> =
            parts.iter().map(|(_, words, share)| format!("{words} {:.0} %", share * 100.0)).collect();
        let _ = write!(
            html,
            "<span class=\"name\">{}</span><svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"><title>{}</title><desc>{}</desc>",
            Xml(name),
            Xml(format!("{title}: {name}")),
            Xml(told.join(", "))
        );
        let mut left = 0.0;
        for (class, words, share) in parts {
            let _ = write!(
                html,
                "<rect class=\"{class}\" x=\"{:.2}%\" y=\"0\" height=\"16\" width=\"{:.2}%\"><title>{}</title></rect>",
                left * 100.0,
                share * 100.0,
                Xml(format!("{words} {:.1} %", share * 100.0))
            );
            left += share;
        }
        let _ = write!(html, "</svg><span class=\"value\">{}</span>", Xml(value));
    }
    html.push_str("</div>");
}

/// A value of an axis without needless digits.
pub(super) fn number(value: f64) -> String {
    if value >= 10.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
