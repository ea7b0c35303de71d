//! Commands of a Markdown page, run as somebody types them, and what the page says that they answer.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Line of the page at which its contents begin, from 1.
    pub line: usize,
    /// What stands behind the fence: the language, and what else.
    pub info: Vec<String>,
    /// Its contents.
    pub text: String,
}

/// All fenced blocks of a page.
#[must_use]
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut open: Option<Block> = None;
    for (ix, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => all.extend(open.take()),
            (Some(info), None) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Some(Block { line: ix + 2, info, text: String::new() });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end: {open:?}");
    all
}

/// The part of a page from a heading to the next one like it.
#[must_use]
pub fn section<'a>(markdown: &'a str, heading: &str) -> &'a str {
    let after = markdown.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("there is no `{heading}`")).1;
    let level = heading.split(' ').next().unwrap_or_default();
    after.split_once(&format!("\n{level} ")).map_or(after, |(section, _)| section)
}

/// A command, and what the page shows of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The command, continued lines joined.
    pub command: String,
    /// Lines of the answer; `...` stands for anything, as a line of its own for any lines. None: the page shows nothing.
    pub shown: Vec<String>,
}

/// The commands of a console block: lines with a prompt `$ ` and what they answer, or commands only.
#[must_use]
pub fn typed(block: &str) -> Vec<Typed> {
    let joined = block.replace("\\\n", " ");
    let prompts = joined.lines().any(|line| line.starts_with("$ "));
    let mut all: Vec<Typed> = Vec::new();
    for line in joined.lines() {
        if !prompts && line.trim().is_empty() {
            continue;
        }
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push(Typed { command: spaced(command), shown: Vec::new() }),
            (None, Some(last)) if prompts => last.shown.push(line.to_owned()),
            (None, _) => all.push(Typed { command: spaced(line), shown: Vec::new() }),
        }
    }
    all
}

/// Joins the words of a continued line; quoted spaces are not doubled in what people write.
fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All commands of the console blocks of a page or a section, without their answers.
#[must_use]
pub fn commands(markdown: &str) -> Vec<String> {
    let blocks = blocks(markdown).into_iter().filter(|block| block.info.first().is_some_and(|lang| lang == "console"));
    blocks.flat_map(|block| typed(&block.text)).map(|typed| typed.command).collect()
}

/// What a command answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output and standard error.
    pub said: String,
}

/// A shell prompt in a folder, with a binary called `reinstate`.
#[derive(Debug)]
pub struct Prompt {
    folder: PathBuf,
    scratch: PathBuf,
    replaced: Vec<(String, String)>,
    waits: bool,
}

impl Prompt {
    /// A prompt in `folder`. The binary, and what was answered, is kept below `scratch`.
    #[must_use]
    pub fn new(binary: &str, folder: &Path, scratch: &Path) -> Self {
        // Database servers of another user pass it on the way to their data.
        std::fs::set_permissions(scratch, PermissionsExt::from_mode(0o711)).expect("our own folder");
        let bin = scratch.join(".bin");
        if !bin.exists() {
            std::fs::create_dir(&bin).expect("our own folder");
            std::os::unix::fs::symlink(binary, bin.join("reinstate")).expect("our own folder");
        }
        Self { folder: folder.to_owned(), scratch: scratch.to_owned(), replaced: Vec::new(), waits: false }
    }

    /// Types something else where the page says `from`, and takes it back in what is answered.
    #[must_use]
    pub fn replacing(mut self, from: &str, to: impl Into<String>) -> Self {
        self.replaced.push((from.to_owned(), to.into()));
        self
    }

