//! What a plan would ask of actions, known before the run.

use std::collections::BTreeMap;

use engine::Plan;
use runbook::{Foreseen, PlanEvaluator};
use serde_json::json;

use crate::fixture;
use crate::plan::planned;

fn foreseen(text: &str, sites: &str) -> Vec<(String, Foreseen)> {
    let plan = Plan::new(planned(text, fixture::ESTATE, sites, &[]).unwrap()).unwrap();
    let evaluator = PlanEvaluator::new(&plan).unwrap();
    let mut all = Vec::new();
    assert!(evaluator.foresee(&plan, |seen| all.push((plan.step(seen.step).name.clone(), seen))));
    assert_eq!(evaluator.secrets().into_iter().collect::<Vec<_>>(), ["api"]);
    all
}

fn of<'a>(all: &'a [(String, Foreseen)], step: &str) -> Vec<&'a Foreseen> {
    all.iter().filter(|(name, _)| name == step).map(|(_, seen)| seen).collect()
}

#[test]
fn a_group_is_asked_for_its_earliest_and_its_latest_restore_point() {
    let at = |time: &str| format!("2022-04-05T{time}:00.000Z");
    let asked = |text: &str| -> Vec<(String, String)> {
        let all = foreseen(text, fixture::SITES);
        let pair = |seen: &&Foreseen| {
            (seen.with["backup"].as_str().unwrap().to_owned(), seen.with["at"].as_str().unwrap().to_owned())
        };
        of(&all, "recover").iter().map(pair).collect()
    };
    let (a, b) = ("/backups/a".to_owned(), "/backups/b".to_owned());
    let one = [(b.clone(), at("07:45")), (a.clone(), at("07:33"))];
    assert_eq!(asked(fixture::RUNBOOK), one, "aligned: one point for all sites of a shard");
    let by_site = fixture::RUNBOOK.replace("align: shard", "align: site");
    assert_eq!(asked(&by_site), [(b, at("07:45")), (a.clone(), at("07:33")), (a, at("07:40"))]);
}

#[test]
fn what_needs_outputs_is_left_out_and_told_by_its_source() {
    let undo =
        "undo: { uses: postgres/restore@1, with: { from: \"${{ steps.recover.outputs.url }}\", to: b, tenant: t } }\n";
    let text = fixture::RUNBOOK.replace("    pool: shard_writes\n", &format!("    pool: shard_writes\n    {undo}"));
    let all = foreseen(&text, fixture::SITES);
    let recovery = |shard: &str, at: &str| {
        let with = json!({ "backup": format!("/backups/{shard}"), "at": format!("2022-04-05T{at}:00.000Z") });
        BTreeMap::from([("from".to_owned(), ("postgres/recover@1".to_owned(), with))])
    };
    let databases = of(&all, "databases");
    let done: Vec<&&Foreseen> = databases.iter().filter(|seen| !seen.undo).collect();
    // Largest first: site 2 on shard b, then site 1 on shard a with two products; site 3 has none.
    assert_eq!(done.len(), 3, "{done:#?}");
    assert_eq!(done[0].with, json!({ "to": "db-b", "schema": "jira", "tenant": "site-000002" }));
    assert_eq!(done[0].from, recovery("b", "07:45"));
    assert_eq!(done[1].from, recovery("a", "07:33"));
    assert!(done.iter().all(|seen| seen.certain));
    let undone = databases.iter().find(|seen| seen.undo).unwrap();
    assert!(!undone.certain, "it is needed only if something goes wrong");
    assert_eq!((&undone.with["from"], &undone.with["to"]), (&json!(null), &json!("b")));
    let later = of(&all, "indexed");
    assert!(later.iter().all(|seen| !seen.certain && seen.with.get("name").is_none()), "{later:#?}");
    let apps = of(&all, "apps");
    assert_eq!(apps.len(), 2, "not for the site without apps");
    assert_eq!(of(&all, "catalogue")[0].with["headers"]["Authorization"], "Bearer ⟦secret:api⟧");
}

#[test]
fn what_workers_do_is_not_asked_for_here() {
    let all = foreseen(
        &fixture::RUNBOOK.replacen("needs: [catalogue, recover]", "needs: [catalogue, recover]\n    runs_on: ssd", 1),
        fixture::SITES,
    );
    assert!(of(&all, "databases").is_empty() && !of(&all, "catalogue").is_empty());
}

#[test]
fn many_sites_are_asked_for_by_what_makes_them_differ() {
    let mut list = String::from("id,shard,region,products,users,apps,deleted_at\n");
    for site in 0..5_000_u32 {
        let shard = if site == 4_321 { "b" } else { "a" };
        let (minute, product) = (site % 60, ["jira", "wiki", "desk"][site as usize % 3]);
        list.push_str(&format!("site-{site:06},{shard},eu,{product},{site},true,2022-04-05T07:{minute:02}:00Z\n"));
    }
    let text = fixture::RUNBOOK.replace("align: shard, max_loss: 1h", "align: site").replace(
        "catalogue:   { uses: http/request@1, with: { method: POST",
        "catalogue:   { uses: http/request@1, with: { method: POST, body: { at: \"${{ site.restore_point }}\" }",
    );
    let all = foreseen(&text, &list);
    let catalogue = of(&all, "catalogue");
    assert!((3..=4).contains(&catalogue.len()), "{} of 5000", catalogue.len());
    let mut points: Vec<&str> = catalogue.iter().map(|seen| seen.with["body"]["at"].as_str().unwrap()).collect();
    points.sort_unstable();
    assert!(points[0].starts_with("2022-04-05T06:55") && points[points.len() - 1].starts_with("2022-04-05T07:54"));
    let shards: Vec<&str> = of(&all, "databases").iter().map(|seen| seen.with["to"].as_str().unwrap()).collect();
    assert!(shards.contains(&"db-b"), "the only site of its shard is among them");
    assert!(shards.len() <= 16, "{}", shards.len());
}
