//! What steps act on: a file for each effect, which knows fencing tokens as a good target does.

use std::path::{Path, PathBuf};

/// `apply WHO SECONDS` and `probe WHO`. A line is `TOKEN WHAT WHO`; tokens ascend, since who has one that is lower than any that
/// was seen, also by a probe, is refused, and noted elsewhere. All of it happens under the lock of the file.
const SCRIPT: &str = r#"
name=$(echo "$REINSTATE_KEY" | tr / +)
note() { echo "$REINSTATE_TOKEN $1 $who"; }
decide() {
  exec 9>>"effects/$name"
  flock 9
  last=$(tail -n 1 "effects/$name" | cut -d ' ' -f 1)
  if [ "$REINSTATE_TOKEN" -lt "${last:-0}" ]; then note "$1" >> "late/$name"; exit 3; fi
}
who=$2
case $1 in
  apply)
    sleep "$3"
    decide applied
    note applied >&9
    exec 9>&-
    sleep "$3" ;;
  probe)
    decide probed
    if grep -q applied "effects/$name"; then note there >&9; else note missing >&9; exit 1; fi ;;
esac
"#;

pub struct Target {
    folder: PathBuf,
}

/// What the effects of a run's units look like.
#[derive(Debug, Default)]
pub struct Tally {
    pub effects: usize,
    /// Units that are applied more than once, or not at all, with their lines.
    pub wrong: Vec<String>,
    /// Units that were probed.
    pub probed: usize,
    /// Units that were given to a worker again after a probe had said that they were not done.
    pub again: usize,
}

impl Target {
    pub fn new(folder: &Path) -> Self {
        for name in ["effects", "late"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        std::fs::write(folder.join("target.sh"), SCRIPT).unwrap();
        Self { folder: folder.to_owned() }
    }

    /// Counts what was done for the units of a run.
    pub fn of(&self, run: &str) -> Tally {
        let mut tally = Tally::default();
        for entry in std::fs::read_dir(self.folder.join("effects")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with(&format!("{run}+")) {
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let said: Vec<&str> = text.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
            tally.effects += 1;
            tally.probed += usize::from(said.iter().any(|what| *what != "applied"));
            tally.again += usize::from(said.contains(&"missing"));
            if said.iter().filter(|what| **what == "applied").count() != 1 {
                tally.wrong.push(format!("{name}:\n{text}"));
            }
        }
        tally
    }

    /// Attempts that came after others had been told of, and were refused for it.
    pub fn late(&self) -> usize {
        std::fs::read_dir(self.folder.join("late")).unwrap().count()
    }
}
