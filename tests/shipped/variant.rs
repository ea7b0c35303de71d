//! A shipped runbook with one thing changed, as text, so that everything else stays what ships.

/// A step as it stands in the text.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    /// Whether it runs once per target.
    pub each: bool,
    pub has_undo: bool,
    /// Whether it is a decision of people.
    pub asks: bool,
    /// Whether it runs once per item of a list.
    pub listed: bool,
}

/// The steps of a runbook, which are the last section of its text.
pub fn steps(text: &str) -> Vec<Step> {
    let of = |(name, block): (String, Vec<&str>)| {
        let holds = |what: &str| {
            block.iter().any(|line| line.trim_start().starts_with(what) || line.contains(&format!("{{ {what}")))
        };
        Step {
            name,
            each: !holds("scope:"),
            has_undo: holds("undo:"),
            asks: holds("approval:"),
            listed: holds("for_each:"),
        }
    };
    let steps: Vec<Step> = blocks(text).into_iter().map(of).collect();
    assert!(!steps.is_empty());
    steps
}

fn blocks(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut blocks: Vec<(String, Vec<&str>)> = Vec::new();
    for line in text.split_once("\nsteps:\n").expect("a section of steps").1.lines() {
        match begins(line) {
            Some(name) => blocks.push((name.to_owned(), vec![line])),
            None => blocks.last_mut().into_iter().for_each(|block| block.1.push(line)),
        }
    }
    blocks
}

/// The name of the step that begins in a line.
fn begins(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("  ")?.split_once(':')?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}

/// All targets in one batch of which any number may fail, short pauses between attempts, and a target that fails is taken back.
pub fn all_at_once(text: &str) -> String {
    let text = without(&without(text, "batches"), "defaults");
    let more = "batches: { sizes: [rest], max_failures: [100%] }\n\
                defaults: { scope: site, timeout: 1m, on_failure: undo, \
                retry: { attempts: 8, backoff: exponential, delay: 20ms, max_delay: 80ms } }\nsteps:\n";
    text.replacen("steps:\n", more, 1)
}

fn without(text: &str, section: &str) -> String {
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        if !line.starts_with(' ') {
            inside = line.starts_with(&format!("{section}:"));
        }
        !inside
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// After a step, one target fails.
pub fn failing_after(text: &str, step: &str, target: &str) -> String {
    format!(
        "{text}  after_{step}:\n    needs: {step}\n    if: site.id == '{target}'\n    retry: {{ attempts: 1 }}\n    \
         undo: {{ uses: noop@1 }}\n    uses: exec/run@1\n    \
         with: {{ command: [\"false\"], idempotent: true, failure_means: refused }}\n"
    )
}

/// A step does not reach the system that it acts on: for one target, or for all.
///
/// Returns `None` if it acts on no system of the estate.
pub fn unreachable(text: &str, step: &str, target: Option<&str>) -> Option<String> {
    let (mut here, mut undo, mut changed) = (false, false, false);
    let mut whole = String::new();
    let mut in_steps = false;
    for line in text.lines() {
        in_steps |= line == "steps:";
        if let Some(name) = begins(line).filter(|_| in_steps) {
            (here, undo) = (name == step, false);
        }
        undo |= line.trim_start().starts_with("undo:");
        if here && !undo && line.contains(ESTATE) {
            whole.push_str(&elsewhere(line, target));
            changed = true;
        } else {
            whole.push_str(line);
        }
        whole.push('\n');
    }
    changed.then_some(whole)
}

/// What reads the estate: `estate.NAME` or `estate[NAME]`.
const ESTATE: &str = "${{ estate";

fn elsewhere(line: &str, target: Option<&str>) -> String {
    let mut parts = line.split(ESTATE);
    let mut changed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (path, rest) = part.split_once(" }}").expect("an expression ends");
        // Below a file there is nothing, and nothing can be made.
        let nowhere = match path {
            path if path.starts_with(".shards") => "/dev/null/nowhere",
            path if path.starts_with(".objects") => "file:///dev/null/nowhere",
            _ => "http://127.0.0.1:1",
        };
        changed.push_str(&match target {
            Some(target) => format!("${{{{ '{nowhere}' if site.id == '{target}' else estate{path} }}}}{rest}"),
            None => format!("${{{{ '{nowhere}' }}}}{rest}"),
        });
    }
    changed
}
