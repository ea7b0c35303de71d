//! PostgreSQL's own programs: where they are, and as whom they run.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::sql::StoreError;

/// Where Debian's packages put the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
const NEEDED: [&str; 4] = ["initdb", "postgres", "pg_ctl", "pg_basebackup"];

/// The programs of one version.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    bin: PathBuf,
    /// User and group of the servers if we are root; else they run as we do.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds the newest version that is installed, or the given one.
    pub(crate) fn find(version: Option<&str>) -> Result<Self, StoreError> {
        let complete = |bin: &Path| NEEDED.iter().all(|name| bin.join(name).exists());
        let installed = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
        let newest = installed
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|number| version.is_none_or(|wanted| wanted == number.to_string()))
            .map(|number| (number, Path::new(VERSIONS).join(number.to_string()).join("bin")))
            .filter(|(_, bin)| complete(bin))
            .max();
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Elsewhere than on Debian the programs are where all programs are, in one version.
        let other = || std::env::split_paths(&path).find(|bin| complete(bin));
        let missing = || StoreError::NoPostgres {
            program: version.map_or_else(|| "server".to_owned(), |version| format!("server, version {version},")),
        };
        let bin = newest.map(|(_, bin)| bin).or_else(other).ok_or_else(missing)?;
        Ok(Self { bin, user: user()? })
    }

    /// Runs a program to its end and gives what it answered; `place` is what it works on.
    ///
    /// # Errors
    /// With the program's own words if it fails.
    ///
    /// # Cancel safety
    /// Dropped before it ends, the program is killed; what it began stays.
    pub(super) async fn run(&self, name: &str, args: &[&str], place: &Path) -> Result<(), StoreError> {
        let (code, said) = self.ask(name, args, place).await?;
        if code == Some(0) {
            return Ok(());
        }
        Err(StoreError::Server { program: name.to_owned(), path: place.to_owned(), fact: said })
    }

    /// Runs a program to its end; gives its exit code and what it said.
    pub(super) async fn ask(
        &self,
        name: &str,
        args: &[&str],
        place: &Path,
    ) -> Result<(Option<i32>, String), StoreError> {
        let program = self.bin.join(name);
        let mut command = Command::new(&program);
        command.args(args).env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let output = command.output().await.map_err(StoreError::io(&program))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        tracing::debug!(name, code = output.status.code(), place = %place.display(), "a program of PostgreSQL ended");
        Ok((output.status.code(), said))
    }

    /// Makes a folder that only the servers may enter.
    pub(crate) fn folder(&self, path: &Path) -> Result<(), StoreError> {
        std::fs::create_dir_all(path).map_err(StoreError::io(path))?;
        self.give(path)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).map_err(StoreError::io(path))
    }

    /// Gives a file or folder to the user of the servers.
    pub(super) fn give(&self, path: &Path) -> Result<(), StoreError> {
        match self.user {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(StoreError::io(path)),
            None => Ok(()),
        }
    }

    /// Whether the servers' user can reach a folder of ours; a folder on the way may be closed to others.
    pub(crate) fn reach(&self, path: &Path) -> Result<(), StoreError> {
        let Some(_) = self.user else { return Ok(()) };
        for folder in path.ancestors() {
            let mode = std::fs::metadata(folder).map_err(StoreError::io(folder))?.mode();
            if mode & 0o001 == 0 {
                let fact = format!(
                    "the user postgres may not pass {}; hint: chmod o+x it, or give a folder below /tmp",
                    folder.display()
                );
                return Err(StoreError::Place { path: path.to_owned(), fact });
            }
        }
        Ok(())
    }
}

/// The user `postgres` if this process is root's.
fn user() -> Result<Option<(u32, u32)>, StoreError> {
    let (own, list) = (Path::new("/proc/self"), Path::new("/etc/passwd"));
    if std::fs::metadata(own).map_err(StoreError::io(own))?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string(list).map_err(StoreError::io(list))?;
    let fields = users.lines().find_map(|line| line.strip_prefix("postgres:"));
    let mut numbers = fields.into_iter().flat_map(|rest| rest.split(':').skip(1)).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(uid)), Some(Ok(gid))) => Ok(Some((uid, gid))),
        _ => Err(StoreError::NoPostgres { program: "user `postgres`".to_owned() }),
    }
}
