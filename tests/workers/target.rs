//! What steps act on: a file for each effect, which knows fencing tokens as a good target does.

use std::path::{Path, PathBuf};

use reinstate_tests::random::Random;
use serde_json::Value;

use crate::chaos::Estate;
use crate::fleet::Files;

/// Steps of two regions. Each leaves one line when it has waited a little, and waits again; done again only if probed before.
const RUNBOOK: &str = r#"
schema: runbook/v1
name: work
targets: { id: '^s[0-9]+$', attributes: { region: string, takes: string } }
batches: { sizes: [rest], max_failures: 100% }
defaults: { timeout: 20s, retry: { attempts: 30, delay: 50ms, max_delay: 500ms } }
steps:
  copy:
    runs_on: ["region=${{ site.region }}"]
    uses: exec/run@1
    with:
      command: [sh, target.sh, apply, "${{ site.region }}", "${{ site.takes }}"]
      probe: [sh, target.sh, probe, "${{ site.region }}"]
      idempotent: true
  check: { needs: copy, uses: noop@1 }
  index:
    needs: check
    runs_on: [any]
    uses: exec/run@1
    with:
      command: [sh, target.sh, apply, any, "${{ site.takes }}"]
      probe: [sh, target.sh, probe, any]
      idempotent: true
"#;

/// Steps of the runbook that leave effects.
const STEPS: usize = 2;

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
    rows: Vec<String>,
}

/// What the effects of a run's units look like.
#[derive(Debug, Default)]
struct Tally {
    effects: usize,
    /// Units that are applied more than once, or not at all, with their lines.
    wrong: Vec<String>,
    /// Units that were probed.
    probed: usize,
    /// Units that were given to a worker again after a probe had said that they were not done.
    again: usize,
}

impl Target {
    pub fn new(folder: &Path, sites: usize, random: &mut Random) -> Self {
        for name in ["effects", "late"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        std::fs::write(folder.join("target.sh"), SCRIPT).unwrap();
        let row = |site| format!("s{site},{},0.{:02}\n", ["eu", "us"][site % 2], random.between(2, 40));
        Self { folder: folder.to_owned(), rows: (0..sites).map(row).collect() }
    }

    /// Counts what was done for the units of a run.
    fn of(&self, run: &str) -> Tally {
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
    fn late(&self) -> usize {
        std::fs::read_dir(self.folder.join("late")).unwrap().count()
    }
}

impl Estate for Target {
    fn next(&mut self) -> Files {
        Files {
            runbook: RUNBOOK.to_owned(),
            estate: "schema: estate/v1\nname: e\nsandbox: true\n".to_owned(),
            sites: format!("id,region,takes\n{}", self.rows.concat()),
        }
    }

    fn insist(&self, run: usize, status: &Value) {
        let tally = self.of(&format!("r{run}"));
        assert_eq!(tally.wrong, Vec::<String>::new(), "{status:#}");
        assert_eq!(tally.effects, STEPS * self.rows.len(), "{status:#}");
    }

    fn effects(&self, runs: usize) -> usize {
        (0..runs).map(|run| self.of(&format!("r{run}")).effects).sum()
    }

    fn told(&self, runs: usize) -> String {
        let tallies = (0..runs).map(|run| self.of(&format!("r{run}")));
        let sum = |of: fn(&Tally) -> usize| tallies.clone().map(|tally| of(&tally)).sum::<usize>();
        let [effects, probed, again] = [sum(|one| one.effects), sum(|one| one.probed), sum(|one| one.again)];
        format!("{effects} effects, {probed} probed, {again} done again, {} came late", self.late())
    }
}
