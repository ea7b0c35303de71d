//! `reinstate tenant closure`, as it is typed.

use std::process::Command;

use reinstate_tests::postgres::Cluster;
use reinstate_tests::process::{expect, reinstate};

fn closure(url: &str, root: &str) -> Command {
    let mut command = reinstate(env!("CARGO_BIN_EXE_reinstate-under-test"));
    command.args(["tenant", "closure", "--url", url, "--root", root]);
    command
}

#[test]
fn the_answer_names_class_reason_and_path_of_every_table() {
    let cluster = Cluster::start();
    let _ = cluster.sql("postgres", include_str!("schemas/traits.sql"));
    let url = cluster.url("postgres");
    let output = expect(closure(&url, "tenants").arg("--json"), 0);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tables = answer["tables"].as_array().unwrap();
    let classes = ["tenant", "shared", "derived", "ephemeral", "unknown"];
    for table in tables {
        assert!(classes.contains(&table["class"].as_str().unwrap()), "{table}");
        assert!(!table["reason"].as_str().unwrap().is_empty(), "{table}");
        let leads = table["class"] == "tenant" && table["name"] != "tenants";
        assert_eq!(leads, !table["path"].as_array().unwrap().is_empty(), "{table}");
    }
    let reads = tables.iter().find(|table| table["name"] == "reaction_reads").unwrap();
    let hops: Vec<&str> = reads["path"].as_array().unwrap().iter().map(|hop| hop["to"].as_str().unwrap()).collect();
    assert_eq!(hops, ["comments", "issues", "projects", "tenants"]);
    assert_eq!(answer["unknown"], serde_json::json!(["imports", "inbox_raw", "votes"]));

    let text = expect(closure(&url, "public.tenants").args(["--declare", "imports = shared"]), 0);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("reactions.comment_id -> comments.issue_id -> issues.tenant_id+project_id -> "), "{text}");
    assert!(text.contains("2 unknown") && text.contains("--declare"), "{text}");
    assert!(text.contains("webhook_calls.webhook_id ~> webhooks.tenant_id ~> tenants"), "{text}");

    let strict = expect(closure(&url, "tenants").args(["--json", "--keys-only"]), 0);
    assert!(
        String::from_utf8(strict.stdout)
            .unwrap()
            .contains("\"unknown\":[\"imports\",\"inbox_raw\",\"votes\",\"webhook_calls\",\"webhooks\"]")
    );
}

#[test]
fn what_is_wrong_is_named_without_the_password() {
    let cluster = Cluster::start();
    let _ = cluster.sql("postgres", "CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b))");
    let url = cluster.url("postgres").replace("postgres@", "postgres:hunter2@");
    for (url, root, declare, exit, said) in [
        (url.as_str(), "nobody", "", 2, "there are pair"),
        (url.as_str(), "pair", "", 2, "--key COLUMN"),
        (url.as_str(), "pair", "pair=green", 2, "TABLE=CLASS"),
        ("postgres://me:hunter2@127.0.0.1:1/shop", "t", "", 1, "postgres://me@127.0.0.1:1/shop"),
        ("mysql://me:hunter2@h/shop", "t", "", 2, "postgres://"),
    ] {
        let mut command = closure(url, root);
        if !declare.is_empty() {
            command.args(["--declare", declare]);
        }
        let output = expect(&mut command, exit);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(text.contains(said) && text.contains("hint: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
