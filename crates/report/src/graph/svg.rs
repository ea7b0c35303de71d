//! The drawing as SVG: boxes with ids, so that a page can change their classes without any layout.

use std::fmt::Write as _;

use crate::escape::Xml;
use crate::graph::Drawing;
use crate::graph::place::{Placed, place};

/// Width of a character of the names at 13 px, on the safe side.
const CHAR: f64 = 7.6;
/// Width of a character of the captions at 11 px, on the safe side.
const SMALL_CHAR: f64 = 6.3;
const HEIGHT: f64 = 42.0;
const MARGIN: f64 = 12.0;
/// Characters of a name that are shown; the title of its box has all.
const NAME: usize = 36;

/// Colours of the drawing in light and dark; the class of a box is its tint.
const STYLE: &str = "\
.rg{font-family:ui-sans-serif,system-ui,'Segoe UI',sans-serif;--fg:#1b1f24;--dim:#57606a;--line:#8b949e;--box:#fff;--edge:#9aa4af}\
.rg text{fill:var(--fg);font-size:13px;font-weight:600}.rg .cap{fill:var(--dim);font-size:11px;font-weight:400}\
.rg rect{fill:var(--box);stroke:var(--line);stroke-width:1.25}.rg path{fill:none;stroke:var(--edge);stroke-width:1.25}\
.rg .shared rect{stroke-width:2.25}.rg marker path{fill:var(--edge);stroke:none}\
.rg .waiting rect{fill:#f3f4f6;stroke:#8b949e}.rg .running rect{fill:#dbeafe;stroke:#2563eb}\
.rg .operator rect{fill:#ede9fe;stroke:#7c3aed}.rg .done rect{fill:#dcfce7;stroke:#15803d}\
.rg .flawed rect{fill:#fef3c7;stroke:#b45309}.rg .failed rect{fill:#fee2e2;stroke:#b91c1c}\
@media (prefers-color-scheme:dark){.rg{--fg:#e6edf3;--dim:#9da7b3;--line:#6e7681;--box:#161b22;--edge:#6e7681}\
.rg .waiting rect{fill:#21262d;stroke:#6e7681}.rg .running rect{fill:#12284c;stroke:#58a6ff}\
.rg .operator rect{fill:#2b1d4d;stroke:#a78bfa}.rg .done rect{fill:#0f2d1a;stroke:#3fb950}\
.rg .flawed rect{fill:#3a2a08;stroke:#d29922}.rg .failed rect{fill:#40151a;stroke:#f85149}}";

impl Drawing {
    /// An SVG document that stands by itself, light or dark as the reader's system is.
    ///
    /// Each step is a `g` with the id `step-N` (its position), its name in `data-step` and its tint as class.
    #[must_use]
    pub fn to_svg(&self) -> String {
        self.svg(Some(true))
    }

    /// The same for inside an HTML page: sized by the page.
    pub(crate) fn to_svg_part(&self) -> String {
        self.svg(Some(false))
    }

    /// The same without any style, for a page whose style sheet knows the classes.
    #[must_use]
    pub fn to_svg_plain(&self) -> String {
        self.svg(None)
    }

    /// With its style, alone or as a part; without any if neither.
    fn svg(&self, styled: Option<bool>) -> String {
        let captions: Vec<String> = self.nodes.iter().map(super::GraphNode::caption).collect();
        let names: Vec<String> = self.nodes.iter().map(|node| shorten(&node.name)).collect();
        let edges = self.edges();
        let layers = self.layers(&edges);
        let widths: Vec<f64> = names
            .iter()
            .zip(&captions)
            .map(|(name, caption)| {
                let width = (chars(name) * CHAR).max(chars(caption) * SMALL_CHAR) + 22.0;
                width.max(72.0)
            })
            .collect();
        // Boxes of a layer are as wide as its widest: no line that leaves one passes over another.
        let widest = |layer: usize| {
            let of_layer = widths.iter().zip(&layers).filter(|(_, other)| **other == layer);
            of_layer.map(|(&width, _)| width).fold(0.0, f64::max)
        };
        let all: Vec<f64> = (0..=layers.iter().copied().max().unwrap_or(0)).map(widest).collect();
        let sizes: Vec<(f64, f64)> = layers.iter().map(|&layer| (all[layer], HEIGHT)).collect();
        let placed = place(&sizes, &edges, &layers);
        let (width, height) = (placed.width + 2.0 * MARGIN, placed.height + 2.0 * MARGIN);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rg\" role=\"img\" width=\"{width:.0}\" \
             height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\"><title>{}</title>",
            Xml(&self.title)
        );
        if styled.is_some() {
            let _ = write!(svg, "<style>{STYLE}</style>");
        }
        if styled == Some(true) {
            svg.push_str("<style>@media (prefers-color-scheme:dark){svg.rg{background:#0d1117}}</style>");
        }
        svg.push_str(
            "<defs><marker id=\"rg-tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        );
        for (ix, &(from, to)) in edges.iter().enumerate() {
            line(&mut svg, &placed, &sizes, ix, from, to);
        }
        for (ix, node) in self.nodes.iter().enumerate() {
            let (x, y) = placed.centres[ix];
            let (width, height) = sizes[ix];
            let shared = if node.scope == "site" { "" } else { " shared" };
            let _ = writeln!(
                svg,
                "<g id=\"step-{ix}\" data-step=\"{name}\" class=\"{}{shared}\"><title>{name}: {caption}</title>\
                 <rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"7\"/>\
                 <text x=\"{cx:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
                 <text class=\"cap\" x=\"{cx:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{caption}</text></g>",
                node.tint().class(),
                MARGIN + x - width / 2.0,
                MARGIN + y - height / 2.0,
                MARGIN + y - 3.0,
                Xml(&names[ix]),
                MARGIN + y + 13.0,
                name = Xml(&node.name),
                caption = Xml(&captions[ix]),
                cx = MARGIN + x,
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// A line from the right of one box through its bends to the left of another, level where it meets each.
fn line(svg: &mut String, placed: &Placed, sizes: &[(f64, f64)], ix: usize, from: usize, to: usize) {
    let (start, end) = (placed.centres[from], placed.centres[to]);
    let mut last = (MARGIN + start.0 + sizes[from].0 / 2.0, MARGIN + start.1);
    let goal = (MARGIN + end.0 - sizes[to].0 / 2.0 - 1.0, MARGIN + end.1);
    let _ = write!(svg, "<path data-from=\"step-{from}\" data-to=\"step-{to}\" d=\"M{:.1} {:.1}", last.0, last.1);
    let bends = placed.bends.get(ix).map(Vec::as_slice).unwrap_or_default();
    for point in bends.iter().map(|&(x, y)| (MARGIN + x, MARGIN + y)).chain([goal]) {
        let middle = f64::midpoint(last.0, point.0);
        let _ = write!(svg, "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", last.1, point.1, point.0, point.1);
        last = point;
    }
    svg.push_str("\" marker-end=\"url(#rg-tip)\"/>\n");
}

fn chars(text: &str) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a width in pixels")]
    let chars = text.chars().count() as f64;
    chars
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}
