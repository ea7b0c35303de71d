//! Licence expressions (SPDX): whether the allowed licences satisfy one.

/// Whether an expression can be satisfied with allowed licences alone. The old `A/B` reads as `A OR B`; what cannot be
/// read is not admitted.
pub(crate) fn admits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, allowed) == Some(true) && at == words.len()
}

/// `both (OR both)*`
fn either(words: &[&str], at: &mut usize, allowed: &[String]) -> Option<bool> {
    let mut satisfied = both(words, at, allowed)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        satisfied |= both(words, at, allowed)?;
    }
    Some(satisfied)
}

/// `one (AND one)*`
fn both(words: &[&str], at: &mut usize, allowed: &[String]) -> Option<bool> {
    let mut satisfied = one(words, at, allowed)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        satisfied &= one(words, at, allowed)?;
    }
    Some(satisfied)
}

/// `(either)` or `licence [WITH exception]`
fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let satisfied = either(words, at, allowed)?;
        *at += 1;
        return (words.get(*at - 1) == Some(&")")).then_some(satisfied);
    }
    let mut licence = word.to_owned();
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{word} WITH {}", words.get(*at + 1)?);
        *at += 2;
    }
    Some(allowed.contains(&licence))
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for good in
        ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(admits(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-3.0", "MIT WITH X", "(MIT", "MIT MIT"] {
        assert!(!admits(bad, &allowed), "{bad}");
    }
}
