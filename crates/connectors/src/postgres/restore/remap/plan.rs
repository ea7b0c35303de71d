//! Which columns of a tenant's rows change, and what their values become: a function of the catalogue and the request.

use super::declared::{Mention, Remap, Step};
use super::error::RemapError;
use super::overlap::{self, Meeting};
use super::spread::Spread;
use crate::postgres::catalog::Column;
use crate::postgres::closure::{Class, Options};
use crate::postgres::restore::error::RestoreError;
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::sheet::Sheet;

/// What changes in a tenant's rows.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Columns that get new values; all others that change follow one of these.
    pub(crate) domains: Vec<Domain>,
    /// Each table of the restore, in the order of its sheets.
    pub(crate) tables: Vec<Changes>,
    /// The sheets without the computed columns that come out differently because of new IDs.
    pub(crate) sheets: Vec<Sheet>,
    /// Which domains may not share an ID.
    pub(crate) meetings: Vec<Meeting>,
}

/// A column whose values are replaced, one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    /// Its table, by place in the catalogue.
    pub(crate) place: usize,
    pub(crate) table: String,
    pub(crate) column: String,
    pub(crate) data_type: String,
    pub(crate) base_type: String,
    pub(crate) source: Source,
}

impl Domain {
    /// Whether its values are given by the restore of its own rows.
    pub(crate) fn is_drawn(&self) -> bool {
        matches!(self.source, Source::Sequence { .. } | Source::Uuid)
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self.base_type.as_str(), "smallint" | "integer" | "bigint" | "numeric")
    }

    pub(crate) fn is_uuid(&self) -> bool {
        self.base_type == "uuid"
    }
}

/// Where new values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The tenant's new ID.
    Tenant,
    /// The column's sequence in the live database, and what each number adds.
    Sequence { schema: String, name: String, increment: i64 },
    /// Random ones.
    Uuid,
    /// An earlier restore of the same tenant, of other tables.
    Earlier,
}

/// What changes in a table's rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) columns: Vec<Change>,
    pub(crate) json: Vec<Spot>,
    pub(crate) text: Vec<Spot>,
    /// Columns whose values stay, as it was asked for.
    pub(crate) kept: Vec<String>,
}

/// A column that holds IDs of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) column: String,
    pub(crate) domain: usize,
    /// A column and the value that it must have.
    pub(crate) when: Option<(String, String)>,
}

/// A place inside of a column's values that holds IDs of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) column: String,
    pub(crate) path: Vec<Step>,
    pub(crate) domain: usize,
    pub(crate) when: Option<(String, String)>,
}

impl Plan {
    /// Says what changes.
    ///
    /// # Errors
    /// Whatever makes it unclear what a value becomes.
    pub(crate) fn of(pair: &Pair, options: &Options, remap: &Remap) -> Result<Self, RestoreError> {
        let spread = Spread::over(pair, options, remap)?;
        let mut tables: Vec<Changes> = pair
            .sheets
            .all
            .iter()
            .map(|sheet| Changes { columns: spread.of(sheet.place), ..Changes::default() })
            .collect();
        for (changes, sheet) in tables.iter_mut().zip(&pair.sheets.all) {
            changes.kept = sheet.stored.iter().filter(|column| spread.keeps(sheet.place, column)).cloned().collect();
        }
        for mention in remap.json.iter().chain(&remap.text) {
            if let Some((table, spot)) = spot(pair, &spread, mention)? {
                let changes = &mut tables[table];
                let spots = if mention.json { &mut changes.json } else { &mut changes.text };
                // Said twice is said once.
                if !spots.contains(&spot) {
                    spots.push(spot);
                }
            }
        }
        let sheets =
            pair.sheets.all.iter().zip(&tables).map(|(sheet, changes)| reduced(pair, sheet, changes)).collect();
        let mut meetings = Vec::new();
        for (changes, sheet) in tables.iter().zip(&pair.sheets.all) {
            meetings.extend(overlap::meetings(&spread.domains, &sheet.label, changes)?);
        }
        Ok(Self { domains: spread.domains, tables, sheets, meetings })
    }
}

impl Changes {
    /// Whether values of a column change, or may.
    pub(crate) fn touches(&self, column: &str) -> bool {
        self.columns.iter().any(|change| change.column == column) || self.mentions(column)
    }

    /// Whether IDs were declared to be inside of a column's values.
    pub(crate) fn mentions(&self, column: &str) -> bool {
        self.json.iter().chain(&self.text).any(|spot| spot.column == column)
    }

    /// Returns the domain of which every value of a column is one.
    pub(crate) fn replaces(&self, column: &str) -> Option<usize> {
        self.columns.iter().find(|change| change.column == column && change.when.is_none()).map(|change| change.domain)
    }
}

/// Finds the place that a declaration names; none if its table is not among those restored.
fn spot(pair: &Pair, spread: &Spread<'_>, mention: &Mention) -> Result<Option<(usize, Spot)>, RemapError> {
    let text = mention.to_string();
    let missing = |what: String| RemapError::Missing { text: text.clone(), what };
    let find = |table: &str| pair.backup.find(table).ok_or_else(|| missing(format!("the table {table}")));
    let place = find(&mention.table)?;
    let table = &pair.backup.tables[place];
    if pair.closure.tables[place].class != Class::Tenant {
        return Err(RemapError::NotTenants { text, table: table.label() });
    }
    let column = |name: &String| -> Result<&Column, RemapError> {
        table.column(name).ok_or_else(|| missing(format!("the column {}.{name}", table.label())))
    };
    let it = column(&mention.column)?;
    if let Some((condition, _)) = &mention.when {
        column(condition)?;
    }
    let fits = if mention.json { it.base_type == "jsonb" } else { it.base_type != "jsonb" };
    if !fits || it.generated.is_some() {
        let generated = if it.generated.is_some() { ", computed" } else { "" };
        let data_type = format!("{}{generated}", it.data_type);
        return Err(RemapError::Type { text, column: format!("{}.{}", table.label(), it.name), data_type });
    }
    let parent = find(&mention.parent)?;
    let whole = &pair.backup.tables[parent];
    let key = match (&mention.parent_column, whole.primary_key()) {
        (Some(column), _) if whole.column(column).is_none() => {
            return Err(missing(format!("the column {}.{column}", whole.label())));
        }
        (Some(column), _) => column,
        (None, [key]) => key,
        (None, _) => return Err(missing(format!("a primary key of one column in {}", whole.label()))),
    };
    let domain = spread
        .domain(parent, key)
        .ok_or_else(|| RemapError::NotRemapped { text: text.clone(), parent: format!("{}.{key}", whole.label()) })?;
    let sheet = pair.sheets.all.iter().position(|sheet| sheet.place == place);
    let (column, path, when) = (mention.column.clone(), mention.path.clone(), mention.when.clone());
    Ok(sheet.map(|sheet| (sheet, Spot { column, path, domain, when })))
}

/// A sheet without computed columns that depend on what changes: what they come to is the server's own.
fn reduced(pair: &Pair, sheet: &Sheet, changes: &Changes) -> Sheet {
    let table = &pair.backup.tables[sheet.place];
    let depends = |name: &String| {
        table.column(name).is_some_and(|column| column.computed_from.iter().any(|from| changes.touches(from)))
    };
    let computed = sheet.computed.iter().filter(|name| !depends(name)).cloned().collect();
    Sheet { computed, ..sheet.clone() }
}
