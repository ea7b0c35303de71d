//! The JSON Schema of the language, for editors and for `reinstate schema`.

mod actions;
mod drill;
mod estate;
mod oidc;
mod steps;
mod types;

use engine::ActionSpec;
use serde_json::{Value as Json, json};

/// Returns the JSON Schema of a runbook; `with` is typed for each action of the catalogue.
#[must_use]
pub fn json_schema(catalogue: &[ActionSpec]) -> Json {
    of_steps(schemars::schema_for!(types::Runbook).to_value(), catalogue)
}

/// Returns the JSON Schema of a drill; `with` is typed for each action of the catalogue.
#[must_use]
pub fn drill_schema(catalogue: &[ActionSpec]) -> Json {
    of_steps(schemars::schema_for!(drill::Drill).to_value(), catalogue)
}

fn of_steps(mut schema: Json, catalogue: &[ActionSpec]) -> Json {
    let uses: Vec<&str> = catalogue.iter().map(|action| action.uses.as_str()).collect();
    for name in ["Step", "Undo", "Verify"] {
        if let Some(step) = schema.pointer_mut(&format!("/$defs/{name}")).and_then(Json::as_object_mut) {
            if let Some(field) = step.get_mut("properties").and_then(|all| all.get_mut("uses")) {
                *field = json!({ "description": "Name and version of an action.", "enum": uses });
            }
            step.insert("allOf".into(), catalogue.iter().map(actions::branch).collect());
        }
    }
    steps::kinds(&mut schema);
    schema
}

/// Returns the JSON Schema of an estate; its `actions` are those of the catalogue.
#[must_use]
pub fn estate_schema(catalogue: &[ActionSpec]) -> Json {
    let mut schema = schemars::schema_for!(estate::Estate).to_value();
    let uses: Vec<&str> = catalogue.iter().map(|action| action.uses.as_str()).collect();
    if let Some(actions) = schema.pointer_mut("/properties/actions").and_then(Json::as_object_mut) {
        actions.insert("propertyNames".into(), json!({ "enum": uses }));
        actions.insert("additionalProperties".into(), json!({ "enum": uses }));
    }
    schema
}

/// Returns the JSON Schema of the sign-in file; a group leads to one of the roles.
#[must_use]
pub fn oidc_schema(roles: &[&str]) -> Json {
    let mut schema = schemars::schema_for!(oidc::Oidc).to_value();
    if let Some(groups) = schema.pointer_mut("/properties/roles").and_then(Json::as_object_mut) {
        groups.insert("minProperties".into(), 1.into());
        groups.insert("additionalProperties".into(), json!({ "enum": roles }));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::{ANNOUNCE, ANNOUNCEMENT, CERTIFICATE, ESTATE, GUARD};
    use crate::lower::{self, keys};

    /// The schema and the reader must know the same keys.
    #[test]
    fn schema_has_the_keys_that_are_read() {
        let (schema, estate) = (json_schema(&[]), estate_schema(&[]));
        let keys_in = |schema: &Json, pointer: &str| -> Vec<String> {
            let found = schema.pointer(pointer).and_then(|at| at.get("properties")).and_then(Json::as_object);
            let mut keys: Vec<String> = found.into_iter().flatten().map(|(key, _)| key.clone()).collect();
            keys.sort();
            keys
        };
        let keys_of = |pointer: &str| keys_in(&schema, pointer);
        let sorted = |keys: &[&str]| {
            let mut keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            keys.sort();
            keys
        };
        let tables: &[(&str, &[&str])] = &[
            ("", keys::RUNBOOK),
            ("/$defs/Input", keys::INPUT),
            ("/$defs/Targets", keys::TARGETS),
            ("/$defs/Verify", keys::VERIFY),
            ("/$defs/RestorePoint", keys::RESTORE_POINT),
            ("/$defs/Objectives", keys::OBJECTIVES),
            ("/$defs/Pool", keys::POOL),
            ("/$defs/Batches", keys::BATCHES),
            ("/$defs/Gate", keys::GATE),
            ("/$defs/Approval", keys::APPROVAL),
            ("/$defs/Defaults", keys::DEFAULTS),
            ("/$defs/Retry", keys::RETRY),
            ("/$defs/Step", keys::STEP),
            ("/$defs/NeedMap", keys::NEED),
            ("/$defs/Undo", keys::UNDO),
        ];
        for (pointer, known) in tables {
            assert_eq!(keys_of(pointer), sorted(known), "{pointer}");
        }
        for (pointer, known) in [
            ("", ESTATE),
            ("/$defs/Guard", GUARD),
            ("/$defs/Certificate", CERTIFICATE),
            ("/$defs/Approval", keys::APPROVAL),
            ("/$defs/Announce", ANNOUNCE),
            ("/$defs/Announcement", ANNOUNCEMENT),
        ] {
            assert_eq!(keys_in(&estate, pointer), sorted(known), "{pointer} of an estate");
        }
        assert_eq!(keys_in(&oidc_schema(&[]), ""), sorted(crate::oidc::OIDC));
        let drill = drill_schema(&[]);
        let tables: &[(&str, &[&str])] = &[
            ("", crate::drill::keys::DRILL),
            ("/$defs/Schedule", crate::drill::keys::SCHEDULE),
            ("/$defs/CatchUpAll", crate::drill::keys::CATCH_UP),
            ("/$defs/Sample", crate::drill::keys::SAMPLE),
            ("/$defs/RandomPoint", crate::drill::keys::POINT),
            ("/$defs/Objectives", crate::drill::keys::OBJECTIVES),
            ("/$defs/Defaults", keys::DEFAULTS),
            ("/$defs/Step", keys::STEP),
        ];
        for (pointer, known) in tables {
            assert_eq!(keys_in(&drill, pointer), sorted(known), "{pointer} of a drill");
        }
        assert_eq!(drill["properties"]["clean_up"]["additionalProperties"]["$ref"], "#/$defs/FinallyStep");
        let mut finally: Vec<&str> = keys::STEP.to_vec();
        finally.retain(|key| !lower::NOT_IN_FINALLY.iter().any(|(word, _)| word == key));
        finally.sort_unstable();
        assert_eq!(keys_of("/$defs/FinallyStep"), finally);
        assert_eq!(schema["properties"]["finally"]["additionalProperties"]["$ref"], "#/$defs/FinallyStep");
    }
}
