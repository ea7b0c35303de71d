//! `with` as a shape with holes: compiled once, filled for each unit.

use serde_json::Value as Json;

use crate::evaluate::{Scene, Spot};
use crate::expr::Compiled;
use crate::template::{self, Part};

/// A hole with its expression.
#[derive(Debug)]
pub(crate) struct Hole {
    pub(crate) compiled: Compiled,
    /// Whether it is a whole value and so keeps its type.
    pub(crate) whole: bool,
}

#[derive(Debug)]
enum Node {
    Fixed(Json),
    Hole(usize),
    Mixed(Vec<Piece>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Hole(usize),
}

/// Inputs of an action with holes.
#[derive(Debug)]
pub(crate) struct Shape {
    root: Node,
    pub(crate) holes: Vec<Hole>,
}

/// What went wrong and in which expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) expression: String,
    pub(crate) fact: String,
}

impl Shape {
    /// Compiles inputs given as JSON.
    pub(crate) fn new(value: Json) -> Result<Self, Failed> {
        let mut holes = Vec::new();
        let root = node(value, &mut holes)?;
        Ok(Self { root, holes })
    }

    /// Fills the holes.
    pub(crate) fn fill(&self, scene: &Scene, spot: Spot<'_>) -> Result<Json, Failed> {
        self.build(&self.root, scene, spot)
    }

    /// Fills what can be filled without outputs: the rest of a map is left out, of a list `null`.
    pub(crate) fn known(&self, scene: &Scene, spot: Spot<'_>) -> Json {
        self.partly(&self.root, scene, spot).unwrap_or(Json::Null)
    }

    fn partly(&self, node: &Node, scene: &Scene, spot: Spot<'_>) -> Option<Json> {
        let known = |ix: usize| {
            let compiled = &self.holes[ix].compiled;
            let open = compiled.reads("steps") || (compiled.reads("item") && spot.item.is_none());
            if open { None } else { self.value(ix, scene, spot).ok() }
        };
        Some(match node {
            Node::Fixed(value) => value.clone(),
            Node::Hole(ix) => known(*ix)?,
            Node::Mixed(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(plain) => text.push_str(plain),
                        Piece::Hole(ix) => text.push_str(&scalar(&known(*ix)?).ok()?),
                    }
                }
                text.into()
            }
            Node::List(items) => {
                items.iter().map(|item| self.partly(item, scene, spot).unwrap_or(Json::Null)).collect()
            }
            Node::Map(entries) => Json::Object(
                entries
                    .iter()
                    .filter_map(|(key, value)| Some((key.clone(), self.partly(value, scene, spot)?)))
                    .collect(),
            ),
        })
    }

    /// Inputs that have holes, with the numbers of their holes.
    pub(crate) fn inputs(&self) -> Vec<(&str, Vec<usize>)> {
        let Node::Map(entries) = &self.root else { return Vec::new() };
        let mut all = Vec::new();
        for (name, node) in entries {
            let mut holes = Vec::new();
            holes_of(node, &mut holes);
            if !holes.is_empty() {
                all.push((name.as_str(), holes));
            }
        }
        all
    }

    fn build(&self, node: &Node, scene: &Scene, spot: Spot<'_>) -> Result<Json, Failed> {
        Ok(match node {
            Node::Fixed(value) => value.clone(),
            Node::Hole(ix) => self.value(*ix, scene, spot)?,
            Node::Mixed(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(plain) => text.push_str(plain),
                        Piece::Hole(ix) => {
                            let value = self.value(*ix, scene, spot)?;
                            text.push_str(&self.scalar(*ix, &value)?);
                        }
                    }
                }
                text.into()
            }
            Node::List(items) => {
                Json::Array(items.iter().map(|item| self.build(item, scene, spot)).collect::<Result<_, _>>()?)
            }
            Node::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.build(value, scene, spot)?)))
                    .collect::<Result<_, Failed>>()?,
            ),
        })
    }

    fn value(&self, ix: usize, scene: &Scene, spot: Spot<'_>) -> Result<Json, Failed> {
        let hole = &self.holes[ix];
        scene.evaluate(&hole.compiled, spot).map_err(|fact| Failed { expression: hole.compiled.text.clone(), fact })
    }

    fn scalar(&self, ix: usize, value: &Json) -> Result<String, Failed> {
        scalar(value).map_err(|fact| Failed { expression: self.holes[ix].compiled.text.clone(), fact })
    }
}

fn holes_of(node: &Node, found: &mut Vec<usize>) {
    match node {
        Node::Fixed(_) => {}
        Node::Hole(ix) => found.push(*ix),
        Node::Mixed(pieces) => found.extend(pieces.iter().filter_map(|piece| match piece {
            Piece::Hole(ix) => Some(*ix),
            Piece::Text(_) => None,
        })),
        Node::List(items) => items.iter().for_each(|item| holes_of(item, found)),
        Node::Map(entries) => entries.iter().for_each(|(_, value)| holes_of(value, found)),
    }
}

/// The text of a value inside a text.
pub(crate) fn scalar(value: &Json) -> Result<String, String> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Null => Err("it gives nothing, which cannot stand inside a text".into()),
        Json::Array(_) => Err("it gives a list, which cannot stand inside a text".into()),
        Json::Object(_) => Err("it gives a map, which cannot stand inside a text".into()),
    }
}

fn node(value: Json, holes: &mut Vec<Hole>) -> Result<Node, Failed> {
    Ok(match value {
        Json::String(text) if template::has_hole(&text) => {
            let parts = template::split(&text)
                .map_err(|_| Failed { expression: text.clone(), fact: "a hole is not closed".into() })?;
            let whole = matches!(parts.as_slice(), [Part::Hole { .. }]);
            let mut pieces = Vec::new();
            for part in parts {
                match part {
                    Part::Plain(plain) => pieces.push(Piece::Text(plain)),
                    Part::Hole { expression, .. } => {
                        let compiled = Compiled::unchecked(&expression)
                            .map_err(|wrong| Failed { expression: expression.clone(), fact: wrong.fact })?;
                        holes.push(Hole { compiled, whole });
                        if whole {
                            return Ok(Node::Hole(holes.len() - 1));
                        }
                        pieces.push(Piece::Hole(holes.len() - 1));
                    }
                }
            }
            Node::Mixed(pieces)
        }
        Json::Array(items) => {
            let items: Vec<Node> = items.into_iter().map(|item| node(item, holes)).collect::<Result<_, _>>()?;
            if items.iter().all(|item| matches!(item, Node::Fixed(_))) {
                Node::Fixed(items.into_iter().filter_map(fixed).collect())
            } else {
                Node::List(items)
            }
        }
        Json::Object(entries) => {
            let entries: Vec<(String, Node)> = entries
                .into_iter()
                .map(|(key, value)| Ok((key, node(value, holes)?)))
                .collect::<Result<_, Failed>>()?;
            if entries.iter().all(|(_, value)| matches!(value, Node::Fixed(_))) {
                Node::Fixed(entries.into_iter().filter_map(|(key, value)| Some((key, fixed(value)?))).collect())
            } else {
                Node::Map(entries)
            }
        }
        plain => Node::Fixed(plain),
    })
}

fn fixed(node: Node) -> Option<Json> {
    match node {
        Node::Fixed(value) => Some(value),
        _ => None,
    }
}
