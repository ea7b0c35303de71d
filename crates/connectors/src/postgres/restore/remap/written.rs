//! One ID in columns of different types: written otherwise, it is another text, and so another one for the map.

use super::plan::Domain;

const NUMBERS: [&str; 4] = ["smallint", "integer", "bigint", "numeric"];

/// Writes a value of a column as all are written that are equal to it as IDs of a domain; `None` if equal IDs are equal
/// texts in columns of this type.
///
/// What is so compared is not rewritten: the way back would not lead to the same text.
pub(super) fn alike(base_type: &str, domain: &Domain, value: &str) -> Option<String> {
    let either = |is: &dyn Fn(&str) -> bool| is(base_type) || is(&domain.base_type);
    if base_type == domain.base_type {
        // A scale shows in the text.
        return (base_type == "numeric").then(|| number(value));
    }
    if either(&|it| it == "uuid") {
        Some(format!("translate(lower({value}), '{{}}-', '')"))
    } else if is_whole(base_type) && is_whole(&domain.base_type) {
        None
    } else {
        either(&|it| NUMBERS.contains(&it)).then(|| number(value))
    }
}

fn is_whole(base_type: &str) -> bool {
    base_type != "numeric" && NUMBERS.contains(&base_type)
}

/// Without sign, zeros and blanks that say nothing.
fn number(value: &str) -> String {
    format!(
        "CASE WHEN {value} ~ '^[[:space:]]*[-+]?[0-9]+([.]0+)?[[:space:]]*$' THEN trim_scale({value}::numeric)::text ELSE {value} END"
    )
}
