//! The list of sites as data: columns of typed values in the plan's order.

use serde::{Deserialize, Serialize};

use crate::ids::{Millis, SiteIx};

/// The sites of a plan, stored by column; row `i` of each column belongs to `SiteIx(i)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sites {
    /// Immutable IDs, unique, in plan order.
    pub ids: Texts,
    /// One-based row of the site list that each site came from (line number in a CSV file).
    pub source_rows: Vec<u32>,
    /// Attribute columns in the runbook's order.
    pub columns: Vec<Column>,
    /// Restore point of each site; empty if the runbook declares none.
    pub restore_points: Vec<Millis>,
}

/// One attribute of all sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name as declared under `targets.attributes`.
    pub name: String,
    /// Values in plan order.
    pub values: Values,
}

/// The values of a column, typed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Values {
    /// `string`: indexes into a dictionary of distinct texts.
    Text(Interned),
    /// `integer`.
    Integer(Vec<i64>),
    /// `number`.
    Number(Vec<f64>),
    /// `boolean`.
    Boolean(Vec<bool>),
    /// `timestamp`, in milliseconds since the epoch.
    Timestamp(Vec<Millis>),
    /// `list<string>`: row `i` is `items[offsets[i]..offsets[i + 1]]`.
    List {
        /// `len + 1` ascending offsets.
        offsets: Vec<u32>,
        /// All items, one row after another.
        items: Interned,
    },
}

/// Texts that repeat: each row is an index into a dictionary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interned {
    /// Distinct texts in order of first use.
    pub dictionary: Vec<String>,
    /// One dictionary index per row.
    pub rows: Vec<u32>,
}

impl Interned {
    /// Returns the text of a row, or `None` past the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        let ix = *self.rows.get(row)?;
        self.dictionary.get(ix as usize).map(String::as_str)
    }
}

/// Distinct texts in one buffer: 4 bytes of overhead a text instead of a heap allocation each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Texts {
    buffer: String,
    ends: Vec<u32>,
}

impl Texts {
    /// Appends a text and returns its row.
    pub fn push(&mut self, text: &str) -> usize {
        self.buffer.push_str(text);
        self.ends.push(u32::try_from(self.buffer.len()).unwrap_or(u32::MAX));
        self.ends.len() - 1
    }

    /// Returns the number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Says whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the text of a row, or `None` past the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        let end = *self.ends.get(row)? as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        self.buffer.get(start..end)
    }

    /// Iterates over the texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|row| self.get(row))
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut all = Self::default();
        for text in texts {
            all.push(text);
        }
        all
    }
}

impl Sites {
    /// Returns the number of sites.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Says whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the ID of a site; empty for an index outside the plan.
    #[must_use]
    pub fn id(&self, site: SiteIx) -> &str {
        self.ids.get(site.ix()).unwrap_or_default()
    }

    /// Returns the column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns an attribute of a site as JSON; timestamps as integers of milliseconds.
    #[must_use]
    pub fn value(&self, column: &Column, site: SiteIx) -> serde_json::Value {
        let row = site.ix();
        match &column.values {
            Values::Text(texts) => texts.get(row).into(),
            Values::Integer(values) | Values::Timestamp(values) => values.get(row).copied().into(),
            Values::Number(values) => values.get(row).copied().into(),
            Values::Boolean(values) => values.get(row).copied().into(),
            Values::List { offsets, items } => {
                let range = match (offsets.get(row), offsets.get(row + 1)) {
                    (Some(&start), Some(&end)) => start as usize..end as usize,
                    _ => 0..0,
                };
                range.filter_map(|item| items.get(item)).collect()
            }
        }
    }
}
