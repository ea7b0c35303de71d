//! The files of the page on deployment: units that systemd takes, and arguments that the binary takes.

use reinstate_tests::process::expect;
use reinstate_tests::typed::{Block, blocks};

use crate::place::{BINARY, Place};

/// Where the page has the binary.
const INSTALLED: &str = "/usr/local/bin/reinstate";

/// The files of the page whose names end so.
fn files(ending: &str) -> Vec<(String, String)> {
    let page = server::guide::topic("deploy").expect("the page").text;
    let named = |Block { info, text, .. }: Block| Some((info.get(2)?.clone(), text));
    let found: Vec<_> = blocks(page).into_iter().filter_map(named).filter(|(name, _)| name.ends_with(ending)).collect();
    assert!(!found.is_empty(), "there is no file {ending}");
    found
}

/// Insists that the binary knows a command and its options.
fn is_taken(args: &[&str]) {
    let place = Place::new();
    let _ = expect(place.command(args).arg("--help"), 0);
}

#[test]
fn units_are_as_systemd_wants_them_and_start_what_there_is() {
    let place = Place::new();
    let mut verify = std::process::Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    for (name, text) in [files(".service"), files(".timer")].concat() {
        for started in text.lines().filter_map(|line| line.strip_prefix("ExecStart=")) {
            let args = started.strip_prefix(INSTALLED).expect("it starts the binary");
            is_taken(&args.split_whitespace().collect::<Vec<_>>());
        }
        verify.arg(place.write(&name, text.replace(INSTALLED, BINARY)));
    }
    // What cleans up after a drill does so as the daemon would.
    let as_whom = |name: &str| -> Vec<String> {
        let (_, text) = files(".service").into_iter().find(|(found, _)| found == name).expect("the unit");
        let own = ["User=", "EnvironmentFile=", "StateDirectory=", "ProtectSystem=", "NoNewPrivileges="];
        text.lines().filter(|line| own.iter().any(|key| line.starts_with(key))).map(str::to_owned).collect()
    };
    assert_eq!(as_whom("reinstate.service"), as_whom("reinstate-drills.service"));
    let said = expect(&mut verify, 0);
    assert_eq!(String::from_utf8_lossy(&said.stderr), "", "nothing is to be said about them");
}

#[test]
fn containers_start_what_there_is() {
    for (name, text) in files(".yaml") {
        if name == "service.yaml" {
            continue;
        }
        let whole: serde_json::Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let spec = &whole["spec"];
        let pod = [&spec["template"]["spec"], &spec["jobTemplate"]["spec"]["template"]["spec"]];
        let pod = pod.into_iter().find(|pod| pod.is_object()).unwrap_or_else(|| panic!("{name}: no pod"));
        for container in pod["containers"].as_array().expect("containers") {
            let args = container["args"].as_array().expect("arguments");
            is_taken(&args.iter().map(|arg| arg.as_str().expect("text")).collect::<Vec<_>>());
            // What is mounted is there.
            let claims = spec["volumeClaimTemplates"].as_array().into_iter().flatten().map(|claim| &claim["metadata"]);
            let volumes: Vec<_> = pod["volumes"].as_array().into_iter().flatten().chain(claims).collect();
            for mount in container["volumeMounts"].as_array().expect("mounts") {
                assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{name}: {mount}");
            }
        }
    }
}
