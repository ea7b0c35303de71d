//! The tools that the stages call: found, or installed where that is possible.

use std::process::{Command, Stdio};

/// A tool outside of the workspace.
struct Tool {
    /// What it is called in messages.
    name: &'static str,
    /// A call that succeeds if it is there.
    probe: &'static [&'static str],
    install: Install,
}

enum Install {
    /// Part of the Rust toolchain.
    Component(&'static str),
    /// A Debian package; as root only.
    Debian(&'static str),
    /// A program in the crate registry; takes minutes, once per machine.
    Crate(&'static str),
    /// Packages for Node, at their versions, into the target folder.
    Packages(&'static [&'static str]),
}

const TOOLS: &[Tool] = &[
    Tool { name: "rustfmt", probe: &["cargo", "fmt", "--version"], install: Install::Component("rustfmt") },
    Tool { name: "clippy", probe: &["cargo", "clippy", "--version"], install: Install::Component("clippy") },
    // SQLite and the TLS primitives are compiled from C.
    Tool { name: "a C compiler", probe: &["cc", "--version"], install: Install::Debian("build-essential") },
];

/// Tests start clusters of their own from the package's programs, which are not in the path.
const SERVER: Tool = Tool {
    name: "PostgreSQL",
    probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb /usr/lib/postgresql/*/bin/pg_basebackup"],
    install: Install::Debian("postgresql"),
};

/// The pages are looked at with a real browser.
const BROWSER: Tool = Tool {
    name: "Chromium",
    probe: &["sh", "-c", "command -v chromium-headless-shell || command -v chromium"],
    install: Install::Debian("chromium-headless-shell"),
};
/// The units of the guide are held against what systemd knows.
const UNITS: Tool =
    Tool { name: "systemd", probe: &["systemd-analyze", "--version"], install: Install::Debian("systemd") };
/// Hosts of a network of their own, and who talks to a daemon on one.
const HOSTS: Tool = Tool { name: "iproute2", probe: &["ip", "-V"], install: Install::Debian("iproute2") };
/// Only root is given a network, and not in every container: without one the tests among hosts skip, so anybody else needs none.
const NETWORKS: Tool = Tool {
    name: "network namespaces",
    probe: &["sh", "-c", "test \"$(id -u)\" != 0 || unshare --net true"],
    install: Install::Debian("util-linux"),
};
const CLIENT: Tool = Tool { name: "curl", probe: &["curl", "--version"], install: Install::Debian("curl") };
const NODE: Tool = Tool { name: "Node", probe: &["npm", "--version"], install: Install::Debian("npm") };
/// What drives the browser, what judges whether everybody can use a page, and a certified provider of identities to sign in
/// by; in the target folder, for tests alone.
const DRIVER: Tool = Tool {
    name: "playwright-core, axe-core and oidc-provider",
    probe: &["sh", "-c", "cd target/browser/node_modules && ls axe-core/axe.min.js playwright-core oidc-provider"],
    install: Install::Packages(&["playwright-core@1.65.1", "axe-core@4.14.1", "oidc-provider@9.13.3"]),
};

const RUNNER: Tool =
    Tool { name: "cargo-nextest", probe: &["cargo", "nextest", "--version"], install: Install::Crate("cargo-nextest") };

/// Finds or installs what the stages call.
///
/// # Errors
/// Names the tool that is missing and how to get it.
pub(crate) fn provide(with_tests: bool) -> Result<(), String> {
    let for_tests = if with_tests {
        [&RUNNER, &SERVER, &BROWSER, &UNITS, &HOSTS, &NETWORKS, &CLIENT, &NODE, &DRIVER].as_slice()
    } else {
        &[]
    };
    for tool in TOOLS.iter().chain(for_tests.iter().copied()) {
        if succeeds(tool.probe, true) {
            continue;
        }
        println!("installing {}", tool.name);
        let installed = match tool.install {
            Install::Component(component) => succeeds(&["rustup", "component", "add", component], false),
            Install::Debian(package) => {
                is_root()
                    && succeeds(&["apt-get", "update", "--quiet"], false)
                    && succeeds(&["apt-get", "install", "--yes", "--no-install-recommends", package], false)
            }
            Install::Crate(name) => succeeds(&["cargo", "install", name, "--locked"], false),
            Install::Packages(names) => {
                let call =
                    ["npm", "install", "--prefix", "target/browser", "--no-save", "--no-package-lock", "--silent"];
                succeeds(&[call.as_slice(), names].concat(), false)
            }
        };
        if !installed || !succeeds(tool.probe, true) {
            return Err(format!("{} is missing and could not be installed\nhint: {}", tool.name, tool.hint()));
        }
    }
    Ok(())
}

impl Tool {
    fn hint(&self) -> String {
        match self.install {
            Install::Component(component) => format!("rustup component add {component}"),
            Install::Debian(package) => format!("apt-get install {package}, as root"),
            Install::Crate(name) => format!("cargo install {name} --locked"),
            Install::Packages(names) => format!("npm install --prefix target/browser --no-save {}", names.join(" ")),
        }
    }
}

fn succeeds(call: &[&str], silent: bool) -> bool {
    let [program, args @ ..] = call else { return false };
    let mut command = Command::new(program);
    command.args(args).current_dir(crate::stages::root()).stdin(Stdio::null()).env("DEBIAN_FRONTEND", "noninteractive");
    // An installation must not land in the project's own target folder.
    command.env_remove("CARGO_TARGET_DIR");
    if silent {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
