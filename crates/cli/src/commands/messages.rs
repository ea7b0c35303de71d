//! `messages`: who would be told what by a runbook's messages to contacts. Sends nothing and notes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::{Evaluator, ForEach, KeyIx, Outcome, Plan, Run, StepIx, Target, UnitIx, When};
use runtime::{Call, Connector, SecretSource, SecretText};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::args::Messages;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::References;
use crate::{out, planning};

/// The action that writes to the contacts of a site, and the input that has it say what it would do.
const USES: &str = "notify/contacts@1";
const DRY_RUN: &str = "dry_run";
/// State of a site to which nobody writes, since its list has no contact of it.
const NO_CONTACT: &str = "no contact";
/// Longest time of one look at list and ledger.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says who would get what.
pub(crate) async fn messages(args: &Messages, json: bool) -> Result<Exit, Failure> {
    let plan = match planning::plan(&args.planned, json)? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let connectors = connectors::all(&connectors::Settings::default());
    let writes = |connector: &&Arc<dyn Connector>| connector.actions().iter().any(|action| action.uses == USES);
    let Some(connector) = connectors.iter().find(writes) else { return Ok(Exit::Done) };
    let desk = Desk {
        run: args.run.as_deref().unwrap_or("dry-run"),
        evaluator: server::planning::evaluator(&plan)
            .map_err(|why| Failure::input("plan-expressions", why, "plan again with this version"))?,
        nothing: Run::new(Arc::clone(&plan)),
        secrets: References::of_plan(&plan),
        plan: &plan,
        connector: &**connector,
    };
    let mut rows = Vec::new();
    for step in plan.steps().filter(|&step| plan.action(step).is_some_and(|action| action.uses == USES)) {
        for key in (0..plan.key_count(plan.step(step).scope)).map(KeyIx) {
            rows.extend(desk.of_unit(step, key).await);
        }
    }
    let nobody = rows.iter().filter(|row| row.get("state").is_some_and(|state| state == NO_CONTACT)).count();
    let troubles = rows.iter().filter(|row| row.get("trouble").is_some()).count();
    if json {
        out::json(&rows);
    } else {
        for row in &rows {
            out::answer(&line(row));
        }
        let messages = rows.len() - troubles - nobody;
        out::note(&format!(
            "messages: {messages}, sites without a contact: {nobody}, troubles: {troubles}; nothing was sent"
        ));
    }
    Ok(if troubles > 0 { Exit::BadInput } else { Exit::Done })
}

struct Desk<'a> {
    run: &'a str,
    evaluator: runbook::PlanEvaluator,
    /// A run in which nothing has happened: it has no outputs yet.
    nothing: Run,
    secrets: References,
    plan: &'a Plan,
    connector: &'a dyn Connector,
}

impl Desk<'_> {
    /// What a step would send for a key: a row each, or one with the trouble.
    async fn of_unit(&self, step: StepIx, key: KeyIx) -> Vec<Value> {
        let spec = self.plan.step(step);
        let about = json!({ "step": spec.name, "key": self.plan.key_name(spec.scope, key) });
        if let When::Planned(runs) = &spec.when
            && runs.get(key.ix()) == Some(&false)
        {
            return Vec::new();
        }
        let answer = match &spec.for_each {
            ForEach::Once => self.would(step, key).await,
            ForEach::Planned { .. } | ForEach::Later(_) => Err("a step with `for_each` is not looked at".to_owned()),
        };
        let row = |more: &Value| {
            let mut row = about.clone();
            for (name, value) in more.as_object().into_iter().flatten() {
                row[name] = value.clone();
            }
            row
        };
        match answer {
            Ok(would) => match would.as_array().map(Vec::as_slice) {
                None | Some([]) => vec![row(&json!({ "state": NO_CONTACT }))],
                Some(all) => all.iter().map(row).collect(),
            },
            Err(trouble) => vec![row(&json!({ "trouble": trouble }))],
        }
    }

    async fn would(&self, step: StepIx, key: KeyIx) -> Result<Value, String> {
        let target = Target { step, key, unit: UnitIx(0), item: None, undo: false };
        let mut with = self.evaluator.with(self.plan, target, &self.nothing).map_err(|error| error.to_string())?;
        with[DRY_RUN] = true.into();
        // Nobody logs in.
        if let Some(server) = with.get_mut("server").and_then(Value::as_object_mut) {
            server.remove("user");
            server.remove("password");
        }
        let mut values = BTreeMap::new();
        for name in SecretText::names_in(&with) {
            let value = self.secrets.read(&name).await.map_err(|why| format!("secret {name}: {why}"))?;
            values.insert(name, value);
        }
        let call = Call {
            uses: USES.to_owned(),
            key: format!("{}/{}", self.run, self.plan.step(step).name),
            undoes: None,
            token: 0,
            with,
            secrets: SecretText::new(values),
            timeout: PATIENCE,
            cancel: CancellationToken::new(),
            log: runtime::Log::default(),
        };
        match self.connector.apply(call).await {
            Outcome::Done { outputs } => {
                let outputs: Value = serde_json::from_str(outputs.as_deref().unwrap_or("{}")).unwrap_or_default();
                Ok(outputs["would"].clone())
            }
            Outcome::Refused { failure, .. } | Outcome::Unknown { failure } => {
                Err(format!("[{}] {}; {}", failure.code, failure.message, failure.hint))
            }
        }
    }
}

fn line(row: &Value) -> String {
    let text = |name: &str| report::plain(row.get(name).and_then(Value::as_str).unwrap_or_default());
    match row.get("trouble") {
        Some(_) => format!("{}/{}  {}", text("step"), text("key"), text("trouble")),
        None => format!("{}/{}  {}  {}  {}", text("step"), text("key"), text("state"), text("to"), text("subject")),
    }
}
