//! Globs of names: `*` is any text, `?` any character.

/// Returns whether the whole name fits.
pub(crate) fn fits(glob: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // Which beginnings of the name fit the glob as far as it was read.
    let mut fitting = vec![false; name.len() + 1];
    fitting[0] = true;
    for c in glob.chars() {
        let mut next = vec![c == '*' && fitting[0]; name.len() + 1];
        for at in 1..=name.len() {
            next[at] = match c {
                '*' => fitting[at] || next[at - 1],
                '?' => fitting[at - 1],
                c => fitting[at - 1] && name[at - 1] == c,
            };
        }
        fitting = next;
    }
    fitting[name.len()]
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn globs_fit_whole_names() {
        for (glob, name, expected) in [
            ("jira_*", "jira_issues", true),
            ("jira_*", "xjira_issues", false),
            ("*", "", true),
            ("a?c*", "abc", true),
            ("a?c", "ac", false),
            ("*s*s", "issues", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
        }
    }
}
