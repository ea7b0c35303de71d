//! Every route against every role, from the document that the daemon gives of itself.

use server::access::{Permission, RULES, Role, rule_of};

use crate::client::Request;
use crate::daemon::{Daemon, Home, bearing};

/// Methods and paths of the document.
pub fn operations(document: &serde_json::Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, methods): (&String, &serde_json::Value)| {
        let methods = methods.as_object().expect("methods");
        methods.keys().map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn every_route_refuses_everybody_who_may_not() {
    let home = Home::new(1);
    let tokens: Vec<(Role, String)> =
        Role::ALL.into_iter().map(|role| (role, home.token(role.word(), role.word()))).collect();
    let daemon = Daemon::start(&home);
    let document = daemon.seen(&tokens[0].1, "/api/v1/openapi.json");
    let operations = operations(&document);
    assert!(operations.len() > 35, "{operations:?}");
    let mut refused = 0;
    for (method, path) in &operations {
        let rule = rule_of(&method.parse().expect("a method"), path);
        let rule = rule.unwrap_or_else(|| panic!("{method} {path} has no rule"));
        let target = path
            .replace("{run}", "none")
            .replace("{drill}", "none")
            .replace("{site}", "none")
            .replace("{step}", "none")
            .replace("{key}", "none")
            .replace("{attempt}", "1");
        let ask = |token: &str| daemon.ask(&bearing(Request::new(method, &target), token));
        let nobody = ask("").status;
        assert_eq!(nobody == 401, rule.needs != Permission::Open, "{method} {path}: {nobody}");
        for (role, token) in &tokens {
            if rule.needs == Permission::Open {
                continue;
            }
            let answer = ask(token);
            if role.may(rule.needs) {
                assert!(!matches!(answer.status, 401 | 403), "{role:?} {method} {path}: {answer:?}");
            } else {
                assert_eq!((answer.status, answer.code().as_str()), (403, "role-missing"), "{role:?} {method} {path}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 60, "{refused}");
    let unknown: Vec<&str> = RULES
        .iter()
        // Pages are no part of the document.
        .filter(|rule| rule.path.starts_with("/api/"))
        .filter(|rule| !operations.iter().any(|(method, path)| rule.method == method.as_str() && path == rule.path))
        .map(|rule| rule.path)
        .collect();
    assert!(unknown.is_empty(), "rules of routes that the document does not have: {unknown:?}");
}

#[test]
fn who_looks_changes_nothing_and_who_steers_decides_nothing() {
    for rule in
        RULES.iter().filter(|rule| rule.method != "GET" && !["/session", "/sign-in", "/sign-out"].contains(&rule.path))
    {
        assert!(!Role::Viewer.may(rule.needs), "{rule:?}");
    }
    for path in ["/api/v1/runs/{run}/approve", "/api/v1/runs/{run}/reject", "/api/v1/runs/{run}/validate"] {
        let needs = rule_of(&"POST".parse().expect("a method"), path).expect("a rule").needs;
        assert!(!Role::Operator.may(needs) && Role::Approver.may(needs), "{path}");
    }
    assert!(RULES.iter().all(|rule| Role::Admin.may(rule.needs)));
    assert!(!Role::Validator.may(Permission::Decide) && !Role::Approver.may(Permission::Operate));
}
