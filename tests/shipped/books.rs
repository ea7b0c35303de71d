//! The runbooks that ship with the project, each with the lab that it is for.

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{Changed, Fingerprint};
use reinstate_tests::process::{ServedLab, expect, reinstate, shipped};

pub const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// A runbook and what it is run for.
#[derive(Clone, Copy, Debug)]
pub struct Book {
    /// File in `runbooks`.
    pub file: &'static str,
    /// The lab's list of its targets.
    pub list: &'static str,
    /// The only attribute that it reads, if not all.
    pub only: Option<&'static str>,
    /// Whether it needs a lab in which sites were deleted.
    pub damaged: bool,
    /// Whether it needs shards on servers, and gives sites and rows other IDs each time that it is run.
    pub renews: bool,
}

impl Book {
    /// The runbook's text.
    pub fn text(&self) -> String {
        std::fs::read_to_string(shipped(self.file)).unwrap()
    }
}

/// A quiet lab for a runbook, with a list of targets.
pub struct World {
    pub lab: ServedLab,
    pub before: Fingerprint,
    book: Book,
    head: String,
    /// Rows of the lab's list, those with the most apps first.
    pub rows: Vec<String>,
}

impl World {
    /// A lab with at least so many targets for the runbook.
    pub fn new(book: &Book, targets: usize) -> Self {
        let targets = u32::try_from(targets).unwrap();
        let lab = match book.damaged {
            true if book.renews => ServedLab::quiet_on(BINARY, (targets + 6, targets, 2, 7), "postgres"),
            true => ServedLab::quiet(BINARY, targets + 6, targets, 2, 7),
            // About as many apps as sites.
            false => ServedLab::quiet(BINARY, targets * 2 + 10, 0, 2, 7),
        };
        let list = std::fs::read_to_string(lab.dir().join(book.list)).unwrap();
        let mut lines = list.lines().map(str::to_owned);
        let mut head = lines.next().unwrap();
        let mut rows: Vec<String> = lines.collect();
        let column = |name: &str| head.split(',').position(|column| column == name);
        let apps = column("apps");
        rows.sort_by_key(|row| std::cmp::Reverse(apps.and_then(|ix| row.split(',').nth(ix)).map_or(0, str::len)));
        // A runbook that wants to know less is given less.
        let wanted = [column("id"), book.only.and_then(column)];
        let cut = |line: &String| -> String {
            wanted.iter().flatten().filter_map(|ix| line.split(',').nth(*ix)).collect::<Vec<_>>().join(",")
        };
        if book.only.is_some() {
            rows = rows.iter().map(cut).collect();
            head = cut(&head);
        }
        // Every step of a runbook that treats the company's own targets in another way has its turn.
        rows.iter_mut().for_each(|row| *row = row.replace(",false", ",true"));
        assert!(rows.len() >= targets as usize, "{} rows", rows.len());
        let before = lab.fingerprint();
        Self { lab, before, book: *book, head, rows }
    }

    /// A folder for one store.
    pub fn store(&self, name: &str) -> PathBuf {
        let folder = self.lab.beside(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder.join("runs.db")
    }

    /// The command that runs a text for rows. What is broken on purpose would be found before the run: nobody is asked.
    pub fn run(&self, store: &Path, name: &str, text: &str, rows: &[String]) -> Command {
        let (runbook, list) = (self.lab.beside("book.yaml"), self.lab.beside("list.csv"));
        std::fs::write(&runbook, text).unwrap();
        std::fs::write(&list, format!("{}\n{}\n", self.head, rows.join("\n"))).unwrap();
        let mut command = reinstate(BINARY);
        command.arg("run").args(self.lab.planned_for(&runbook, &list)).args(["--run", name, "--yes", "--json"]);
        if self.book.renews {
            // Minutes are seconds there, and nobody is there to agree.
            command.args(["--input", "margin=5s", "--input", "sign_off=false"]);
        }
        command.arg("--no-preflight").args(at(store));
        command
    }

    /// Takes a whole run back.
    pub fn take_back(&self, store: &Path, name: &str) {
        let _ = expect(&mut verb(store, &["cancel", name, "--undo", "--reason", "a test"]), 0);
        let _ = expect(&mut verb(store, &["resume", name, "--json"]), 4);
    }

    /// Insists that the estate is as it was at the end of an undisturbed run for so many targets. Where IDs are new in each
    /// run, the truth of the lab says what that is.
    pub fn is_as(&self, done: &Fingerprint, targets: usize, why: &str) {
        if !self.book.renews {
            assert_eq!(done.differences(&self.lab.fingerprint()), [], "{why}");
            return;
        }
        self.lab.insist(targets, targets, why);
    }

    /// What is not as it was before.
    pub fn changed(&self) -> Vec<Changed> {
        self.before.differences(&self.lab.fingerprint())
    }

    /// Files that recoveries left.
    pub fn recovered(&self) -> Vec<PathBuf> {
        let folders = ["backups/recovered", "recovered/shard-00", "recovered/shard-01"];
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(self.lab.dir().join(folder)).ok());
        entries.flatten().map(|entry| entry.unwrap().path()).collect()
    }
}

/// A command on a store.
pub fn verb(store: &Path, args: &[&str]) -> Command {
    let mut command = reinstate(BINARY);
    command.args(args).args(at(store));
    command
}

fn at(store: &Path) -> [String; 2] {
    ["--store".to_owned(), format!("sqlite:{}", store.display())]
}
