//! A Rust file as the rules read it: code apart from comments and texts, tests apart from the rest.

/// A Rust file.
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// As it is on disk.
    pub(crate) text: String,
    /// The same number of lines, with comments and the insides of texts blanked.
    code: String,
}

impl Source {
    pub(crate) fn new(text: String, path: String) -> Self {
        Self { code: blank(&text), path, text }
    }

    /// Lines of code with their numbers, those of test modules left out.
    pub(crate) fn library_lines(&self) -> Vec<(usize, &str)> {
        let tests = test_lines(&self.code);
        self.numbered().filter(|(number, _)| !tests.contains(number)).collect()
    }

    /// Lines of code of test modules, with their numbers.
    pub(crate) fn test_lines(&self) -> Vec<(usize, &str)> {
        let tests = test_lines(&self.code);
        self.numbered().filter(|(number, _)| tests.contains(number)).collect()
    }

    /// All lines of code with their numbers.
    pub(crate) fn lines(&self) -> Vec<(usize, &str)> {
        self.numbered().collect()
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(ix, line)| (ix + 1, line))
    }
}

/// Places of a word in lines of code, as `path:line: word`.
pub(crate) fn places(source: &Source, lines: &[(usize, &str)], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in lines {
        for word in words.iter().filter(|word| has_word(line, word)) {
            found.push(format!("{}:{number}: {word}", source.path));
        }
    }
    found
}

/// Whether a line has a word that no longer word merely contains.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let open_start = !word.starts_with(part);
    let open_end = !word.ends_with(part);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        (open_start || !before.is_some_and(part)) && (open_end || !after.is_some_and(part))
    })
}

/// Numbers of the lines in `#[cfg(test)] mod name { ... }`.
fn test_lines(code: &str) -> std::ops::Range<usize> {
    let Some(mark) = code.find("#[cfg(test)]") else { return 0..0 };
    let Some(open) = code[mark..].find('{').map(|at| mark + at) else { return 0..0 };
    if code[mark..open].contains(';') || !has_word(&code[mark..open], "mod") {
        return 0..0;
    }
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return line_of(code, mark)..line_of(code, open + at) + 1;
        }
    }
    line_of(code, mark)..usize::MAX
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Blanks comments and the insides of texts and character literals, keeping lines.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end > at {
            code.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    code
}

/// End of the comment or literal that starts here; `at` itself if none does.
fn skip(chars: &[char], at: usize) -> usize {
    let follows = |ix: usize, wanted: &str| wanted.chars().enumerate().all(|(n, c)| chars.get(ix + n) == Some(&c));
    let until = |from: usize, wanted: &str| {
        (from..chars.len()).find(|&ix| follows(ix, wanted)).map_or(chars.len(), |ix| ix + wanted.len())
    };
    match chars[at] {
        '/' if follows(at, "//") => until(at, "\n") - usize::from(until(at, "\n") < chars.len()),
        '/' if follows(at, "/*") => until(at + 2, "*/"),
        'r' if at == 0 || !chars[at - 1].is_alphanumeric() && chars[at - 1] != '_' => {
            let marks = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
            if chars.get(at + 1 + marks) == Some(&'"') {
                until(at + 2 + marks, &format!("\"{}", "#".repeat(marks)))
            } else {
                at
            }
        }
        '"' => literal(chars, at + 1, '"'),
        // A lifetime has no closing quote after its first character.
        '\'' if chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'') => literal(chars, at + 1, '\''),
        _ => at,
    }
}

fn literal(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

#[test]
fn comments_and_texts_are_blanked() {
    let text =
        "let a = \"x.unwrap()\"; // todo!()\nlet b = r#\"dbg!\"#; let c = '\\''; fn f<'a>() {}\n/* y\n */ z!();\n";
    let code = blank(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(!code.contains("unwrap") && !code.contains("todo") && !code.contains("dbg") && code.contains("fn f<'a>()"));
    assert!(code.ends_with("z!();\n"));
}

#[test]
fn test_modules_are_told_apart() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { {} }\n}\nfn c() {}\n";
    let source = Source::new(text.to_owned(), String::new());
    assert_eq!(source.test_lines().iter().map(|&(number, _)| number).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(source.library_lines().len(), 2);
}

#[test]
fn words_are_whole() {
    assert!(
        has_word("x.unwrap()", ".unwrap()") && has_word("a::sleep(b)", "sleep(") && has_word("Instant::now", "Instant")
    );
    assert!(!has_word("no_sleep(b)", "sleep(") && !has_word("Instantly", "Instant"));
}
