//! Typed columns that grow row by row.

use std::collections::HashMap;

use engine::{Column, Interned, Sites, Texts, Values};

use crate::codes;
use crate::model::{Targets, Type};
use crate::sites::findings::Findings;
use crate::source::Span;
use crate::time;
use crate::words;

/// A value of a row as the file writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    /// A field of a CSV file.
    Text(&'a str),
    /// A value of a JSON file.
    Json(&'a serde_json::Value),
}

/// Texts that repeat, with an index to find them again.
#[derive(Default)]
struct Interner {
    found: HashMap<String, u32>,
    texts: Interned,
}

impl Interner {
    fn push(&mut self, text: &str) {
        let ix = match self.found.get(text) {
            Some(&ix) => ix,
            None => {
                let ix = u32::try_from(self.texts.dictionary.len()).unwrap_or(u32::MAX);
                self.found.insert(text.to_owned(), ix);
                self.texts.dictionary.push(text.to_owned());
                ix
            }
        };
        self.texts.rows.push(ix);
    }
}

enum Building {
    Text(Interner),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Boolean(Vec<bool>),
    Timestamp(Vec<i64>),
    List(Vec<u32>, Interner),
}

/// The columns of a list as far as it has been read.
pub(super) struct Columns<'r> {
    targets: &'r Targets,
    building: Vec<Building>,
    ids: Texts,
    source_rows: Vec<u32>,
    first_seen: HashMap<String, (u32, Span)>,
    rows_seen: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn new(targets: &'r Targets) -> Self {
        let building = targets
            .attributes
            .iter()
            .map(|attribute| match attribute.ty {
                Type::Text | Type::Duration => Building::Text(Interner::default()),
                Type::Integer => Building::Integer(Vec::new()),
                Type::Number => Building::Number(Vec::new()),
                Type::Boolean => Building::Boolean(Vec::new()),
                Type::Timestamp => Building::Timestamp(Vec::new()),
                Type::Texts => Building::List(vec![0], Interner::default()),
            })
            .collect();
        Self {
            targets,
            building,
            ids: Texts::default(),
            source_rows: Vec::new(),
            first_seen: HashMap::new(),
            rows_seen: 0,
        }
    }

    pub(super) fn rows_seen(&self) -> usize {
        self.rows_seen
    }

    /// Names of the attributes that a list must have, without `id`.
    pub(super) fn names(&self) -> impl Iterator<Item = &'r str> {
        self.targets.attributes.iter().map(|attribute| attribute.name.as_str())
    }

    /// Adds a row; the rows of a list with errors are never used, so what failed is only reported.
    pub(super) fn row(&mut self, findings: &mut Findings<'_>, line: u32, id: (&str, Span)) {
        self.rows_seen += 1;
        let (id, span) = id;
        if id.is_empty() || id.len() > 512 || id.chars().any(char::is_control) {
            findings.error(
                codes::SITES_VALUE,
                span,
                || format!("row {line} has no usable id: `{}`", words::short(&id.escape_debug().to_string())),
                || "an ID has 1 to 512 characters and no control characters".into(),
            );
        } else if let Some(pattern) = &self.targets.id
            && !pattern.is_match(id)
        {
            let kind = &self.targets.kind;
            findings.error(
                codes::SITES_KIND,
                span,
                || format!("row {line}: `{}` is not the ID of a {kind}", words::short(id)),
                || format!("it does not match `targets.id` ({}); it could be the ID of something else, such as an app: look it up before anything is changed", words::short(pattern.as_str())),
            );
        }
        if let Some(&(first, first_span)) = self.first_seen.get(id) {
            findings.error2(
                codes::SITES_DUPLICATE,
                span,
                Some((first_span, "first listed here")),
                || format!("row {line} lists `{}` again; row {first} has it already", words::short(id)),
                || "remove one of the rows".into(),
            );
        } else {
            self.first_seen.insert(id.to_owned(), (line, span));
        }
        self.ids.push(id);
        self.source_rows.push(line);
    }

    /// Adds the value of an attribute to the row.
    pub(super) fn cell(
        &mut self,
        findings: &mut Findings<'_>,
        line: u32,
        attribute: usize,
        cell: Cell<'_>,
        span: impl FnOnce() -> Span,
    ) {
        let Some(building) = self.building.get_mut(attribute) else { return };
        if let Err(fact) = push(building, cell) {
            let declared = &self.targets.attributes[attribute];
            findings.error(
                codes::SITES_VALUE,
                span(),
                || format!("row {line}, `{}`: {fact}", declared.name),
                || hint(declared.ty),
            );
        }
    }

    pub(super) fn finish(self) -> Sites {
        let columns = self
            .targets
            .attributes
            .iter()
            .zip(self.building)
            .map(|(attribute, building)| Column {
                name: attribute.name.clone(),
                values: match building {
                    Building::Text(texts) => Values::Text(texts.texts),
                    Building::Integer(values) => Values::Integer(values),
                    Building::Number(values) => Values::Number(values),
                    Building::Boolean(values) => Values::Boolean(values),
                    Building::Timestamp(values) => Values::Timestamp(values),
                    Building::List(offsets, items) => Values::List { offsets, items: items.texts },
                },
            })
            .collect();
        Sites { ids: self.ids, source_rows: self.source_rows, columns, restore_points: Vec::new() }
    }
}

