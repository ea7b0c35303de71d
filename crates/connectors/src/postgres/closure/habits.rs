//! Habits of those who write schemas, and of the tools that do: what is plain stops nothing, what may be a tenant's does.

use super::tests::{catalog, class, closure, way};
use super::*;

fn reason(closure: &Closure, name: &str) -> String {
    closure.tables.iter().find(|table| table.name == name).expect("the table was given").reason.clone()
}

/// Columns of the first hop of each way.
fn by(closure: &Closure, name: &str) -> Vec<String> {
    way(closure, name).iter().map(|way| way.path[0].columns.join("+")).collect()
}

#[test]
fn what_a_row_is_part_of_comes_before_who_did_it() {
    let given = catalog(
        &[
            "tenants",
            "staff: tenant_id?",
            "boards: tenant_id?",
            "cards: author_id? board_id?",
            "pins: author_id! card_id!",
        ],
        &[
            "staff.tenant_id>tenants",
            "boards.tenant_id>tenants",
            "cards.author_id>staff",
            "cards.board_id>boards",
            "pins.author_id>staff",
            "pins.card_id>cards",
        ],
    );
    let closure = closure(&given, &[]);
    assert_eq!(by(&closure, "cards"), ["board_id", "author_id"]);
    assert_eq!(by(&closure, "pins"), ["card_id", "card_id", "author_id"]);
}

#[test]
fn the_tenant_in_use_just_now_is_no_belonging() {
    let given = catalog(
        &[
            "tenants",
            "users: active_tenant_id?",
            "members: tenant_id! user_id!",
            "drafts: last_tenant_id?",
            "inks: user_id!",
        ],
        &[
            "users.active_tenant_id>tenants",
            "members.tenant_id>tenants",
            "members.user_id>users",
            "drafts.last_tenant_id>tenants",
            "inks.user_id>users",
        ],
    );
    let closure = closure(&given, &[]);
    let classes = ["users", "inks", "drafts"].map(|name| class(&closure, name));
    assert_eq!(classes, [Class::Shared, Class::Shared, Class::Unknown]);
    assert!(reason(&closure, "drafts").contains("just now"), "{}", reason(&closure, "drafts"));
}

#[test]
fn a_row_without_its_tenant_goes_with_what_it_is_part_of() {
    let given = catalog(
        &["tenants", "boxes: tenant_id!", "hooks: tenant_id? box_id?", "calls: hook_id!"],
        &["hooks.tenant_id>tenants", "boxes.tenant_id>tenants", "hooks.box_id>boxes", "calls.hook_id>hooks"],
    );
    let keyed = closure(&given, &[]);
    assert_eq!(by(&keyed, "hooks"), ["tenant_id", "box_id"]);
    assert_eq!(way(&keyed, "calls").len(), 2, "and so do rows below it");

    let nameless = catalog(&["tenants", "boxes: tenant_id!", "hooks: tenant_id? box_id?"], &[]);
    assert_eq!(by(&closure(&nameless, &[]), "hooks"), ["tenant_id", "box_id"]);
}

#[test]
fn another_tenant_that_may_be_missing_weighs_less_than_what_the_row_is_part_of() {
    let given = catalog(
        &["tenants", "users: tenant_id!", "vouchers: tenant_id!", "uses: voucher_id! taken_by?"],
        &["users.tenant_id>tenants", "vouchers.tenant_id>tenants", "uses.voucher_id>vouchers", "uses.taken_by>tenants"],
    );
    assert_eq!(by(&closure(&given, &[]), "uses"), ["voucher_id"]);
}

#[test]
fn keys_that_are_emptied_by_habit_say_nothing_but_of_members() {
    let given = |pairs: &str| {
        let mut given = catalog(
            &["tenants", "teams: tenant_id!", "plans", "works: team_id? plan_id?", "users: home?", pairs],
            &[
                "teams.tenant_id>tenants",
                "~works.team_id>teams",
                "~works.plan_id>plans",
                "~users.home>tenants",
                "~tenants.id>plans",
                "members.tenant_id>tenants",
                "members.user_id>users",
            ],
        );
        // One more key that forgets, so that it is seen to be a habit.
        let mut more = given.foreign_keys[1].clone();
        more.child = 3;
        more.columns = vec!["id".into()];
        more.parent = 2;
        given.tables[3].columns[0].not_null = false;
        given.tables[0].columns[0].not_null = false;
        given.foreign_keys.push(more);
        given.tables[5].indexes.push(crate::postgres::catalog::Index {
            unique: true,
            whole: true,
            columns: vec!["tenant_id".into(), "user_id".into()],
            ..Default::default()
        });
        given
    };
    let closure = closure(&given("members: tenant_id! user_id!"), &[]);
    assert_eq!((class(&closure, "works"), class(&closure, "users")), (Class::Tenant, Class::Shared));
}

