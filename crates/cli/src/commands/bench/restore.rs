//! `bench restore`: whole restores over a matrix of sizes, told in three files and on standard output.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use report::{THROUGHPUT_FORMAT, Throughput};

use crate::args::BenchRestore;
use crate::bench::{RestoreBench, measure_restores};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, out, signals};

/// Longest earlier report that is read, in bytes.
const EARLIER_MAX: u64 = 1 << 30;

/// Measures, and writes the report.
pub(super) async fn restore(args: BenchRestore, json: bool) -> Result<Exit, Failure> {
    sizes(&args)?;
    // What cannot be read or written is told before minutes are spent.
    let earlier = args.compare.as_deref().map(earlier).transpose()?;
    std::fs::create_dir_all(&args.out).map_err(|error| {
        let fact = format!("cannot make {}: {error}", args.out.display());
        Failure::input("file-unwritable", fact, "name another folder with --out")
    })?;
    let base = args.dir.clone().unwrap_or_else(|| PathBuf::from("/var/tmp"));
    let base = base.canonicalize().map_err(|error| super::trouble(&error))?;
    let dir = super::scratch(&base)?;
    // The database servers' user passes it on the way to their data.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711))
        .map_err(|error| super::trouble(&error))?;
    let tell = |text: &str| {
        if !json {
            out::note(text);
        }
    };
    let (files_of, checked) = (args.out.clone(), args.check.is_some());
    let Some(throughput) = measure_restores(dir.path(), &bench(args, earlier), signals::stop(), &tell).await? else {
        return Ok(Exit::Stopped);
    };
    write(&files_of, &throughput)?;
    if json {
        out::json(&throughput);
    } else {
        out::answer(report::render_throughput(&throughput).trim_end());
        out::note(&format!("report: {}", files_of.join("throughput.html").display()));
    }
    if checked && throughput.check.is_none() {
        let fact = "no forecast follows from what was measured, so there was none to check; the report is written";
        return Err(Failure::input("bench-sizes", fact, "give more --sites or --batches"));
    }
    let slower = throughput.comparison.as_ref().is_some_and(|comparison| comparison.slower > 0);
    Ok(if slower { Exit::Slower } else { Exit::Done })
}

fn bench(args: BenchRestore, earlier: Option<Throughput>) -> RestoreBench {
    let double = args.double.map(|names| names.into_iter().filter(|name| name != "none").collect());
    RestoreBench {
        backend: args.backend.into(),
        runbook: args.runbook,
        sites: args.sites,
        batches: args.batches,
        pools: args.pools,
        workers: args.workers,
        double,
        repeats: args.repeats,
        forecast: args.forecast,
        check: args.check,
        earlier,
        rto_s: args.rto.map(|rto| rto.as_secs_f64()),
        lab_sites: args.lab_sites,
        deleted: args.deleted,
        shards: args.shards,
        rows: args.rows,
        seed: args.seed,
    }
}

/// Sizes that do not go together, before a lab is built for them.
fn sizes(args: &BenchRestore) -> Result<(), Failure> {
    let most = args.sites.iter().chain(&args.check).max().copied().unwrap_or(0);
    if args.deleted > args.lab_sites {
        let fact = format!("{} of {} sites cannot be deleted", args.deleted, args.lab_sites);
        return Err(Failure::input("bench-sizes", fact, "give more --lab-sites or fewer --deleted"));
    }
    if most > args.deleted {
        let fact = format!("{most} sites cannot be restored: {} are deleted", args.deleted);
        return Err(Failure::input("bench-sizes", fact, "give more --deleted (and --lab-sites), or fewer --sites"));
    }
    Ok(())
}

/// Reads an earlier report.
fn earlier(path: &Path) -> Result<Throughput, Failure> {
    let bytes = files::bytes(path, "the earlier report", EARLIER_MAX)?;
    let unlike = |fact: String| {
        let hint = "name the throughput.json of an earlier `reinstate bench restore`";
        Failure::input("bench-compare", format!("{}: {fact}", path.display()), hint)
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| unlike(error.to_string()))?;
    match value["format"].as_str() {
        Some(THROUGHPUT_FORMAT) => serde_json::from_value(value).map_err(|error| unlike(error.to_string())),
        Some(other) => Err(unlike(format!("its format is {other}, not {THROUGHPUT_FORMAT}"))),
        None => Err(unlike("it has no field `format`".to_owned())),
    }
}

fn write(folder: &Path, throughput: &Throughput) -> Result<(), Failure> {
    let mut json = serde_json::to_vec_pretty(throughput)
        .map_err(|error| Failure::trouble("json", &error, "report this defect"))?;
    json.push(b'\n');
    files::write(&folder.join("throughput.json"), &json)?;
    files::write(&folder.join("throughput.csv"), report::render_throughput_csv(throughput).as_bytes())?;
    files::write(&folder.join("throughput.html"), report::render_throughput_html(throughput).as_bytes())
}
