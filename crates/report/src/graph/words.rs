//! The drawings that are text: layers for a terminal, Mermaid for a page, DOT for Graphviz.

use std::fmt::Write as _;

use crate::escape::{dot, mermaid, plain};
use crate::graph::{Drawing, Tint};

impl Drawing {
    /// Layer by layer: what is in one layer can run side by side. Needs that follow from others are left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        let edges = self.edges();
        let layers = self.layers(&edges);
        let depth = layers.iter().copied().max().map_or(0, |last| last + 1);
        let width = self.nodes.iter().map(|node| plain(&node.name).chars().count()).max().unwrap_or(0).min(40);
        let mut text = String::new();
        if !self.title.is_empty() {
            let _ = writeln!(text, "{} ({} steps, {depth} layers)", plain(&self.title), self.nodes.len());
        }
        for layer in 0..depth {
            for (ordinal, (ix, node)) in
                self.nodes.iter().enumerate().filter(|(ix, _)| layers[*ix] == layer).enumerate()
            {
                let number = if ordinal == 0 { (layer + 1).to_string() } else { String::new() };
                let needs: Vec<String> =
                    edges.iter().filter(|(_, to)| *to == ix).map(|(from, _)| plain(&self.nodes[*from].name)).collect();
                let needs = if needs.is_empty() { String::new() } else { format!(" <- {}", needs.join(", ")) };
                let name = plain(&node.name);
                let line = format!("{number:>3}  {name:width$}  [{}]{needs}", plain(&node.caption()));
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// A Mermaid flowchart, from left to right.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for (ix, node) in self.nodes.iter().enumerate() {
            let class = match node.tint() {
                Tint::Plain => String::new(),
                tint => format!(":::{}", tint.class()),
            };
            let (open, close) = if node.scope == "site" { ("[", "]") } else { ("([", "])") };
            let _ = writeln!(
                text,
                "  s{ix}{open}\"{}<br/>{}\"{close}{class}",
                mermaid(&node.name),
                mermaid(&node.caption())
            );
        }
        for (from, to) in self.edges() {
            let _ = writeln!(text, "  s{from} --> s{to}");
        }
        if self.nodes.iter().any(|node| node.units.is_some()) {
            for (class, fill, line) in COLOURS {
                let _ = writeln!(text, "  classDef {class} fill:{fill},stroke:{line},color:#1b1f24");
            }
        }
        text
    }

    /// A DOT digraph, from left to right.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut text = format!("digraph \"{}\" {{\n", dot(&self.title));
        text.push_str("  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", fontname=\"sans-serif\"];\n");
        for (ix, node) in self.nodes.iter().enumerate() {
            let colour = COLOURS.iter().find(|(class, ..)| *class == node.tint().class());
            let colour =
                colour.map(|(_, fill, line)| format!(", fillcolor=\"{fill}\", color=\"{line}\"")).unwrap_or_default();
            let name = dot(&node.name);
            let _ = writeln!(text, "  s{ix} [id=\"step-{ix}\", label=\"{name}\\n{}\"{colour}];", dot(&node.caption()));
        }
        for (from, to) in self.edges() {
            let _ = writeln!(text, "  s{from} -> s{to};");
        }
        text.push_str("}\n");
        text
    }
}

/// Class, fill and line of each tint but the plain one.
const COLOURS: [(&str, &str, &str); 6] = [
    ("waiting", "#f3f4f6", "#8b949e"),
    ("running", "#dbeafe", "#2563eb"),
    ("operator", "#ede9fe", "#7c3aed"),
    ("done", "#dcfce7", "#15803d"),
    ("flawed", "#fef3c7", "#b45309"),
    ("failed", "#fee2e2", "#b91c1c"),
];