#[test]
fn what_forgets_a_tenants_row_is_not_shared_in_silence() {
    let given = catalog(
        &["tenants", "teams: tenant_id!", "works: team_id?", "notes: tenant_id! work_id!"],
        &["teams.tenant_id>tenants", "~works.team_id>teams", "notes.tenant_id>tenants", "notes.work_id>works"],
    );
    let before = closure(&given, &[]);
    assert_eq!(class(&before, "works"), Class::Unknown, "{}", reason(&before, "works"));
    assert_eq!(class(&closure(&given, &["works(team_id)->teams"]), "works"), Class::Tenant);
    assert_eq!(class(&closure(&given, &["works=shared"]), "works"), Class::Shared);
}

#[test]
fn names_are_read_without_the_word_table() {
    let given = catalog(
        &["APP_TenantTable", "APP_TeamTable: tenant_id!", "APP_SpendTable: team_id!"],
        &["APP_TeamTable.tenant_id>APP_TenantTable"],
    );
    let closure = Closure::of(&given, "APP_TenantTable", &Options::default()).expect("the root is there");
    assert_eq!(class(&closure, "APP_SpendTable"), Class::Tenant);
}

#[test]
fn a_column_means_what_foreign_keys_of_that_name_mean_elsewhere() {
    let given = catalog(
        &[
            "tenants",
            "flags: tenant_id! name/text!*",
            "on: flag_name/text!",
            "off: flag_name/text!",
            "sums: flag_name/text!",
        ],
        &["flags.tenant_id>tenants", "on.flag_name>flags.name", "off.flag_name>flags.name"],
    );
    let closure = closure(&given, &[]);
    assert_eq!(class(&closure, "sums"), Class::Tenant);
    assert!(way(&closure, "sums")[0].by_name());
}

#[test]
fn texts_that_name_what_lies_outside_stop_nothing() {
    let given = catalog(
        &[
            "tenants",
            "slots: tenant_id!",
            "spans: trace_id/text! took!",
            "pods: pod_id/text! took!",
            "marks: badge_id/text! took!",
            "links: tenant_id/text! took!",
            "odd: thing_id! took!",
        ],
        &["slots.tenant_id>tenants"],
    );
    let closure = closure(&given, &[]);
    let classes = ["spans", "pods", "marks", "odd"].map(|name| class(&closure, name));
    assert_eq!(classes, [Class::Shared, Class::Shared, Class::Shared, Class::Unknown]);
    assert_ne!(class(&closure, "links"), Class::Tenant, "of another type");
}

#[test]
fn a_name_that_is_kept_apart_is_not_half_of_a_polymorphic_reference() {
    let given = catalog(
        &["tenants", "apps: client_type! client_id/text!*", "calls: tenant_id! app_id!", "votes: on_type! on_id!"],
        &["calls.tenant_id>tenants", "calls.app_id>apps"],
    );
    let closure = closure(&given, &[]);
    assert_eq!((class(&closure, "apps"), class(&closure, "votes")), (Class::Shared, Class::Unknown));
    assert!(reason(&closure, "votes").contains("votes(on_id)->tenants when on_type=..."));
}

#[test]
fn pairs_of_keys_and_nothing_else_may_be_a_tenants() {
    let mut given = catalog(&["tenants", "steps: tenant_id!", "pairs: A! B!"], &["steps.tenant_id>tenants"]);
    given.tables[2].columns.remove(0);
    given.tables[2].indexes.clear();
    let closure = closure(&given, &[]);
    assert_eq!(class(&closure, "pairs"), Class::Unknown);
    assert!(reason(&closure, "pairs").contains("pairs of keys"));
}

#[test]
fn more_ways_than_can_be_walked_are_no_answer() {
    let arms = |count: usize| {
        let mut tables = vec!["tenants".to_owned()];
        let mut keys = Vec::new();
        let mut columns = Vec::new();
        for n in 0..count {
            tables.push(format!("part{n}s: tenant_id!"));
            keys.push(format!("part{n}s.tenant_id>tenants"));
            columns.push(format!("part{n}_id?"));
            keys.push(format!("moves.part{n}_id>part{n}s"));
        }
        tables.push(format!("moves: {}", columns.join(" ")));
        tables.push("steps: move_id!".to_owned());
        keys.push("steps.move_id>moves".to_owned());
        let given = catalog(
            &tables.iter().map(String::as_str).collect::<Vec<_>>(),
            &keys.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let closure = closure(&given, &[]);
        let why = reason(&closure, "moves");
        (["moves", "steps"].map(|name| class(&closure, name)), why)
    };
    assert_eq!(arms(24).0, [Class::Tenant, Class::Tenant]);
    let (classes, why) = arms(25);
    assert_eq!(classes, [Class::Unknown, Class::Unknown], "no row stays away unseen");
    assert!(why.contains("more than 24 ways"), "{why}");
}
