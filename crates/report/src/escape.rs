//! Text from outside, made harmless for where it goes: markup, a terminal, the languages of drawings.

use std::fmt::{self, Display, Formatter, Write as _};

/// Text inside XML or HTML, in content and in quoted attributes. Characters that XML forbids become U+FFFD.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Xml<T>(pub(crate) T);

impl<T: Display> Display for Xml<T> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        struct Filter<'a, 'b>(&'a mut Formatter<'b>);
        impl fmt::Write for Filter<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for char in text.chars() {
                    match char {
                        '&' => self.0.write_str("&amp;")?,
                        '<' => self.0.write_str("&lt;")?,
                        '>' => self.0.write_str("&gt;")?,
                        '"' => self.0.write_str("&quot;")?,
                        '\'' => self.0.write_str("&#39;")?,
                        '\n' | '\t' => self.0.write_char(char)?,
                        _ if char.is_control() || turns(char) || char == '\u{fffe}' || char == '\u{ffff}' => {
                            self.0.write_char('\u{fffd}')?;
                        }
                        _ => self.0.write_char(char)?,
                    }
                }
                Ok(())
            }
        }
        write!(Filter(out), "{}", self.0)
    }
}

/// Whether a character changes the direction of what follows, which could make an ID look like another.
fn turns(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character joins those around it or says how the one before it is drawn: words of some scripts need the
/// former, pictures the latter.
fn joins(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether a character shows nothing of its own, or changes the direction of what follows: either could make a name look
/// like another. `Default_Ignorable_Code_Point` of Unicode 16 (`DerivedCoreProperties.txt`), which holds all of
/// `Bidi_Control`.
#[must_use]
pub fn is_unseen(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Text on a terminal: control characters, which could move the cursor or recolour the screen, and those that nobody sees
/// are written out, but for what words and pictures are joined by.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() || (is_unseen(char) && !joins(char)) {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(char));
        } else {
            safe.push(char);
        }
    }
    safe
}

/// Text inside double quotes of DOT.
pub(crate) fn dot(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('"', "\\\"")
}

/// Text inside double quotes of Mermaid, which has entity codes instead of a backslash.
pub(crate) fn mermaid(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in plain(text).chars() {
        match char {
            '"' | '#' | '<' | '>' | '&' | '`' | ';' | '\\' | '[' | ']' | '{' | '}' | '(' | ')' | '|' => {
                let _ = write!(safe, "#{};", u32::from(char));
            }
            _ => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(Xml("<b a='\"'>&\u{1b}\u{202e}").to_string(), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}\u{fffd}");
        assert_eq!(plain("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\u{a}b");
        assert_eq!(plain("b\u{200b}e\u{202e}n\u{feff}"), "b\\u{200b}e\\u{202e}n\\u{feff}");
        assert_eq!(plain("\u{2714}\u{fe0f}"), "\u{2714}\u{fe0f}");
        assert_eq!(dot("a\"\\b"), "a\\\"\\\\b");
        assert_eq!(mermaid("a\"]"), "a#34;#93;");
    }
}
