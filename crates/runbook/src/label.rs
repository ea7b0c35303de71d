//! Labels of workers: what a worker has, and a step may demand.

/// Characters of a label at most.
const LONGEST: usize = 128;

/// Says why a text is no label, if it is none: `ssd`, `region=eu`, `shard=db-1:5432`.
///
/// # Errors
/// The fact, in words: labels stand in lists with commas between them, and those that begin with `:` are the program's own.
pub fn check(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a label has no characters".to_owned());
    }
    if text.chars().count() > LONGEST {
        return Err(format!("a label has more than {LONGEST} characters"));
    }
    let fits = |c: char| c.is_alphanumeric() || "-_./=@+:".contains(c);
    match text.chars().find(|c| !fits(*c)) {
        Some(c) => {
            Err(format!("the label `{}` has {c:?} in it; letters, digits and -_./=@+: may be", text.escape_debug()))
        }
        None if text.starts_with(':') => Err(format!("the label `{text}` begins with `:`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_label_may_hold() {
        for good in ["ssd", "region=eu", "shard=db-1:5432", "zürich", &"x".repeat(LONGEST)] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in ["", ":uses=a", "a,b", "a b", "a\n", "\u{202e}a", &"x".repeat(LONGEST + 1)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
