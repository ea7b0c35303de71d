//! Can the command be started? Its program is looked for as the operating system would; nothing is run.

use std::io::Read;
use std::path::{Path, PathBuf};

use runtime::{Call, Finding, Intent};
use rustix::fs::{Access, access};
use serde_json::{Value, json};

/// Kind of the question.
pub(crate) const PROGRAM: &str = "exec.program";
/// Longest first line of a script that is read.
const LINE: u64 = 256;

/// One question for the command and one for the probe, as far as they are known.
pub(super) fn questions(intent: &Intent) -> Vec<Value> {
    let with = &intent.with;
    // A folder that is known only later may hold the program.
    let later = intent.from.contains_key("cwd");
    let program = |name: &str| {
        let program = with.get(name)?.get(0)?.as_str()?;
        (!later || program.starts_with('/')).then(|| {
            json!({ PROGRAM: program, "cwd": with.get("cwd"), "path": with.get("env").and_then(|env| env.get("PATH")) })
        })
    };
    ["command", "probe"].into_iter().filter_map(program).collect()
}

pub(crate) async fn answer(call: &Call) -> Vec<Finding> {
    let text = |name: &str| call.with.get(name).and_then(Value::as_str).map(str::to_owned);
    let written = text(PROGRAM).unwrap_or_default();
    let revealed = |text: String| call.secrets.reveal(&text).unwrap_or(text);
    let (program, cwd, path) = (revealed(written.clone()), text("cwd").map(revealed), text("path").map(revealed));
    let look = tokio::task::spawn_blocking(move || look(&program, cwd.as_deref(), path));
    vec![match look.await {
        Ok(Ok(found)) => Finding::good(PROGRAM, written, call.secrets.redact(&format!("is {}", found.display()))),
        Ok(Err((fact, hint))) => Finding::error("exec.spawn", written, call.secrets.redact(&fact), hint),
        Err(error) => {
            Finding::warning("exec.spawn", written, format!("could not be looked for: {error}"), "look for it")
        }
    }]
}

/// Finds the program, or says why it could not be started and what to do.
fn look(program: &str, cwd: Option<&str>, path: Option<String>) -> Result<PathBuf, (String, &'static str)> {
    if let Some(cwd) = cwd
        && !Path::new(cwd).is_dir()
    {
        return Err((format!("its folder {cwd} is not there"), "create the folder, or correct `cwd`"));
    }
    let found = if program.contains('/') {
        // Relative to the folder in which it will be started.
        cwd.map_or_else(|| PathBuf::from(program), |cwd| Path::new(cwd).join(program))
    } else {
        let path = path.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
        let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
        places.find(|place| runs(place)).ok_or_else(|| {
            (format!("there is no such program in {path}"), "install it, or write its path into `command`")
        })?
    };
    if !found.exists() {
        return Err((format!("{} is not there", found.display()), "correct `command`, or start reinstate elsewhere"));
    }
    if !runs(&found) {
        return Err((format!("{} may not be executed", found.display()), "make it executable: `chmod +x`"));
    }
    match interpreter(&found) {
        Some(interpreter) if !runs(Path::new(&interpreter)) => {
            let fact = format!("{} wants {interpreter}, which is not there", found.display());
            Err((fact, "install what the first line of the script names"))
        }
        _ => Ok(found),
    }
}

fn runs(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// What the first line of a script names; `None` if it is no script, or cannot be read.
fn interpreter(path: &Path) -> Option<String> {
    let mut start = Vec::new();
    std::fs::File::open(path).ok()?.take(LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    String::from_utf8_lossy(line).split_whitespace().next().map(str::to_owned)
}
