//! Lists of sites as CSV.

use crate::codes;
use crate::sites::columns::{Cell, Columns};
use crate::sites::findings::Findings;
use crate::source::Span;
use crate::words;

pub(super) fn read(findings: &mut Findings<'_>, columns: &mut Columns<'_>) {
    let text = findings.text.source.text.as_str();
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - body.len();
    if body.trim().is_empty() {
        return;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut layout: Option<Layout> = None;
    loop {
        let before = usize::try_from(reader.position().byte()).unwrap_or(0);
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let at = Span::new(skipped + before, skipped + before);
                findings.error(
                    codes::SITES_SYNTAX,
                    at,
                    || format!("the row cannot be read: {}", words::short(&error.to_string())),
                    || "check quotes and encoding of this row".into(),
                );
                break;
            }
        }
        let (start, line) = record.position().map_or((before, 1), |place| {
            (usize::try_from(place.byte()).unwrap_or(before), u32::try_from(place.line()).unwrap_or(u32::MAX))
        });
        // The reader counts empty lines before a record to the record.
        let blank = body.get(start..).map_or(0, |rest| rest.len() - rest.trim_start_matches(['\n', '\r']).len());
        let line =
            line + u32::try_from(body.get(start..start + blank).unwrap_or_default().matches('\n').count()).unwrap_or(0);
        let start = start + blank;
        let field = |ix: usize| {
            let span = field_span(body, start, ix);
            Span::new(span.start + skipped, span.end + skipped)
        };
        match &layout {
            None => match header(findings, columns, &record, &field) {
                Some(found) => layout = Some(found),
                None => return,
            },
            Some(layout) => row(findings, columns, layout, &record, line, &field),
        }
    }
    if findings.is_empty() && columns.rows_seen() == 0 {
        findings.empty();
    }
}

struct Layout {
    id: usize,
    /// Field of each attribute.
    attributes: Vec<Option<usize>>,
    fields: usize,
}

fn header(
    findings: &mut Findings<'_>,
    columns: &Columns<'_>,
    record: &csv::StringRecord,
    field: &dyn Fn(usize) -> Span,
) -> Option<Layout> {
    let names: Vec<&str> = columns.names().collect();
    let mut id = None;
    let mut attributes = vec![None; names.len()];
    for (ix, name) in record.iter().enumerate() {
        let name = name.trim();
        let slot = if name == "id" {
            Some(&mut id)
        } else {
            names.iter().position(|known| *known == name).map(|at| &mut attributes[at])
        };
        match slot {
            Some(slot @ None) => *slot = Some(ix),
            Some(Some(_)) => findings.error(
                codes::SITES_COLUMN,
                field(ix),
                || format!("the column `{}` is there twice", words::short(name)),
                || "remove one of them".into(),
            ),
            None => findings.error(
                codes::SITES_COLUMN,
                field(ix),
                || format!("the column `{}` is not declared", words::short(name)),
                || {
                    let known = std::iter::once("id").chain(names.iter().copied());
                    format!(
                        "declare it in `targets.attributes` or remove it; {}",
                        words::suggest(name, "columns", known)
                    )
                },
            ),
        }
    }
    let missing = names.iter().zip(&attributes).filter(|(_, at)| at.is_none()).map(|(name, _)| *name);
    for name in id.is_none().then_some("id").into_iter().chain(missing) {
        findings.error(
            codes::SITES_MISSING,
            field(0),
            || format!("the column `{name}` is missing"),
            || format!("the first row names the columns: id,{}", names.join(",")),
        );
    }
    Some(Layout { id: id?, attributes, fields: record.len() })
}

fn row(
    findings: &mut Findings<'_>,
    columns: &mut Columns<'_>,
    layout: &Layout,
    record: &csv::StringRecord,
    line: u32,
    field: &dyn Fn(usize) -> Span,
) {
    if record.len() != layout.fields {
        findings.error(
            codes::SITES_SYNTAX,
            field(record.len().saturating_sub(1).min(layout.fields)),
            || format!("row {line} has {} fields, the header has {}", record.len(), layout.fields),
            || "quote fields that hold commas; give every column a field".into(),
        );
    }
    let id = record.get(layout.id).unwrap_or_default().trim();
    columns.row(findings, line, (id, field(layout.id)));
    for (attribute, at) in layout.attributes.iter().enumerate() {
        if let Some(at) = *at
            && let Some(value) = record.get(at)
        {
            columns.cell(findings, line, attribute, Cell::Text(value), || field(at));
        }
    }
}

/// Finds a field of a record in the text: only for findings and for first places of IDs.
fn field_span(text: &str, start: usize, field: usize) -> Span {
    let bytes = text.as_bytes();
    let mut at = start.min(bytes.len());
    let (mut from, mut seen, mut quoted) = (at, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                if seen == field {
                    break;
                }
                seen += 1;
                from = at + 1;
            }
            b'\n' | b'\r' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    if seen == field { Span::new(from, at) } else { Span::new(at, at) }
}
