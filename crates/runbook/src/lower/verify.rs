//! `targets.verify`: two steps of its own, so that nothing changes before every ID was looked at.

use engine::{ActionSpec, Holds, OnFailure, Retry, Scope};

use crate::codes;
use crate::fields::Sink;
use crate::lower::{Scene, keys, retry};
use crate::model::{Action, NeedDecl, Step};
use crate::words;
use crate::yaml::{Entry, Node, Value};

/// Names of the two steps; reserved where `targets.verify` is used.
pub(crate) const NAMES: [&str; 2] = ["verify", "verified"];

/// Finds `verify` in `targets`.
pub(crate) fn find(targets: &Node) -> Option<&Entry> {
    match &targets.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == "verify"),
        _ => None,
    }
}

/// Makes the steps `verify` (each site, front-loaded) and `verified` (once, after all of them).
pub(crate) fn steps(sink: &mut Sink<'_>, scene: &Scene<'_>, entry: &Entry) -> Vec<Step> {
    let fields = sink.fields(&entry.value, "`targets.verify`", keys::VERIFY);
    let action =
        fields.need(sink, "uses", "name an action that looks an ID up").and_then(|node| scene.action(sink, node));
    let expect = fields
        .need(sink, "expect", "say what the look-up must give: `expect: { kind: site, state: deleted }`")
        .map(|node| expected(sink, node, action.as_ref()))
        .unwrap_or_default();
    let safe = action.as_ref().is_some_and(|action| action.spec.read_only || action.spec.idempotent == Holds::Always);
    let base = Step {
        name: NAMES[0].into(),
        span: entry.key_span,
        place: sink.text.place(entry.key_span.start),
        scope: Scope::Site,
        needs: Vec::new(),
        action,
        with: fields.get("with").cloned(),
        expect,
        approval: None,
        undo: None,
        pools: Vec::new(),
        timeout_ms: scene.defaults.timeout_ms.unwrap_or(60_000),
        retry: if safe { scene.defaults.retry } else { retry::ONCE },
        on_failure: OnFailure::Abort,
        on_failure_at: entry.key_span,
        front_load: true,
        finally: false,
        condition: None,
        for_each: None,
        expect_ms: (0, 0),
        runs_on: Vec::new(),
        reads: Vec::new(),
        reads_own: false,
        synthesised: true,
    };
    let verified = Step {
        name: NAMES[1].into(),
        scope: Scope::Run,
        needs: vec![NeedDecl { step: 0, span: entry.key_span, require_all: true }],
        action: Some(Action { spec: noop(scene), written: None }),
        with: None,
        expect: String::new(),
        retry: Retry { attempts: 1, ..retry::ONCE },
        timeout_ms: 60_000,
        ..base.clone()
    };
    vec![base, verified]
}

fn noop(scene: &Scene<'_>) -> ActionSpec {
    scene.catalogue.iter().find(|action| action.uses == "noop@1").cloned().unwrap_or_else(|| ActionSpec {
        uses: "noop@1".into(),
        summary: "does nothing".into(),
        input: serde_json::json!({}),
        output: serde_json::json!({}),
        idempotent: Holds::Always,
        has_probe: Holds::Never,
        read_only: true,
    })
}

fn expected(sink: &mut Sink<'_>, node: &Node, action: Option<&Action>) -> String {
    let known = action.and_then(|action| crate::check::schema::known_properties(&action.spec.output));
    for entry in sink.entries(node, "`expect`") {
        if let Some(known) = &known
            && !known.contains(&entry.key.as_str())
        {
            sink.error(
                codes::EXPECT_OUTPUT,
                entry.key_span,
                format!(
                    "{} has no output `{}`",
                    action.map_or_else(|| "the action".to_owned(), Action::words),
                    words::short(&entry.key)
                ),
                words::suggest(&entry.key, "outputs", known.iter().copied()),
            );
        }
    }
    node.to_json().to_string()
}
