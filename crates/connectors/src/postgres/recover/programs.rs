//! The server's programs, and what `pg_controldata` says of a data folder.

use std::path::{Path, PathBuf};

use super::account::Account;
use crate::answer::Trouble;

/// Oldest major version whose server tells a pause at the target from one that is only asked for.
const OLDEST: u32 = 14;

/// Programs of the version that a data folder needs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    bin: PathBuf,
}

/// What the control file of a data folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) system_identifier: String,
    /// Bytes of a WAL segment.
    pub(super) segment: u64,
    /// Settings that a hot standby may not have lower than the live server has them.
    pub(super) floors: Vec<(&'static str, u64)>,
}

impl Programs {
    /// Finds the programs for a data folder.
    ///
    /// # Errors
    /// `postgres.version`, `postgres.programs`, `postgres.backup_invalid`.
    pub(super) fn for_data(data: &Path, given: Option<&Path>) -> Result<Self, Trouble> {
        let version = version(data)?;
        if version < OLDEST {
            return Err(Trouble::never("postgres.version", format!("{} is of version {version}", data.display()))
                .hint(format!("versions from {OLDEST} on say whether they stand at the point asked for")));
        }
        let places = match given {
            Some(bin) => vec![bin.to_owned()],
            None => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let packaged = [format!("/usr/lib/postgresql/{version}/bin"), format!("/usr/pgsql-{version}/bin")];
                packaged.into_iter().map(PathBuf::from).chain(std::env::split_paths(&path)).collect()
            }
        };
        let mut others = Vec::new();
        for bin in places.into_iter().filter(|bin| bin.join("postgres").is_file()) {
            match std::process::Command::new(bin.join("postgres")).arg("--version").output() {
                Ok(said) => match major(&String::from_utf8_lossy(&said.stdout)) {
                    Some(found) if found == version => return Ok(Self { bin }),
                    found => others.push(format!("{} ({})", bin.display(), found.unwrap_or_default())),
                },
                Err(error) => others.push(format!("{} ({error})", bin.display())),
            }
        }
        let hint = format!("install the server of version {version}, or name its folder as `backup.bin`");
        Err(match others.is_empty() {
            true => Trouble::never("postgres.programs", format!("no server of version {version} is found here")),
            false => Trouble::never(
                "postgres.version",
                format!("{} needs a server of version {version}; found {}", data.display(), others.join(", ")),
            ),
        }
        .hint(hint))
    }

    /// Path of a program.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Reads the control file of a data folder.
    ///
    /// # Errors
    /// `postgres.backup_invalid` if it cannot be read.
    pub(super) fn control(&self, data: &Path) -> Result<Control, Trouble> {
        let invalid = |why: String| {
            Trouble::never("postgres.backup_invalid", format!("{}: {why}", data.display()))
                .hint("is it a whole base backup?")
        };
        let mut command = std::process::Command::new(self.path("pg_controldata"));
        command.env("LC_ALL", "C").arg("--pgdata").arg(data);
        let output = command.output().map_err(|error| invalid(format!("pg_controldata: {error}")))?;
        if !output.status.success() {
            return Err(invalid(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Control::parse(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| invalid("its control file is not understood".to_owned()))
    }
}

impl Control {
    fn parse(text: &str) -> Option<Self> {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
        let floors = [
            ("max_connections", "max_connections setting"),
            ("max_worker_processes", "max_worker_processes setting"),
            ("max_wal_senders", "max_wal_senders setting"),
            ("max_prepared_transactions", "max_prepared_xacts setting"),
            ("max_locks_per_transaction", "max_locks_per_xact setting"),
        ];
        Some(Self {
            system_identifier: field("Database system identifier")?.to_owned(),
            segment: field("Bytes per WAL segment")?.parse().ok().filter(|bytes| *bytes > 0)?,
            floors: floors
                .into_iter()
                .map(|(setting, name)| Some((setting, field(name)?.parse().ok()?)))
                .collect::<Option<_>>()?,
        })
    }
}

/// Reads the major version of a data folder.
pub(super) fn version(data: &Path) -> Result<u32, Trouble> {
    let text = std::fs::read_to_string(data.join("PG_VERSION")).map_err(|error| {
        let trouble = Trouble::never("postgres.backup_invalid", format!("{}/PG_VERSION: {error}", data.display()));
        let tar = ["base.tar", "base.tar.gz", "base.tar.zst", "base.tar.lz4"];
        match tar.iter().any(|name| data.join(name).exists()) {
            true => trouble.hint("unpack it first: a backup in tar format is not read"),
            false => trouble.hint("give the folder that pg_basebackup --format=plain made"),
        }
    })?;
    text.trim().parse().map_err(|_| {
        Trouble::never("postgres.backup_invalid", format!("{}/PG_VERSION: {:?}", data.display(), text.trim()))
            .hint("give the folder that pg_basebackup --format=plain made")
    })
}

/// Takes the major version out of `postgres (PostgreSQL) 15.18 (Debian ...)`.
fn major(said: &str) -> Option<u32> {
    let number = said.split("(PostgreSQL) ").nth(1)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Names the server's program and whom it runs as, for an error.
pub(super) fn shown(account: &Account, programs: &Programs) -> String {
    format!("{} as {}", programs.path("postgres").display(), account.name())
}

#[cfg(test)]
mod tests {
    use super::{Control, major};

    #[test]
    fn versions_and_control_files_are_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 17beta1"), Some(17));
        assert_eq!(major("something else"), None);
        let text = "Database system identifier:           7512\nBytes per WAL segment:                16777216\n\
            max_connections setting:              100\nmax_worker_processes setting:         8\n\
            max_wal_senders setting:              10\nmax_prepared_xacts setting:           0\n\
            max_locks_per_xact setting:           64\n";
        let control = Control::parse(text).expect("all of it is there");
        assert_eq!((control.system_identifier.as_str(), control.segment), ("7512", 16_777_216));
        assert_eq!(control.floors[3], ("max_prepared_transactions", 0));
        assert!(Control::parse(&text.replace("16777216", "0")).is_none());
        assert!(Control::parse("").is_none());
    }
}
