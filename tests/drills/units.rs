//! What runs the shipped drill without a daemon says the same as the drill itself, and types what the binary knows.

use reinstate_tests::process::{expect, reinstate, shipped};

use crate::files::BINARY;

fn text(name: &str) -> String {
    std::fs::read_to_string(shipped("drills").join(name)).unwrap()
}

#[test]
fn units_keep_the_schedule_of_the_drill() {
    assert!(text("weekly.yaml").contains("cron: \"30 3 * * 1\", time_zone: Europe/Berlin"));
    assert!(
        text("cronjob.yaml")
            .contains("schedule: \"30 3 * * 1\"\n  timeZone: Europe/Berlin\n  concurrencyPolicy: Forbid")
    );
    assert!(text("reinstate-drill.timer").contains("OnCalendar=Mon *-*-* 03:30:00 Europe/Berlin\n"));
}

#[test]
fn whatever_cleans_up_mounts_what_a_drill_needs() {
    for job in text("cronjob.yaml").split("---\n") {
        for volume in ["config", "state", "secrets"] {
            let told = job.lines().filter(|line| line.contains(&format!("{{ name: {volume}, "))).count();
            assert_eq!(told, 2, "{volume} is named and mounted: {job}");
        }
    }
}

#[test]
fn units_type_what_the_binary_knows() {
    let service = text("reinstate-drill.service");
    let typed = service.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/reinstate "));
    let cron = text("cronjob.yaml");
    let listed = cron.lines().filter_map(|line| line.trim().strip_prefix("command: [reinstate, ")?.strip_suffix(']'));
    let commands: Vec<Vec<String>> = typed
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .chain(listed.map(|line| line.split(", ").map(str::to_owned).collect()))
        .collect();
    assert_eq!(commands.len(), 4);
    let place = tempfile::tempdir().unwrap();
    for words in commands {
        // The file is not there: what is complained of is that alone, not the words.
        let output = expect(reinstate(BINARY).args(&words).current_dir(place.path()), 2);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("cannot read the drill"), "{words:?}: {said}");
    }
}
