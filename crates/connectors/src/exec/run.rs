//! One run of a command.

use std::process::{ExitStatus, Stdio};

use runtime::{Call, Voice};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::group::Group;
use super::input::{FailureMeans, Run};
use crate::answer::{Trouble, duration, excerpt, inputs, revealed};
use crate::noted::{Printed, since};

/// Bytes of each stream that are kept: its end.
const KEPT: usize = 64 * 1024;
/// Longest text in the environment; Linux refuses a longer one.
const ENV_CAP: usize = 96 * 1024;
/// Exit code that asks for another attempt (`EX_TEMPFAIL` of sysexits).
const TEMPFAIL: i32 = 75;

/// How a command ended.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs the command.
pub(super) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let shown: Run = inputs(&call.with)?;
    let run: Run = revealed(&call.with, &call.secrets)?;
    let name = shown.command.first().cloned().unwrap_or_default();
    let ended = execute(call, &run, &run.command, &name).await?;
    match ended.status.code() {
        Some(0) => Ok(outputs(&ended.stdout)),
        Some(TEMPFAIL) => Err(Trouble::retry("exec.exit", told(&name, &ended, call))),
        Some(_) if run.failure_means == FailureMeans::Refused => {
            Err(Trouble::retry("exec.exit", told(&name, &ended, call)))
        }
        Some(_) => Err(Trouble::unknown("exec.exit", told(&name, &ended, call))
            .hint("if a failure of this command changes nothing, say `failure_means: refused`")),
        None => Err(Trouble::unknown("exec.signal", told(&name, &ended, call))),
    }
}

/// Runs the probe, if the step has one.
pub(super) async fn probe(call: &Call) -> Result<Value, Trouble> {
    let shown: Run = inputs(&call.with)?;
    let run: Run = revealed(&call.with, &call.secrets)?;
    let Some(command) = &run.probe else {
        return Err(Trouble::unknown("exec.no_probe", "the step has no probe command")
            .hint("give `probe`, or `idempotent: true` if running the command twice is safe"));
    };
    let name = shown.probe.as_ref().and_then(|probe| probe.first()).cloned().unwrap_or_default();
    let ended = execute(call, &run, command, &name).await.map_err(Trouble::in_doubt)?;
    match ended.status.code() {
        Some(0) => Ok(outputs(&ended.stdout)),
        Some(1) => Err(Trouble::retry("exec.not_done", format!("the probe {name} says that the effect is not there"))),
        _ => Err(Trouble::unknown("exec.probe", told(&name, &ended, call))),
    }
}

/// A command of another action.
pub(crate) struct Hook {
    /// Program and arguments; no shell.
    pub(crate) command: Vec<String>,
    /// Added to this process's environment.
    pub(crate) env: std::collections::BTreeMap<String, String>,
    /// Handed over as JSON.
    pub(crate) inputs: Value,
    /// User and group to run as; `None` is ourselves.
    pub(crate) user: Option<(u32, u32)>,
}

/// Runs a command of another action by the convention of `exec/run@1`; returns the keys of its last line.
///
/// # Errors
/// `exec.*`. The command must be safe to run twice: a failure asks for another attempt.
///
/// # Cancel safety
/// When dropped, the process group ends within the grace period.
pub(crate) async fn hook(call: &Call, hook: Hook) -> Result<Map<String, Value>, Trouble> {
    let mut run = Run::of(hook.command, hook.env, hook.inputs);
    run.user = hook.user;
    let name = call.secrets.redact(run.command.first().map(String::as_str).unwrap_or_default());
    let ended = execute(call, &run, &run.command, &name).await?;
    match (ended.status.code(), outputs(&ended.stdout)) {
        (Some(0), Value::Object(said)) => Ok(said),
        _ => Err(Trouble::retry("exec.exit", told(&name, &ended, call)).hint("run the command by hand to see more")),
    }
}

