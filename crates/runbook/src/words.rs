//! The small words of the language: durations, rates, percentages, names, and how they fail.

use std::time::Duration;

use engine::Rate;

/// Longest duration that makes sense in a runbook, in milliseconds: 366 days.
pub(crate) const MAX_DURATION_MS: u64 = 366 * 24 * 3_600_000;

/// Reads a duration such as `5m` or `1h 30m` into milliseconds.
///
/// # Errors
/// With a fact for people if it is not understood or longer than a year.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return Err("it is not a duration".into());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && text != "0" {
        return Err(format!("`{text}` has no unit"));
    }
    let duration: Duration =
        humantime::parse_duration(text).map_err(|error| format!("`{text}` is not a duration: {error}"))?;
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis > MAX_DURATION_MS {
        return Err(format!("`{text}` is longer than a year"));
    }
    Ok(millis)
}

/// Reads a rate such as `200/s`, `50/m` or `100/h`.
///
/// # Errors
/// With a fact for people if it is not understood.
pub fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is not a rate");
    let (count, per) = text.split_once('/').ok_or_else(wrong)?;
    let count: u32 = count.trim().parse().map_err(|_| wrong())?;
    let per_ms = match per.trim() {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    if count == 0 || count > 1_000_000 {
        return Err(format!("`{text}` is outside 1 to 1000000 starts per period"));
    }
    // A tenth of a second's worth may come at once, so that a high rate is not limited by the driver's ticks.
    let burst = u32::try_from(u64::from(count) * 100 / per_ms).unwrap_or(1).max(1);
    Ok(Rate { count, per_ms, burst })
}

/// Reads a percentage such as `10%` or `2.5%` into hundredths of a percent.
///
/// # Errors
/// With a fact for people if it is not one between 0 % and 100 %.
pub fn percent(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a percentage");
    let number: f64 = text.strip_suffix('%').ok_or_else(wrong)?.trim().parse().map_err(|_| wrong())?;
    if !(0.0..=100.0).contains(&number) {
        return Err(format!("`{text}` is outside 0% to 100%"));
    }
    Ok((number * 100.0).round() as u32)
}

/// Says whether a text is a name: a letter, then letters, digits, `_` or `-`, at most 64 characters.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Finds the word most like a mistyped one.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let low = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&low, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`? known: `a`, `b`" for a hint.
pub(crate) fn suggest<'a>(word: &str, what: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let word: String = word.chars().take(100).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let meant = closest(&word, known.iter().copied());
    let mut hint = meant.map_or_else(String::new, |word| format!("did you mean `{word}`? "));
    if known.is_empty() {
        hint.push_str(&format!("there are no {what}"));
    } else {
        let shown: Vec<String> = known.iter().take(30).map(|word| format!("`{word}`")).collect();
        hint.push_str(&format!("{what}: {}", shown.join(", ")));
        if known.len() > 30 {
            hint.push_str(", ...");
        }
    }
    hint
}

/// Shortens a text for a message.
pub(crate) fn short(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}
