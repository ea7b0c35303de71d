//! What is asked for: the new ID, and where IDs are that no catalogue knows of.

use std::fmt;

use super::error::RemapError;
use crate::postgres::closure::Declaration;

/// How a tenant's rows get new IDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remap {
    /// The tenant's new ID.
    pub tenant: String,
    /// Globs of `TABLE.COLUMN` whose values stay, though they look like IDs.
    pub keep: Vec<String>,
    /// Places inside of JSON that hold IDs.
    pub json: Vec<Mention>,
    /// Columns in whose text IDs are written as whole words.
    pub text: Vec<Mention>,
    /// What happens if an old ID is found where nobody declared one.
    pub dangling: OnDangling,
}

/// What happens if an old ID is found where nobody declared one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDangling {
    /// Nothing is written, and every column is named.
    #[default]
    Fail,
    /// It stays, and is told.
    Report,
}

/// IDs inside of a column's values: `issues(payload $.links[*].issue_id)->issues(id)`, `comments(body)->issues(id)`.
///
/// Written as a declared reference, with the path after the column; ` when COLUMN=VALUE` may follow here too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The table: `name` or `schema.name`.
    pub table: String,
    /// Its column.
    pub column: String,
    /// Whether its values are JSON.
    pub json: bool,
    /// The way from the top of a JSON document to the ID; no step if the document is the ID, or in text.
    pub path: Vec<Step>,
    /// The table whose ID it is.
    pub parent: String,
    /// Its column; none means its primary key.
    pub parent_column: Option<String>,
    /// A column of the table, and the value that it has in rows that mention these IDs.
    pub when: Option<(String, String)>,
}

/// A step into a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `.name` or `."any name"`: the value of an object under this name.
    Key(String),
    /// `[*]`: each element of an array.
    Each,
    /// `.*`: each value of an object.
    Values,
}

impl Mention {
    /// Reads a place inside of JSON.
    ///
    /// # Errors
    /// If it is not of the form.
    pub fn json(text: &str) -> Result<Self, RemapError> {
        let mention = read(text, "TABLE(COLUMN $.PATH)->TABLE(COLUMN)")?;
        let wrong = |why: &str| RemapError::Declaration { text: text.to_owned(), why: why.to_owned() };
        let (column, path) = mention.column.split_once('$').ok_or_else(|| {
            wrong("it has no path; write one after the column, such as $.links[*].id, or $ for the whole document")
        })?;
        let column = column.trim().to_owned();
        if column.is_empty() {
            return Err(wrong("it names no column before the path"));
        }
        let path = steps(path.trim()).map_err(|why| wrong(&why))?;
        Ok(Self { column, path, json: true, ..mention })
    }

    /// Reads a column of text.
    ///
    /// # Errors
    /// If it is not of the form.
    pub fn text(text: &str) -> Result<Self, RemapError> {
        let mention = read(text, "TABLE(COLUMN)->TABLE(COLUMN)")?;
        if mention.column.contains('$') {
            let why = "a path leads into JSON: declare it as `json`".to_owned();
            return Err(RemapError::Declaration { text: text.to_owned(), why });
        }
        Ok(mention)
    }
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}", self.table, self.column)?;
        f.write_str(if self.json { " $" } else { "" })?;
        for step in &self.path {
            match step {
                Step::Key(key) if key.contains(|c: char| !is_plain(c)) => write!(f, ".\"{key}\"")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Each => f.write_str("[*]")?,
                Step::Values => f.write_str(".*")?,
            }
        }
        write!(f, ")->{}", self.parent)?;
        if let Some(column) = &self.parent_column {
            write!(f, "({column})")?;
        }
        match &self.when {
            Some((column, value)) => write!(f, " when {column}={value}"),
            None => Ok(()),
        }
    }
}

/// Reads a declaration of one column that refers to at most one.
fn read(text: &str, form: &str) -> Result<Mention, RemapError> {
    let wrong = |why: &str| RemapError::Declaration { text: text.to_owned(), why: format!("{why}; write {form}") };
    let Ok(Declaration::Reference { table, columns, parent, parent_columns, when }) = text.parse() else {
        return Err(wrong("it is no reference"));
    };
    let ([column], [] | [_]) = (columns.as_slice(), parent_columns.as_slice()) else {
        return Err(wrong("one column holds the ID of one column"));
    };
    let (column, parent_column) = (column.clone(), parent_columns.into_iter().next());
    Ok(Mention { table, column, json: false, path: Vec::new(), parent, parent_column, when })
}

/// Whether a key with this needs no quotes.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Reads what follows the `$` of a path.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, left) = if let Some(left) = rest.strip_prefix("[*]") {
            (Step::Each, left)
        } else if let Some(left) = rest.strip_prefix(".*") {
            (Step::Values, left)
        } else if let Some((key, left)) = rest.strip_prefix(".\"").and_then(|rest| rest.split_once('"')) {
            (Step::Key(key.to_owned()), left)
        } else if let Some(named) = rest.strip_prefix('.') {
            let end = named.find(|c: char| !is_plain(c)).unwrap_or(named.len());
            (Step::Key(named[..end].to_owned()), &named[end..])
        } else {
            return Err(format!("`{rest}` is no step of a path; there are .name, .\"any name\", .* and [*]"));
        };
        if step == Step::Key(String::new()) {
            return Err(format!("`{rest}` names no key; there are .name, .\"any name\", .* and [*]"));
        }
        steps.push(step);
        rest = left;
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_json_are_read() {
        let mention =
            Mention::json("issues(payload $.links[*].\"issue id\".*) -> issues(id) when kind=a").expect("read");
        assert_eq!((mention.table.as_str(), mention.column.as_str()), ("issues", "payload"));
        let key = |text: &str| Step::Key(text.to_owned());
        assert_eq!(mention.path, [key("links"), Step::Each, key("issue id"), Step::Values]);
        assert_eq!((mention.parent.as_str(), mention.parent_column.as_deref()), ("issues", Some("id")));
        assert_eq!(mention.when, Some(("kind".into(), "a".into())));
        assert!(
            Mention::json("a(b $)->c").is_ok_and(|mention| mention.path.is_empty() && mention.parent_column.is_none())
        );
        for text in
            ["issues(payload $.a.\"b c\"[*].*)->issues(id) when kind=a", "a(b $)->c", "comments(body)->issues(id)"]
        {
            let read = if text.contains('$') { Mention::json(text) } else { Mention::text(text) };
            assert_eq!(read.map(|mention| mention.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_is_wrong() {
        for (text, part) in [
            ("issues", "it is no reference"),
            ("issues(a,b $.x)->issues(id)", "one column"),
            ("issues(payload)->issues(id)", "it has no path"),
            ("issues($.x)->issues(id)", "no column"),
            ("issues(payload $.x[0])->issues(id)", "`[0]` is no step"),
            ("issues(payload $..x)->issues(id)", "names no key"),
        ] {
            let error = Mention::json(text).expect_err(text).to_string();
            assert!(error.contains(part) && error.contains(text), "{error}");
        }
        let error = Mention::text("issues(payload $.x)->issues(id)").expect_err("a path");
        assert!(error.to_string().contains("as `json`"), "{error}");
    }
}
