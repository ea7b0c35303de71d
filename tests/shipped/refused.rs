//! `retire-app.yaml` against what went wrong in 2022, and against what may go wrong on its way.

use reinstate_tests::process::{ServedLab, expect, reinstate, shipped, strike_when};

const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

struct Retirement {
    lab: ServedLab,
    list: Vec<Vec<String>>,
    before: lab::Fingerprint,
}

impl Retirement {
    /// A lab in which nothing was deleted, the other tenants at rest, and its list of apps.
    fn new(seed: u64) -> Self {
        let lab = ServedLab::quiet(BINARY, 30, 0, 2, seed);
        let list = std::fs::read_to_string(lab.dir().join("apps.csv")).unwrap();
        let list = list.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
        let before = lab.fingerprint();
        Self { lab, list, before }
    }

    /// Runs the runbook for these rows: `id,site,app,shard,region,own`.
    fn run(&self, name: &str, rows: &[Vec<String>], code: i32) -> String {
        let list = self.lab.beside(&format!("{name}.csv"));
        let rows: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        std::fs::write(&list, format!("id,site,app,shard,region,own\n{}\n", rows.join("\n"))).unwrap();
        let mut command = reinstate(BINARY);
        command.arg("run").args(self.lab.planned_for(&shipped("retire-app.yaml"), &list));
        let output = expect(command.args(["--run", name, "--yes", "--store", &self.store()]), code);
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    fn store(&self) -> String {
        format!("sqlite:{}", self.lab.beside("runs.db").display())
    }

    fn verb(&self, args: &[&str], code: i32) -> String {
        let output = expect(reinstate(BINARY).args(args).args(["--store", &self.store()]), code);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn changed(&self) -> Vec<lab::Changed> {
        self.before.differences(&self.lab.fingerprint())
    }
}

#[test]
fn site_ids_in_place_of_app_ids_change_nothing_and_each_row_is_named() {
    let lab = Retirement::new(3);
    let mut seen = std::collections::BTreeSet::new();
    let rows: Vec<Vec<String>> = lab
        .list
        .iter()
        .filter(|row| seen.insert(row[1].clone()))
        .map(|row| [std::slice::from_ref(&row[1]), &row[1..]].concat())
        .collect();
    assert!(rows.len() > 5);
    let said = lab.run("wrong", &rows, 4);
    for (ix, row) in rows.iter().enumerate() {
        let wanted = format!("site {0} (wrong.csv:{1}): kind is \"site\", expected \"app\"", row[0], ix + 2);
        let wanted = wanted.replace("(wrong.csv", &format!("({}", lab.lab.beside("wrong.csv").display()));
        assert!(said.contains(&wanted), "`{wanted}` is not in:\n{said}");
    }
    assert!(said.contains(&format!("failed: 0 of {} sites returned", rows.len())), "{said}");
    assert_eq!(lab.changed(), []);

    // One wrong row among right ones, the last of the list, stops them all.
    let mut rows = lab.list.clone();
    let wrong = rows.len() - 1;
    rows[wrong][0] = rows[wrong][1].clone();
    let said = lab.run("one", &rows, 4);
    assert!(said.contains("kind is \"site\", expected \"app\""), "{said}");
    assert_eq!(lab.changed(), []);
}

#[test]
fn a_customer_in_the_first_batch_is_refused_before_anything_changes() {
    let lab = Retirement::new(3);
    let rows: Vec<Vec<String>> = lab.list.iter().filter(|row| row[5] == "false").cloned().collect();
    let said = lab.run("theirs", &rows, 5);
    assert!(said.contains("a customer is in the first batch"), "{said}");
    assert_eq!(lab.changed(), []);
}

#[test]
fn a_ticket_stops_a_retirement_until_people_have_looked() {
    let lab = Retirement::new(3);
    lab.lab.post("/lab/tickets", r#"{"raise": 2}"#);
    // Tickets from before do not count; one that comes in after the first batch does.
    let list = lab.lab.dir().join("apps.csv");
    let mut command = reinstate(BINARY);
    command.arg("run").args(lab.lab.planned_for(&shipped("retire-app.yaml"), &list));
    command.args(["--run", "r", "--yes", "--json", "--store", &lab.store()]);
    let (_, ended) = strike_when(&mut command, "-TERM", |line| line.contains("batch-settled"));
    assert!(!ended, "the second batch waits until the first has soaked");
    lab.lab.post("/lab/tickets", r#"{"raise": 1}"#);
    let said = lab.verb(&["resume", "r"], 5);
    assert!(said.contains("1 of "), "{said}");
    assert!(lab.verb(&["why", "r", "calm/2"], 0).contains("/body/open: expected 0, found 1"));

    lab.verb(&["cancel", "r", "--undo", "--reason", "that ticket is about this"], 0);
    lab.verb(&["resume", "r"], 4);
    assert_eq!(lab.changed(), []);
}
