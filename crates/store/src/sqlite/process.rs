//! Whether the process that took a lease still lives, without being fooled by a reused process ID.

use std::fs;

/// What identifies a process on its host beyond its ID: `BOOT/NAMESPACE/START`, from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Born {
    boot: String,
    namespace: String,
    start: String,
}

impl Born {
    /// Looks a process of this host up; `None` if it is not there, or the host does not tell.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command, field 2, may itself hold blanks and brackets: fields are counted from the last bracket.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let start = fields.nth(18)?.to_owned();
        if matches!(state, "Z" | "X") {
            return None;
        }
        Some(Self { boot: boot()?, namespace: namespace()?, start })
    }

    /// Reads the stored form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let born = Self { boot: parts.next()?, namespace: parts.next()?, start: parts.next()? };
        parts.next().is_none().then_some(born)
    }

    /// Returns whether the process with this birth and ID is surely dead, seen from a process on the same host.
    pub(super) fn surely_dead(&self, pid: u32) -> bool {
        let Some(boot) = boot() else { return false };
        if boot != self.boot {
            return true;
        }
        // IDs of another namespace mean nothing here.
        namespace().is_some_and(|namespace| namespace == self.namespace) && Self::of(pid).as_ref() != Some(self)
    }
}

impl Born {
    /// Returns whether the process with this birth and ID ran on this host since its last boot, and is dead; wherever it
    /// ran, this needs no name of a host.
    pub(super) fn died_here(&self, pid: u32) -> bool {
        boot().is_some_and(|boot| boot == self.boot) && self.surely_dead(pid)
    }
}

impl std::fmt::Display for Born {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.boot, self.namespace, self.start)
    }
}

fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn namespace() -> Option<String> {
    Some(fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.replace('/', "-"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn this_process_lives_and_survives_its_text() {
        let born = Born::of(std::process::id()).unwrap();
        assert_eq!(Born::parse(&born.to_string()), Some(born.clone()));
        assert!(!born.surely_dead(std::process::id()));
    }

    #[test]
    fn a_reused_id_or_another_boot_is_another_process() {
        let born = Born::of(std::process::id()).unwrap();
        let other_start = Born { start: "1".to_owned(), ..born.clone() };
        assert!(other_start.surely_dead(std::process::id()));
        let other_boot = Born { boot: "b".to_owned(), ..born.clone() };
        assert!(other_boot.surely_dead(std::process::id()));
        // A boot of which nothing is known may be that of another host, where it lives.
        assert!(!Born { boot: "b".to_owned(), ..born.clone() }.died_here(std::process::id()));
        assert!(other_start.died_here(std::process::id()) && !born.died_here(std::process::id()));
        let other_namespace = Born { namespace: "n".to_owned(), ..born };
        assert!(!other_namespace.surely_dead(std::process::id()));
    }

    #[test]
    fn an_ended_process_is_dead_even_before_it_is_waited_for() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let born = Born::of(pid).unwrap();
        assert!(!born.surely_dead(pid));
        child.kill().unwrap();
        while !born.surely_dead(pid) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(born.surely_dead(pid));
    }
}
