//! Whether every reference of a tenant's rows has its row, found out while the rows pass by.
//!
//! What the rows of the tenant refer to among themselves is settled here, at the cost of a look into a set. Only what
//! stays open, and what refers to rows of others, is asked of the live database.

use std::collections::{BTreeSet, HashSet};

use super::copy_stream::{Fields, Form};
use super::sheet::{Reference, Sheets, To};

/// More different values than these are not kept: the rows themselves are asked then.
const VALUES_MAX: usize = 10_000;

/// Keys and references of one tenant's rows.
#[derive(Debug)]
pub(crate) struct Ties {
    /// Keys by set.
    keys: Vec<HashSet<u128>>,
    /// For each table, what each of its references has left open.
    open: Vec<Vec<Open>>,
}

/// References that were not settled on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Open {
    /// Keys that may still come: the tables lead around, or one table refers to itself.
    later: HashSet<u128>,
    /// Values to be asked of the live database, each as texts of its columns.
    pub(crate) values: BTreeSet<Vec<String>>,
    /// Whether there are values that cannot be told here: all rows are to be asked.
    pub(crate) all_rows: bool,
}

impl Ties {
    pub(crate) fn new(sheets: &Sheets) -> Self {
        Self {
            keys: vec![HashSet::new(); sheets.sets],
            open: sheets.all.iter().map(|sheet| vec![Open::default(); sheet.references.len()]).collect(),
        }
    }

    /// Sees a row of a table; its values begin at `first` of the fields.
    pub(crate) fn see(&mut self, sheets: &Sheets, table: usize, row: &[u8], fields: &Fields, first: usize) {
        let sheet = &sheets.all[table];
        for (set, columns) in &sheet.keys {
            if let Some(key) = packed(row, fields, first, columns) {
                self.keys[*set].insert(key);
            }
        }
        for (at, reference) in sheet.references.iter().enumerate() {
            let open = &mut self.open[table][at];
            match reference.to {
                To::Inside { set, complete } => {
                    // A NULL among the columns refers to nothing.
                    let Some(key) = packed(row, fields, first, &reference.at) else { continue };
                    if !complete {
                        open.later.insert(key);
                    } else if !self.keys[set].contains(&key) {
                        open.ask(reference, sheet.form, row, fields, first);
                    }
                }
                To::Outside => open.ask(reference, sheet.form, row, fields, first),
            }
        }
    }

    /// Returns what is to be asked of the live database of the rows seen since the last call. Keys that may still come
    /// are left for [`Ties::left`].
    pub(crate) fn asked(&mut self) -> Vec<(usize, usize, Open)> {
        let mut asked = Vec::new();
        for (table, references) in self.open.iter_mut().enumerate() {
            for (at, open) in references.iter_mut().enumerate() {
                if open.all_rows || !open.values.is_empty() {
                    let later = std::mem::take(&mut open.later);
                    asked.push((table, at, std::mem::take(open)));
                    open.later = later;
                }
            }
        }
        asked
    }

    /// Returns what is to be asked of the live database, with table and reference, once all rows were seen.
    pub(crate) fn left(&self, sheets: &Sheets) -> Vec<(usize, usize, Open)> {
        let mut left = Vec::new();
        for (table, sheet) in sheets.all.iter().enumerate() {
            for (at, reference) in sheet.references.iter().enumerate() {
                let open = &self.open[table][at];
                // Which keys have not come was not kept.
                let never = matches!(reference.to, To::Inside { set, .. } if !open.later.is_subset(&self.keys[set]));
                if never || open.all_rows {
                    left.push((table, at, Open::of_all_rows()));
                } else if !open.values.is_empty() {
                    left.push((table, at, Open { values: open.values.clone(), ..Open::default() }));
                }
            }
        }
        left
    }
}

impl Open {
    /// Asks the rows themselves.
    pub(crate) fn of_all_rows() -> Self {
        Self { all_rows: true, ..Self::default() }
    }

    fn ask(&mut self, reference: &Reference, form: Form, row: &[u8], fields: &Fields, first: usize) {
        if self.all_rows {
            return;
        }
        let mut texts = Vec::with_capacity(reference.at.len());
        for (column, base) in reference.at.iter().zip(&reference.types) {
            let Some(value) = fields.value(row, first + column) else { return };
            match text(form, base, value) {
                Some(text) => texts.push(text),
                None => {
                    self.all_rows = true;
                    return;
                }
            }
        }
        self.values.insert(texts);
        if self.values.len() > VALUES_MAX {
            self.all_rows = true;
            self.values.clear();
        }
    }
}

