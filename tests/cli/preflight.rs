//! `--preflight` and what `run` asks before it changes anything.

use reinstate_tests::process::{ServedLab, expect, reinstate, shipped};

use crate::place::{BINARY, Place, holds, runbook};

/// A service that nobody runs, a program that is not there, and a secret that is not set.
fn broken(place: &Place) -> String {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let steps = format!(
        "  ask: {{ uses: http/request@1, with: {{ method: POST, url: \"http://{nobody}/sites/${{{{ site.id }}}}\", headers: \
         {{ Authorization: \"Bearer ${{{{ secrets.api }}}}\" }} }} }}\n  \
         again: {{ needs: ask, uses: check/http@1, with: {{ url: \"http://{nobody}/${{{{ site.id }}}}\" }} }}\n  \
         act: {{ needs: ask, uses: exec/run@1, with: {{ command: [no-such-program, \"${{{{ site.id }}}}\"] }} }}\n"
    );
    place.write("book.yaml", runbook("book", "", &steps));
    place.write("estate.yaml", "schema: estate/v1\nname: bench\nsecrets: { api: env:REINSTATE_NO_SUCH }\n");
    nobody.to_string()
}

const FILES: [&str; 4] = ["--sites", "sites.csv", "--estate", "estate.yaml"];

#[test]
fn run_starts_nothing_that_cannot_work_unless_told_to() {
    let place = Place::new();
    let nobody = broken(&place);
    let run = |more: &[&str], code: i32| {
        let args: Vec<&str> = ["run", "book.yaml", "--run", "r", "--yes"].into_iter().chain(FILES).collect();
        place.said(&[&args, more].concat(), code)
    };
    let said = run(&[], 2);
    holds(
        &said.err,
        &[
            "3 questions: 3 errors",
            &format!("http://{nobody}: Connection refused"),
            "(again, ask)",
            "[exec.spawn]",
            "no-such-program",
            "secret api: environment variable REINSTATE_NO_SUCH is not set",
            "hint:",
            "nothing was changed",
            "--no-preflight",
        ],
    );
    assert_eq!(said.out, "");
    let json = run(&["--json"], 2).json();
    assert_eq!((&json["preflight"]["errors"], &json["preflight"]["asked"]), (&3.into(), &3.into()), "{json}");
    holds(&place.said(&["status", "r"], 2).err, &["no run"]);
    // Whoever insists gets a run, and its failures.
    let _ = run(&["--no-preflight"], 4);
    holds(&place.said(&["status", "r"], 4).out, &["4 quarantined"]);
}

#[test]
fn plan_and_check_ask_only_when_asked_to() {
    let place = Place::new();
    let _ = broken(&place);
    let plan: Vec<&str> = ["plan", "book.yaml"].into_iter().chain(FILES).collect();
    let quiet = place.said(&plan, 0);
    assert!(!quiet.out.contains("preflight"), "{}", quiet.out);
    let asked: Vec<&str> = plan.iter().copied().chain(["--preflight"]).collect();
    holds(&place.said(&asked, 2).out, &["hash ", "preflight     3 questions: 3 errors", "hint:"]);
    let json = place.said(&[&asked[..], &["--json"]].concat(), 2).json();
    let findings = json["preflight"]["findings"].as_array().unwrap();
    let refused = findings.iter().find(|found| found["code"] == "http.connect").unwrap();
    assert_eq!((&refused["severity"], &refused["steps"]), (&"error".into(), &serde_json::json!(["again", "ask"])));
    assert!(!refused["hint"].as_str().unwrap().is_empty());
    let check: Vec<&str> = ["check", "book.yaml"].into_iter().chain(FILES).collect();
    let _ = place.said(&check, 0);
    let said = place.said(&[&check[..], &["--preflight"]].concat(), 2);
    holds(&said.err, &["3 questions: 3 errors"]);
    let json = place.said(&[&check[..], &["--preflight", "--format", "json"]].concat(), 2).json();
    assert_eq!(json[0]["preflight"]["errors"], 3, "{json}");
    holds(&place.said(&["check", "book.yaml", "--preflight"], 2).err, &["--sites", "--estate"]);
}

#[test]
fn what_may_never_be_needed_warns_and_does_not_stop() {
    let place = Place::new();
    place.write(
        "book.yaml",
        runbook(
            "book",
            "",
            "  act: { uses: exec/run@1, with: { command: [sh, -c, 'echo {}'], idempotent: true }, undo: { uses: exec/run@1, \
             with: { command: [no-such-undo], idempotent: true } } }\n",
        ),
    );
    let said = place.run("book.yaml", "r", 0);
    holds(&said.err, &["2 questions: 0 errors, 1 warning", "warning[exec.spawn]", "no-such-undo"]);
}

/// A backup whose log reaches the earliest restore point of its shard and not the latest.
#[test]
fn every_site_has_a_restore_point_in_the_window_of_the_backups_or_the_run_does_not_start() {
    let lab = ServedLab::quiet(BINARY, 24, 16, 2, 7);
    let list = std::fs::read_to_string(lab.dir().join("sites.csv")).unwrap();
    let mut rows = list.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let column = |name: &str| head.iter().position(|known| *known == name).unwrap();
    let (shard, deleted) = (column("shard"), column("deleted_at"));
    let rows: Vec<Vec<&str>> = rows.filter(|row| row[shard] == "shard-00").collect();
    let earliest = rows.iter().map(|row| row[deleted]).min().unwrap();
    assert!(rows.iter().any(|row| row[deleted] > earliest), "the sites of a shard went one after another");
    let log = lab.dir().join("backups/shard-00/log.jsonl");
    let whole = std::fs::read_to_string(&log).unwrap();
    let at = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["at"].as_str().unwrap().to_owned();
    // Points are 5 minutes before the deletion: the end of the log lies behind the earliest and before the latest.
    let latest = rows.iter().map(|row| row[deleted]).max().unwrap();
    let minute = |time: &str| time[..16].to_owned();
    let before = |time: &str| {
        let clock: Vec<u32> = time[11..16].split(':').map(|part| part.parse().unwrap()).collect();
        let minutes = clock[0] * 60 + clock[1] - 5;
        format!("{}{:02}:{:02}", &time[..11], minutes / 60, minutes % 60)
    };
    let short: String =
        whole.lines().take_while(|line| minute(&at(line)) < before(latest)).map(|line| format!("{line}\n")).collect();
    assert!(minute(&at(short.lines().last().unwrap())) > before(earliest), "between the two points");
    std::fs::write(&log, short).unwrap();
    let book = std::fs::read_to_string(shipped("restoration-2.yaml")).unwrap();
    let check = |align: &str, code: i32| {
        let file = lab.beside("book.yaml");
        std::fs::write(&file, book.replace("align: shard", align)).unwrap();
        let mut command = reinstate(BINARY);
        command.arg("plan").args(lab.planned(&file)).args(["--preflight", "--json"]);
        let output = expect(&mut command, code);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["preflight"].clone()
    };
    let well = check("align: shard", 0);
    let space = well["findings"].as_array().unwrap().iter().find(|found| found["code"] == "preflight.space");
    assert!(space.unwrap()["fact"].as_str().unwrap().contains("wanted at most"), "{well}");
    let short = check("align: site", 2);
    let findings = short["findings"].as_array().unwrap();
    assert_eq!((&short["errors"], &findings[0]["code"]), (&1.into(), &"sqlite.log_too_short".into()), "{short}");
    assert!(findings[0]["subject"].as_str().unwrap().ends_with("shard-00"), "{short}");
    assert_eq!(findings[0]["steps"], serde_json::json!(["recover"]));
}