async fn execute(call: &Call, run: &Run, command: &[String], name: &str) -> Result<Ended, Trouble> {
    let grace = duration("grace", &run.grace)?.min(std::time::Duration::from_secs(60));
    let Some((program, args)) = command.split_first() else {
        return Err(Trouble::never("inputs", "command: the list is empty").hint("give the program and its arguments"));
    };
    let mut process = Command::new(program);
    process.args(args).envs(&run.env);
    if let Some((user, group)) = run.user {
        process.uid(user).gid(group);
    }
    process.env("REINSTATE_KEY", &call.key).env("REINSTATE_TOKEN", call.token.to_string());
    if let Some(undoes) = &call.undoes {
        process.env("REINSTATE_UNDOES", undoes);
    }
    let inputs = run.inputs.to_string();
    if inputs.len() <= ENV_CAP {
        process.env("REINSTATE_INPUTS", inputs);
    }
    if let Some(cwd) = &run.cwd {
        process.current_dir(cwd);
    }
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = std::time::Instant::now();
    call.log.note(format_args!("starts {name}"));
    let mut group = Group::start(process, grace).map_err(|error| {
        Trouble::never("exec.spawn", format!("{name} cannot be started: {error}"))
            .hint("give the full path, and check that the file is executable")
    })?;
    let mut stdin = json!({ "key": call.key, "token": call.token, "with": run.inputs });
    if let Some(undoes) = &call.undoes {
        stdin["undoes"] = undoes.as_str().into();
    }
    let stdin = stdin.to_string();
    let (mut input, output, error) = group.pipes();
    let feed = async {
        if let Some(pipe) = &mut input {
            // A command need not read its input.
            let _ = pipe.write_all(stdin.as_bytes()).await;
            let _ = pipe.write_all(b"\n").await;
        }
        drop(input.take());
    };
    let work = async {
        let (status, (), stdout, stderr) = tokio::join!(
            group.wait(),
            feed,
            tail(output, Printed::new(call, Voice::Stdout)),
            tail(error, Printed::new(call, Voice::Stderr))
        );
        status.map(|status| Ended { status, stdout, stderr })
    };
    let stopped = tokio::select! {
        ended = work => {
            if let Ok(ended) = &ended {
                call.log.note(format_args!("{name} {} after {}", how(ended), since(begun)));
            }
            return ended.map_err(|error| Trouble::unknown("exec.wait", format!("{name}: its end was not seen: {error}")));
        }
        () = tokio::time::sleep(call.timeout) => {
            let limit = humantime::format_duration(call.timeout);
            Trouble::unknown("exec.timeout", format!("{name} did not end within {limit}"))
        }
        () = call.cancel.cancelled() => Trouble::unknown("exec.cancelled", format!("{name} was cancelled")),
    };
    group.end().await;
    Err(stopped)
}

/// Reads a stream to its end, into the attempt's log, and keeps its last bytes, from a line's start on.
async fn tail(stream: Option<impl AsyncRead + Unpin>, mut printed: Printed<'_>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let mut cut = false;
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(read) = stream.read(&mut chunk).await {
        if read == 0 {
            break;
        }
        printed.take(&chunk[..read]);
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
            cut = true;
        }
    }
    if cut {
        // Half a line could hold half a secret, which nothing would redact.
        let start = kept.iter().position(|byte| *byte == b'\n').map_or(kept.len(), |end| end + 1);
        kept.drain(..start);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn outputs(stdout: &str) -> Value {
    let last = stdout.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut outputs: Map<String, Value> = serde_json::from_str(last).unwrap_or_default();
    outputs.insert("exit".to_owned(), 0.into());
    outputs.into()
}

/// How it ended, in words.
fn how(ended: &Ended) -> String {
    match ended.status.code() {
        Some(code) => format!("ended with {code}"),
        None => format!("was killed ({})", ended.status),
    }
}

fn told(name: &str, ended: &Ended, call: &Call) -> String {
    let said = if ended.stderr.trim().is_empty() { &ended.stdout } else { &ended.stderr };
    // Redact before cutting: half of a secret is not recognised any more.
    let clean = call.secrets.redact(said);
    let last: Vec<&str> = clean.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect();
    let said = excerpt(&last.into_iter().rev().collect::<Vec<_>>().join(" | "), 500);
    let end = how(ended);
    if said.is_empty() { format!("{name} {end}") } else { format!("{name} {end}: {said}") }
}