/// Values of a key in 128 bits; `None` if one of them is NULL.
///
/// Short keys are kept as they are, so that equal means equal; of long ones a hash of 128 bits.
fn packed(row: &[u8], fields: &Fields, first: usize, columns: &[usize]) -> Option<u128> {
    let mut bytes = [0_u8; 16];
    let mut used = 0;
    let mut long: Option<blake3::Hasher> = None;
    for column in columns {
        let value = fields.value(row, first + column)?;
        let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
        // The length stands before each value, so that ("a", "bc") is not ("ab", "c").
        if long.is_none() && used + 1 + value.len() <= 16 {
            bytes[used] = length;
            bytes[used + 1..used + 1 + value.len()].copy_from_slice(value);
            used += 1 + value.len();
        } else {
            let hasher = long.get_or_insert_with(|| {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&bytes[..used]);
                hasher
            });
            hasher.update(&(value.len() as u64).to_le_bytes());
            hasher.update(value);
        }
    }
    Some(match long {
        None => u128::from_le_bytes(bytes),
        Some(hasher) => hasher.finalize().as_bytes().first_chunk::<16>().map_or(0, |first| u128::from_le_bytes(*first)),
    })
}

/// A value as text, for types that are simple to write.
fn text(form: Form, base: &str, value: &[u8]) -> Option<String> {
    if form == Form::Text {
        // A backslash begins what COPY has escaped.
        return (!value.contains(&b'\\')).then(|| String::from_utf8(value.to_vec()).ok()).flatten();
    }
    match base {
        "smallint" => value.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).to_string()),
        "integer" => value.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string()),
        "bigint" => value.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string()),
        "text" | "character varying" => String::from_utf8(value.to_vec()).ok(),
        "uuid" => value.try_into().ok().map(|bytes| format!("{:032x}", u128::from_be_bytes(bytes))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[Option<&[u8]>]) -> (Vec<u8>, Fields) {
        let mut bytes = (values.len() as i16).to_be_bytes().to_vec();
        for value in values {
            bytes.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
            bytes.extend(value.unwrap_or_default());
        }
        let mut fields = Fields::default();
        fields.find(Form::Binary, &bytes).expect("it was made to be so");
        (bytes, fields)
    }

    fn key(values: &[&str]) -> u128 {
        let values: Vec<Option<&[u8]>> = values.iter().map(|value| Some(value.as_bytes())).collect();
        let (bytes, fields) = row(&values);
        packed(&bytes, &fields, 0, &(0..values.len()).collect::<Vec<_>>()).expect("it was made to be so")
    }

    #[test]
    fn keys_are_equal_only_if_all_values_are() {
        let keys = [
            &["a", "bc"][..],
            &["ab", "c"],
            &["abc"],
            &["", "abc"],
            &["a long value of text"],
            &["a long value of text", ""],
            &["", "a long value of text"],
            &["a long value of", " text"],
            &["\u{3}abc"],
        ];
        let packed: HashSet<u128> = keys.iter().map(|values| key(values)).collect();
        assert_eq!(packed.len(), keys.len());
        assert_eq!(key(&["a long value of text", "x"]), key(&["a long value of text", "x"]));
        let (bytes, fields) = row(&[Some(b"a"), None]);
        assert_eq!(packed_of(&bytes, &fields), None);
    }

    fn packed_of(bytes: &[u8], fields: &Fields) -> Option<u128> {
        packed(bytes, fields, 0, &[0, 1])
    }

    #[test]
    fn values_are_written_as_sql_reads_them() {
        assert_eq!(text(Form::Binary, "bigint", &(-5_i64).to_be_bytes()).as_deref(), Some("-5"));
        assert_eq!(text(Form::Binary, "uuid", &[7; 16]).as_deref(), Some("07070707070707070707070707070707"));
        assert_eq!(text(Form::Binary, "numeric", b"123"), None);
        assert_eq!(text(Form::Text, "numeric", b"1.50").as_deref(), Some("1.50"));
        assert_eq!(text(Form::Text, "text", b"a\\tb"), None);
    }
}
