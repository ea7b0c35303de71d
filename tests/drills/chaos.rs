//! Chaos drills: planted steps that do not bear them are named.

use serde_json::Value;

use crate::files::Place;

/// A step of a script that is told its site, and says that it may be applied twice.
fn step(name: &str, script: &str) -> String {
    format!(
        "  {name}: {{ uses: exec/run@1, with: {{ idempotent: true, command: [sh, -c, '{script}', \"${{{{ site.id }}}}\", \
         \"${{{{ estate.place }}}}\"] }} }}"
    )
}

/// A drill of steps over sixteen sites that compares what the file `log` holds.
fn place(steps: &[String]) -> Place {
    let place = Place::new("'true'", "'true'", "rm, -f, \"${{ estate.place }}/log\"");
    place.change(
        "sites.csv",
        "s3,b\n",
        &("s3,b\n".to_owned() + &(4..=16).map(|site| format!("s{site},b\n")).collect::<String>()),
    );
    place.change("book.yaml", "timeout: 1m", "timeout: 1m, retry: { attempts: 4, delay: 20ms, max_delay: 50ms }");
    let work = "  work: { uses: exec/run@1, with: { command: ['true'] } }";
    place.change("book.yaml", work, &steps.join("\n"));
    let script = r#"printf '{\"hash\":\"%s\"}' $(sort $0/log | sha256sum | cut -c1-64)"#;
    let compare = format!(
        "compare: {{ log: {{ uses: exec/run@1, with: {{ command: [sh, -c, \"{script}\", \"${{{{ estate.place }}}}\"] }} }} }}\nclean_up:"
    );
    place.change("drill.yaml", "clean_up:", &compare);
    let second = "  second: { uses: exec/run@1, with: { command: [sh, -c, \"rm -rf $0/*.made $0/*.done\", \"${{ estate.place }}\"] } }";
    let touched = "  second: { uses: exec/run@1, with: { command: [touch, \"${{ estate.place }}/cleaned\"] } }";
    place.change("drill.yaml", touched, second);
    place
}

fn chaos(place: &Place, code: i32) -> Value {
    let told = place.said_with(&["run", "--chaos", "--seed", "11"], code);
    eprintln!("{:#}", told["chaos"]);
    told
}

fn named(told: &Value) -> Vec<(String, String)> {
    let findings = told["chaos"]["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut named: Vec<_> = findings.map(|found| (text(&found["step"]), text(&found["kind"]))).collect();
    named.sort();
    named.dedup();
    named
}

#[test]
fn what_workers_would_do_is_disturbed_here() {
    let once = step("once", "grep -qx $0 $1/log || echo $0 >> $1/log");
    let place = place(&[once.replacen("once: {", "once: { runs_on: nobody-has-it,", 1)]);
    let told = chaos(&place, 0);
    assert!(told["good"] == true && told["chaos"]["cut"].as_u64() > Some(0), "{told:#}");
}

#[test]
fn steps_that_bear_it_pass() {
    let place = place(&[step("once", "grep -qx $0 $1/log || echo $0 >> $1/log")]);
    let told = chaos(&place, 0);
    assert_eq!((&told["good"], &told["chaos"]["compared"]), (&true.into(), &true.into()), "{told:#}");
    let count = |name: &str| told["chaos"][name].as_u64().unwrap();
    assert!(count("cut") > 0 && count("twice") > 0, "{told:#}");
}

#[test]
fn a_step_that_adds_a_line_each_time_is_found_by_what_it_leaves() {
    let place = place(&[step("adds", "echo $0 >> $1/log"), step("fine", "true")]);
    let told = chaos(&place, 9);
    assert!(named(&told).contains(&("adds".to_owned(), "not_idempotent".to_owned())), "{told:#}");
    assert!(named(&told).iter().all(|(step, _)| step == "adds"), "{told:#}");
    assert_ne!(told["chaos"]["differences"], Value::Array(vec![]));
}

#[test]
fn an_effect_that_is_half_done_when_it_is_cut_off_is_found_by_what_it_leaves() {
    let half = "test -e $1/$0.done && exit 0; echo $0 >> $1/log; sleep 0.6; touch $1/$0.done";
    let place = place(&[step("half", half), step("fine", "true")]);
    let told = chaos(&place, 9);
    assert_eq!(named(&told), [("half".to_owned(), "half_done".to_owned())], "{told:#}");
}

#[test]
fn a_step_that_cannot_be_done_twice_is_found_by_its_answer() {
    let place = place(&[step("made", "mkdir $1/$0.made && echo $0 >> $1/log")]);
    let told = chaos(&place, 9);
    let found = told["chaos"]["findings"].as_array().unwrap().iter();
    let twice = found.filter(|found| found["kind"] == "not_idempotent" && found["step"] == "made");
    assert!(twice.clone().count() > 0 && twice.clone().all(|found| found["unit"].as_str().unwrap().contains("s")));
}

#[test]
fn a_step_that_says_it_cannot_be_done_twice_is_told_and_left_alone() {
    let adds = step("adds", "echo $0 >> $1/log").replace("idempotent: true, ", "");
    let adds = adds.replace("adds: {", "adds: { retry: { attempts: 1 },");
    let told = chaos(&place(&[adds, step("fine", "true")]), 0);
    assert_eq!((&told["chaos"]["spared"][0], &told["chaos"]["untouched"][0]), (&"adds".into(), &"adds".into()));
}

#[test]
fn chaos_that_can_disturb_nothing_is_not_good() {
    let once = step("once", "grep -qx $0 $1/log || echo $0 >> $1/log");
    let told = chaos(&place(&[once.replace("once: {", "once: { retry: { attempts: 1 },")]), 9);
    assert!(told["troubles"].to_string().contains("disturbed nothing"), "{told:#}");
    assert_eq!(told["chaos"]["untouched"][0], "once", "{told:#}");
}

#[test]
fn a_comparison_that_fails_is_a_trouble_and_is_ended_with_the_drill() {
    let place = place(&[step("fine", "true")]);
    place.change("drill.yaml", "log | sha256sum | cut -c1-64)", "log); exit 3 #");
    let told = chaos(&place, 9);
    assert!(told["troubles"].to_string().contains("the sandbox could not be compared"), "{told:#}");
    assert_eq!(told["chaos"], Value::Null, "the undisturbed drill was not good, so there was no other");
}

#[test]
fn a_chaos_drill_proves_nothing_and_each_of_its_drills_says_what_it_was() {
    let place = place(&[step("adds", "echo $0 >> $1/log")]);
    let _ = chaos(&place, 9);
    let history = place.said("history", 0);
    let drills = history["drills"].as_array().unwrap();
    let (quiet, disturbed) = drills.split_last().unwrap();
    assert_eq!((&quiet["good"], &quiet["narrowed"]), (&true.into(), &Value::Array(vec![])), "{quiet:#}");
    let narrowed: Vec<&str> = disturbed.iter().rev().map(|drill| drill["narrowed"][0].as_str().unwrap()).collect();
    let one = "attempts of step adds were disturbed";
    assert_eq!(narrowed, ["attempts were disturbed", one, one]);
    // What was found by narrowing is kept with the drill that found it.
    assert!(disturbed.iter().any(|drill| drill["chaos"]["findings"].to_string().contains("delivered twice")));
    let listed = place.said("list", 0);
    assert_eq!(listed[0]["last_good"], quiet["ended"], "{listed:#}");
}
