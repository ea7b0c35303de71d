//! Which tables a trigger's function writes, as far as its text shows.

use super::model::Table;

/// What was found in a function's text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Writes {
    /// Tables that it writes, in order, each once.
    pub(super) tables: Vec<usize>,
    /// Whether it builds SQL while it runs.
    pub(super) dynamic: bool,
}

impl Writes {
    /// Reads the text of a function that is called for a table.
    ///
    /// A name without schema is taken to be in the table's own schema, else in any that has such a table.
    pub(super) fn of(source: &str, tables: &[Table], called_for: usize) -> Self {
        let words = words(source);
        let is = |at: usize, wanted: &str| words.get(at).is_some_and(|word| !word.quoted && word.text == wanted);
        let mut found = Self::default();
        for at in 0..words.len() {
            let mut name = match words[at].text.as_str() {
                _ if words[at].quoted => continue,
                "execute" => {
                    found.dynamic = true;
                    continue;
                }
                "insert" | "merge" if is(at + 1, "into") => at + 2,
                "delete" if is(at + 1, "from") => at + 2,
                "update" => at + 1,
                "truncate" if is(at + 1, "table") => at + 2,
                "truncate" => at + 1,
                _ => continue,
            };
            if is(name, "only") {
                name += 1;
            }
            let Some(first) = words.get(name) else { continue };
            let place = if is(name + 1, ".") {
                let Some(second) = words.get(name + 2) else { continue };
                tables.iter().position(|table| table.schema == first.text && table.name == second.text)
            } else {
                let own = &tables[called_for].schema;
                tables
                    .iter()
                    .position(|table| table.schema == *own && table.name == first.text)
                    .or_else(|| tables.iter().position(|table| table.name == first.text))
            };
            found.tables.extend(place.filter(|place| !found.tables.contains(place)));
        }
        found.tables.sort_unstable();
        found
    }
}

struct Word {
    text: String,
    quoted: bool,
}

/// Names, keywords in lower case and dots; comments, texts and everything else left out.
fn words(source: &str) -> Vec<Word> {
    let chars: Vec<char> = source.chars().collect();
    let starts = |at: usize, wanted: &str| wanted.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    let after = |from: usize, wanted: char| {
        chars[from..].iter().position(|c| *c == wanted).map_or(chars.len(), |found| from + found + 1)
    };
    let mut words = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "--") {
            at = after(at, '\n');
        } else if starts(at, "/*") {
            at += 2;
            while at < chars.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if c == '\'' {
            at = after(at + 1, '\'');
        } else if c == '"' {
            let end = after(at + 1, '"');
            let text = chars[at + 1..end.saturating_sub(1).max(at + 1)].iter().collect();
            words.push(Word { text, quoted: true });
            at = end;
        } else if c.is_alphanumeric() || c == '_' {
            let end = (at..chars.len())
                .find(|&at| !chars[at].is_alphanumeric() && chars[at] != '_' && chars[at] != '$')
                .unwrap_or(chars.len());
            words.push(Word { text: chars[at..end].iter().collect::<String>().to_lowercase(), quoted: false });
            at = end;
        } else {
            if c == '.' || c == ';' {
                words.push(Word { text: c.to_string(), quoted: false });
            }
            at += 1;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_from_words_that_look_like_them() {
        let table = |schema: &str, name: &str| Table { schema: schema.into(), name: name.into(), ..Table::default() };
        let tables = [table("public", "audit"), table("public", "Set"), table("log", "rows"), table("public", "n")];
        let found = |text: &str| Writes::of(text, &tables, 0);
        assert_eq!(found("insert INTO audit VALUES (1)").tables, [0]);
        assert_eq!(found("update only log.rows set a = 1; delete from \"Set\"").tables, [1, 2]);
        for silent in [
            "-- insert into audit\nRETURN NEW;",
            "IF TG_OP = 'UPDATE audit' THEN /* delete from audit */ RETURN NEW; END IF;",
            "SELECT 1 FROM audit FOR UPDATE; RETURN NEW",
            "insert into nowhere values (1) on conflict do update set x = 1",
        ] {
            assert_eq!(found(silent), Writes::default(), "{silent}");
        }
        assert!(found("EXECUTE format('insert into %I', TG_ARGV[0])").dynamic);
    }
}