fn hint(ty: Type) -> String {
    match ty {
        Type::Text | Type::Duration => "write a text".into(),
        Type::Integer => "write a whole number".into(),
        Type::Number => "write a number".into(),
        Type::Boolean => "write `true` or `false`".into(),
        Type::Timestamp => "write the time with its offset: `2022-04-05T07:38:00Z`".into(),
        Type::Texts => "write texts joined by `;` in CSV, an array of texts in JSON".into(),
    }
}

fn push(building: &mut Building, cell: Cell<'_>) -> Result<(), String> {
    let text = match cell {
        Cell::Text(text) => Some(text.trim()),
        Cell::Json(value) => value.as_str(),
    };
    let json = match cell {
        Cell::Text(_) => None,
        Cell::Json(value) => Some(value),
    };
    let wrong = |wanted: &str| match cell {
        Cell::Text("") => "there is no value".to_owned(),
        Cell::Text(text) => format!("`{}` is not {wanted}", words::short(text)),
        Cell::Json(value) => format!("`{}` is not {wanted}", words::short(&value.to_string())),
    };
    match building {
        Building::Text(texts) => match text {
            Some(text) => {
                texts.push(text);
                Ok(())
            }
            None => Err(wrong("a text")),
        },
        Building::Integer(values) => {
            let value = json.map_or_else(|| text.and_then(|text| text.parse().ok()), serde_json::Value::as_i64);
            values.push(value.ok_or_else(|| wrong("an integer"))?);
            Ok(())
        }
        Building::Number(values) => {
            let value = json.map_or_else(|| text.and_then(|text| text.parse().ok()), serde_json::Value::as_f64);
            values.push(value.filter(|value: &f64| value.is_finite()).ok_or_else(|| wrong("a number"))?);
            Ok(())
        }
        Building::Boolean(values) => {
            let value = json.map_or_else(
                || match text {
                    Some("true") => Some(true),
                    Some("false") => Some(false),
                    _ => None,
                },
                serde_json::Value::as_bool,
            );
            values.push(value.ok_or_else(|| wrong("`true` or `false`"))?);
            Ok(())
        }
        Building::Timestamp(values) => {
            let text = text.ok_or_else(|| wrong("a time"))?;
            values.push(time::read(text).map_err(|_| wrong("a time"))?);
            Ok(())
        }
        Building::List(offsets, items) => {
            match (json, text) {
                (None, Some(text)) => {
                    text.split(';').map(str::trim).filter(|item| !item.is_empty()).for_each(|item| items.push(item));
                }
                (Some(serde_json::Value::Array(all)), _) => {
                    for item in all {
                        items.push(item.as_str().ok_or_else(|| wrong("a list of texts"))?);
                    }
                }
                _ => return Err(wrong("a list of texts")),
            }
            offsets.push(u32::try_from(items.texts.rows.len()).unwrap_or(u32::MAX));
            Ok(())
        }
    }
}
