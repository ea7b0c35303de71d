//! `reinstate bench restore` on sizes that say nothing about speed: who is measured must have restored, and the three files of
//! the report tell the same.

use std::path::Path;
use std::process::Command;

use reinstate_tests::process::{expect, reinstate};
use serde_json::Value;

fn bench(folder: &Path) -> Command {
    let mut command = reinstate(env!("CARGO_BIN_EXE_reinstate-under-test"));
    command.args(["bench", "restore", "--lab-sites", "14", "--deleted", "8", "--shards", "2"]);
    command.arg("--dir").arg(folder).arg("--out").arg(folder.join("out"));
    command
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {value}"))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6 * a.abs().max(1.0)
}

#[test]
fn every_site_of_every_cell_returns_and_the_files_agree() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bench(folder.path());
    command.args(["--sites", "4,6", "--batches", "2,3", "--pools", "x2", "--double", "objects", "--repeats", "1"]);
    command.args(["--check", "8", "--rto", "10h"]);
    let output = expect(&mut command, 0);
    let text = String::from_utf8(output.stdout).unwrap();
    let out = folder.path().join("out");
    let json: Value = serde_json::from_slice(&std::fs::read(out.join("throughput.json")).unwrap()).unwrap();
    assert_eq!(json["format"], report::THROUGHPUT_FORMAT);
    let headline = json["headline"].as_str().unwrap();
    assert!(text.starts_with(headline), "{text}");

    // Two batch sizes as written and doubled, fewer sites in both batch sizes, and one pool by itself.
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4 + 2 + 1, "{headline}");
    for run in runs {
        let (cell, time) = (&run["cell"], &run["time"]);
        assert_eq!((&run["returned"], &run["compared"]), (&cell["sites"], &Value::Bool(true)), "{cell}");
        let makespan = number(time, "makespan_s");
        let chain: f64 = time["chain"].as_array().unwrap().iter().map(|part| number(part, "s")).sum();
        assert!(close(chain, makespan), "{chain} of {makespan} s are accounted for: {time}");
        let other = time["chain"].as_array().unwrap().iter().any(|part| part["spent"] == "other");
        assert!(!other, "the journal tells all of an undisturbed run: {time}");
        let bound = number(time, "lower_bound_s");
        assert!(0.0 < bound && bound <= makespan, "{bound} under {makespan}");
        assert!(close(number(run, "sites_per_hour"), number(cell, "sites") * 3600.0 / makespan));
        let batches = run["batches"].as_array().unwrap();
        let sum = |key: &str| batches.iter().map(|batch| number(batch, key)).sum::<f64>();
        assert!(close(sum("sites"), number(cell, "sites")) && close(sum("rows"), number(run, "rows")), "{run}");
        assert!(number(run, "rows") > 0.0 && close(sum("bytes"), number(run, "bytes")), "{run}");
        assert!(sum("wall_s") <= makespan, "{run}");
    }
    assert_eq!(json["cells"].as_array().unwrap().len(), 7);
    assert_eq!(json["limit"]["doubled"].as_array().unwrap().len(), 1);
    assert_eq!(json["advice"]["meets_rto"], true, "{headline}");
    assert_eq!(json["check"]["forecast"]["sites"], 8);
    assert!(json["scaling"]["features"].is_array() && json["forecasts"].as_array().unwrap().len() >= 4);

    let csv = std::fs::read_to_string(out.join("throughput.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), runs.len() + 1);
    let column = |name: &str| lines[0].split(',').position(|field| field == name).unwrap();
    for (line, run) in lines[1..].iter().zip(runs) {
        let fields: Vec<&str> = line.split(',').collect();
        let makespan: f64 = fields[column("makespan_s")].parse().unwrap();
        assert!((makespan - number(&run["time"], "makespan_s")).abs() < 1e-3, "{line}");
        assert_eq!(fields[column("rows")], run["rows"].to_string());
        assert_eq!(fields[column("returned")], run["returned"].to_string());
    }

    let html = std::fs::read_to_string(out.join("throughput.html")).unwrap();
    assert!(html.contains(&format!("<p class=\"lead\">{headline}</p>")), "the page begins with the conclusion");
    let elsewhere =
        html.split("http").skip(1).filter(|rest| !rest.starts_with("://www.w3.org/") && !rest.starts_with("-equiv"));
    assert_eq!(elsewhere.count(), 0, "the page loads nothing");
    assert!(html.matches("role=\"img\"").count() >= 3 && !html.contains("<script"), "pictures, and no script");

    // The same against itself is no slower; against one of a thousandth of the time all of it is.
    let mut again = json.clone();
    for cell in again["cells"].as_array_mut().unwrap() {
        for key in ["median", "min", "max"] {
            cell["makespan_s"][key] = (number(&cell["makespan_s"], key) / 1000.0).into();
        }
    }
    let earlier = folder.path().join("earlier.json");
    std::fs::write(&earlier, again.to_string()).unwrap();
    let mut command = bench(folder.path());
    command.args(["--sites", "6", "--batches", "3", "--pools", "x1", "--double", "none", "--repeats", "1"]);
    let output = expect(command.arg("--compare").arg(&earlier), 10);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("SLOWER") && text.contains("1 of 1 cells are slower"), "{text}");
    // What cannot be compared or checked is told before anything is measured.
    let one = ["--sites", "5", "--batches", "5", "--pools", "x1", "--double", "none", "--repeats", "1"];
    let earlier = earlier.display().to_string();
    for (more, code) in [(["--compare", earlier.as_str()], "bench-compare"), (["--check", "5"], "bench-sizes")] {
        let output = expect(bench(folder.path()).args(one).args(more), 2);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&format!("error[{code}]")) && !error.contains("runs that count"), "{error}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "files were left behind: {left:?}");
}

#[test]
fn what_cannot_be_measured_is_told_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], code: &str| {
        let output = expect(bench(folder.path()).args(args), 2);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&format!("error[{code}]")) && error.contains("hint:"), "{error}");
    };
    refused(&["--sites", "9"], "bench-sizes");
    refused(&["--check", "9", "--sites", "4"], "bench-sizes");
    let odd = folder.path().join("odd.json");
    std::fs::write(&odd, "{\"format\":\"reinstate-report/1\"}").unwrap();
    refused(&["--sites", "4", "--compare", &odd.display().to_string()], "bench-compare");
    std::fs::write(&odd, "no report").unwrap();
    refused(&["--sites", "4", "--compare", &odd.display().to_string()], "bench-compare");
}