    /// Lets runs wait for people as long as they do by themselves; else they end at once with their code.
    #[must_use]
    pub fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// What is typed where the page says `text`.
    #[must_use]
    pub fn as_typed(&self, text: &str) -> String {
        self.replaced.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// Types lines one after another. A job (` &`) is waited for until it has said something; it ends with the shell.
    ///
    /// # Panics
    /// If the shell cannot be started, or hangs.
    #[must_use]
    pub fn type_in(&self, lines: &[String]) -> Vec<Answer> {
        let said = tempfile::tempdir_in(&self.scratch).expect("our own folder");
        let place = said.path().display();
        let mut script = "set -m\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\nlast=0\n".to_owned();
        for (ix, line) in lines.iter().enumerate() {
            let line = self.as_typed(line);
            let out = format!("{place}/said-{ix}");
            let typed = match (line.strip_suffix(" &"), line.strip_prefix("kill ")) {
                // The next command is typed when this one has said that it is there.
                (Some(job), _) => {
                    format!("{job} > {out} 2>&1 & until [ -s {out} ] || ! kill -0 $!; do sleep 0.02; done")
                }
                (None, Some(job)) if job.starts_with('%') => format!("{{ {line}; wait {job}; }} > {out} 2>/dev/null"),
                _ => format!("{{ {line}\n}} > {out} 2>&1"),
            };
            script.push_str(&format!("(exit $last)\n{typed}\nlast=$?\necho $last > {place}/code-{ix}\n"));
        }
        let path = format!("{}:{}", self.scratch.join(".bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("timeout");
        shell.args(["-k", "5", "300", "bash", "-c", &script]).current_dir(&self.folder).env("PATH", path);
        for name in ["REINSTATE_STORE", "REINSTATE_LOG", "REINSTATE_HOME", "REINSTATE_WAIT", "COLUMNS"] {
            shell.env_remove(name);
        }
        if !self.waits {
            shell.env("REINSTATE_WAIT", "0s");
        }
        let ended = shell.env("NO_COLOR", "1").stdin(Stdio::null()).output().expect("the shell starts");
        let read = |name: String| std::fs::read_to_string(said.path().join(name));
        let answers = lines.iter().enumerate().map(|(ix, line)| {
            let mut said = read(format!("said-{ix}")).unwrap_or_default();
            for (from, to) in &self.replaced {
                said = said.replace(to, from);
            }
            let code = read(format!("code-{ix}")).ok().and_then(|code| code.trim().parse().ok());
            let code = code.unwrap_or_else(|| panic!("`{line}` did not end; it said:\n{said}\n{ended:?}"));
            assert!(!said.contains("panicked at"), "{line}\n{said}");
            Answer { code, said }
        });
        answers.collect()
    }
}

/// Says whether an answer is what a page shows of it.
#[must_use]
pub fn fits(shown: &[String], said: &str) -> bool {
    let said: Vec<&str> = said.trim_end().lines().collect();
    let end = shown.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    fits_lines(&shown[..end], &said)
}

fn fits_lines(shown: &[String], said: &[&str]) -> bool {
    // Places of the answer that the lines up to here can end at.
    let mut ends = BTreeSet::from([0]);
    for line in shown {
        ends = if line.trim() == "..." {
            let first = ends.first().copied().unwrap_or(said.len());
            (first..=said.len()).collect()
        } else {
            let next = ends.iter().filter(|&&at| said.get(at).is_some_and(|said| fits_line(line, said)));
            next.map(|at| at + 1).collect()
        };
        if ends.is_empty() {
            return false;
        }
    }
    ends.contains(&said.len())
}

fn fits_line(shown: &str, said: &str) -> bool {
    let (shown, mut said) = (shown.trim_end(), said.trim_end());
    let parts: Vec<&str> = shown.split("...").collect();
    let [first, middle @ .., last] = parts.as_slice() else { return shown == said };
    let Some(rest) = said.strip_prefix(first) else { return false };
    said = rest;
    for part in middle {
        let Some((_, rest)) = said.split_once(part) else { return false };
        said = rest;
    }
    said.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn commands_are_told_from_answers() {
        let found = typed("$ one \\\n    two\nanswer\n\n$ three\n");
        assert_eq!((found[0].command.as_str(), found[0].shown.as_slice()), ("one two", &lines("answer\n\n")[..]));
        assert_eq!(found[1], Typed { command: "three".into(), shown: Vec::new() });
        assert_eq!(commands("```console\na\nb \\\n c\n```\n```yaml\nx\n```\n"), ["a", "b c"]);
    }

    #[test]
    fn dots_stand_for_anything() {
        for (shown, said, fit) in [
            ("a\nb", "a\nb\n", true),
            ("a\nb", "a\nb\nc\n", false),
            ("a\n...\nc", "a\nb\nb\nc\n", true),
            ("...\nc\n...", "c\n", true),
            ("in ... ms, ...", "in 12 ms, done", true),
            ("in ... ms", "in 12 s", false),
            ("...", "", true),
            ("a", "", false),
            ("hash ...", "hash 77\n", true),
        ] {
            assert_eq!(fits(&lines(shown), said), fit, "{shown:?} {said:?}");
        }
    }
}
