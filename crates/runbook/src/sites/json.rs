//! Lists of sites as JSON: an array of objects, read object by object so that each value keeps its place.

use serde_json::Value as Json;

use crate::codes;
use crate::sites::columns::{Cell, Columns};
use crate::sites::findings::Findings;
use crate::source::Span;
use crate::words;

/// A value cut out of the text, not parsed yet.
type Piece = Span;

struct Wrong {
    at: usize,
    fact: &'static str,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, wanted: u8, fact: &'static str) -> Result<(), Wrong> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(Wrong { at: self.at, fact })
    }

    /// After an element: goes on (`true`) or ends.
    fn more(&mut self, close: u8) -> Result<bool, Wrong> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Wrong { at: self.at, fact: "a comma or a closing bracket is missing" }),
        }
    }

    fn string(&mut self) -> Result<Piece, Wrong> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(Wrong { at: self.at, fact: "a name in double quotes is missing" });
        }
        let start = start.max(self.at);
        self.at += 1;
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 1,
                b'"' => {
                    self.at += 1;
                    return Ok(Span::new(start, self.at));
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at = bytes.len();
        Err(Wrong { at: start, fact: "a text is not closed" })
    }

    /// Cuts out the next value by counting brackets; whether it is valid is found when it is parsed.
    fn value(&mut self) -> Result<Piece, Wrong> {
        let Some(first) = self.peek() else { return Err(Wrong { at: self.at, fact: "a value is missing" }) };
        let start = self.at;
        if first == b'"' {
            return self.string();
        }
        let mut depth = 0_usize;
        while let Some(&byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' if depth == 0 => break,
                b']' | b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                b',' | b'\n' | b'\r' | b' ' | b'\t' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        if depth > 0 {
            return Err(Wrong { at: start, fact: "a bracket is not closed" });
        }
        if self.at == start {
            return Err(Wrong { at: start, fact: "a value is missing" });
        }
        Ok(Span::new(start, self.at))
    }
}

pub(super) fn read(findings: &mut Findings<'_>, columns: &mut Columns<'_>) {
    let text = findings.text.source.text.as_str();
    let start = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    let mut scan = Scan { text, at: start };
    if let Err(wrong) = list(&mut scan, findings, columns) {
        findings.error(
            codes::SITES_SYNTAX,
            Span::new(wrong.at, wrong.at),
            || format!("the list cannot be read: {}", wrong.fact),
            || "write an array of objects: [{\"id\": \"...\"}]".into(),
        );
    }
}

fn list(scan: &mut Scan<'_>, findings: &mut Findings<'_>, columns: &mut Columns<'_>) -> Result<(), Wrong> {
    scan.take(b'[', "it does not start with `[`")?;
    let names: Vec<&str> = columns.names().collect();
    let mut row = 0_u32;
    if scan.peek() == Some(b']') {
        scan.at += 1;
    } else {
        loop {
            row = row.saturating_add(1);
            object(scan, findings, columns, &names, row)?;
            if !scan.more(b']')? {
                break;
            }
        }
    }
    match scan.peek() {
        None => Ok(()),
        Some(_) => Err(Wrong { at: scan.at, fact: "something follows the list" }),
    }
}

fn object(
    scan: &mut Scan<'_>,
    findings: &mut Findings<'_>,
    columns: &mut Columns<'_>,
    names: &[&str],
    row: u32,
) -> Result<(), Wrong> {
    scan.take(b'{', "an object is missing: each site is `{...}`")?;
    let open = scan.at - 1;
    let mut id: Option<(Json, Span)> = None;
    let mut cells: Vec<Option<(Json, Span)>> = vec![None; names.len()];
    if scan.peek() == Some(b'}') {
        scan.at += 1;
    } else {
        loop {
            let key_span = scan.string()?;
            let key = parse(scan.text, key_span)?;
            let key = key.as_str().unwrap_or_default().to_owned();
            scan.take(b':', "a colon is missing")?;
            let span = scan.value()?;
            let value = parse(scan.text, span)?;
            let slot = if key == "id" {
                Some(&mut id)
            } else {
                names.iter().position(|name| *name == key).map(|at| &mut cells[at])
            };
            match slot {
                Some(slot @ None) => *slot = Some((value, span)),
                Some(Some(_)) => findings.error(
                    codes::SITES_COLUMN,
                    key_span,
                    || format!("row {row} has `{}` twice", words::short(&key)),
                    || "remove one of them".into(),
                ),
                None => findings.error(
                    codes::SITES_COLUMN,
                    key_span,
                    || format!("row {row}: the attribute `{}` is not declared", words::short(&key)),
                    || {
                        let known = std::iter::once("id").chain(names.iter().copied());
                        format!(
                            "declare it in `targets.attributes` or remove it; {}",
                            words::suggest(&key, "attributes", known)
                        )
                    },
                ),
            }
            if !scan.more(b'}')? {
                break;
            }
        }
    }
    let here = Span::new(open, scan.at.min(open + 1));
    match &id {
        Some((Json::String(id), span)) => columns.row(findings, row, (id, *span)),
        Some((_, span)) => {
            findings.error(
                codes::SITES_VALUE,
                *span,
                || format!("row {row}: the id is not a text"),
                || "put the id in quotes".into(),
            );
            columns.row(findings, row, ("?", *span));
        }
        None => {
            findings.error(
                codes::SITES_MISSING,
                here,
                || format!("row {row} has no `id`"),
                || "add `\"id\": \"...\"`".into(),
            );
        }
    }
    for (attribute, cell) in cells.iter().enumerate() {
        match cell {
            Some((value, span)) => columns.cell(findings, row, attribute, Cell::Json(value), || *span),
            None => findings.error(
                codes::SITES_MISSING,
                here,
                || format!("row {row} has no `{}`", names[attribute]),
                || "every site has every declared attribute".into(),
            ),
        }
    }
    Ok(())
}

fn parse(text: &str, span: Span) -> Result<Json, Wrong> {
    serde_json::from_str(text.get(span.start..span.end).unwrap_or_default())
        .map_err(|_| Wrong { at: span.start, fact: "a value is not valid JSON" })
}
