//! What cargo knows of the workspace: members, packages and who depends on whom, for the host that tests run on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::workspace::root;

/// Output of `cargo metadata`.
pub(crate) struct Metadata(Value);

/// A direct dependency as a manifest declares it.
pub(crate) struct Declared {
    /// Name of the package.
    pub(crate) package: String,
    /// `normal`, `dev` or `build`.
    pub(crate) kind: String,
    /// Whether it lies in this workspace.
    pub(crate) ours: bool,
}

impl Metadata {
    /// Asks cargo, without a network: whoever runs tests has built, and so fetched, everything.
    pub(crate) fn read() -> Self {
        let args = ["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &host()];
        Self(serde_json::from_slice(&output("CARGO", "cargo", &args)).unwrap())
    }

    /// Packages of the workspace by name.
    pub(crate) fn members(&self) -> BTreeMap<&str, &Value> {
        let ids: BTreeSet<&str> = strings(&self.0["workspace_members"]).collect();
        self.packages().filter(|package| ids.contains(text(&package["id"]))).map(|it| (text(&it["name"]), it)).collect()
    }

    /// All packages that a build for this host may use.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Value> {
        self.0["packages"].as_array().unwrap().iter()
    }

    /// Names of all packages that a package needs to be built, itself left out; without its dev-dependencies.
    pub(crate) fn closure(&self, of: &str) -> BTreeSet<&str> {
        let names: BTreeMap<&str, &str> =
            self.packages().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let nodes: BTreeMap<&str, &Value> =
            self.0["resolve"]["nodes"].as_array().unwrap().iter().map(|node| (text(&node["id"]), node)).collect();
        let start = names.iter().find(|&(_, &name)| name == of).map(|(&id, _)| id).unwrap();
        let mut seen = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            for dep in nodes[id]["deps"].as_array().unwrap() {
                let used = dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev");
                if used && seen.insert(text(&dep["pkg"])) {
                    open.push(text(&dep["pkg"]));
                }
            }
        }
        seen.into_iter().filter(|&id| id != start).map(|id| names[id]).collect()
    }
}

/// Direct dependencies of a package.
pub(crate) fn declared(package: &Value) -> Vec<Declared> {
    let one = |dep: &Value| Declared {
        package: text(&dep["name"]).to_owned(),
        kind: dep["kind"].as_str().unwrap_or("normal").to_owned(),
        ours: dep["path"].is_string(),
    };
    package["dependencies"].as_array().unwrap().iter().map(one).collect()
}

/// Files at which cargo starts to compile a package, from the root.
pub(crate) fn entries(package: &Value) -> Vec<String> {
    let targets = package["targets"].as_array().unwrap();
    targets
        .iter()
        .map(|target| Path::new(text(&target["src_path"])).strip_prefix(root()).unwrap().display().to_string())
        .collect()
}

/// Text of a JSON value that is one.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(text)
}

fn host() -> String {
    let version = String::from_utf8(output("RUSTC", "rustc", &["-vV"])).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

fn output(variable: &str, program: &str, args: &[&str]) -> Vec<u8> {
    let program = std::env::var_os(variable).unwrap_or_else(|| program.into());
    let done = Command::new(&program).args(args).current_dir(root()).output().unwrap();
    assert!(done.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&done.stderr));
    done.stdout
}
