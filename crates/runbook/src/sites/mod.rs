//! Lists of sites, CSV or JSON, checked row by row against what the runbook declares.

mod columns;
mod csv;
mod findings;
mod json;

use engine::Sites;

use crate::diagnostic::{Diagnostic, Text, has_errors};
use crate::model::Runbook;
use crate::source::Source;

/// Most findings that are kept with their place; all are counted.
pub const MAX_SHOWN: usize = 1_000;

/// How a list of sites is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A header row, then one row a site; lists are joined by `;`.
    Csv,
    /// An array of objects.
    Json,
}

impl Format {
    /// Guesses from the first character that is no white space: `[` starts JSON.
    #[must_use]
    pub fn guess(text: &str) -> Self {
        if text.trim_start().starts_with('[') { Self::Json } else { Self::Csv }
    }
}

/// A list of sites without errors, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteList {
    /// File name as given.
    pub name: String,
    /// The sites; restore points are filled in by planning.
    pub sites: Sites,
}

impl SiteList {
    /// Reads a list; `None` if there is an error.
    ///
    /// Every row is either in the list or named by a finding. Findings beyond [`MAX_SHOWN`] are counted in the last.
    #[must_use]
    pub fn parse(source: &Source, format: Format, runbook: &Runbook) -> (Option<Self>, Vec<Diagnostic>) {
        let text = Text::new(source);
        let mut findings = findings::Findings::new(&text);
        let mut columns = columns::Columns::new(&runbook.targets);
        match format {
            Format::Csv => csv::read(&mut findings, &mut columns),
            Format::Json => json::read(&mut findings, &mut columns),
        }
        if columns.rows_seen() == 0 && findings.is_empty() {
            findings.empty();
        }
        let found = findings.finish(columns.rows_seen());
        let list = Self { name: source.name.clone(), sites: columns.finish() };
        ((!has_errors(&found)).then_some(list), found)
    }

    /// Returns the number of sites.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    /// Says whether there is no site.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }
}
