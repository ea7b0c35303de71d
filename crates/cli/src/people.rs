//! Who acts: the user that the operating system knows, not what a variable says.

use std::os::unix::fs::MetadataExt as _;

/// Who asks: the user of this process; behind `sudo`, the one who called it.
pub(crate) fn actor() -> String {
    let uid = std::fs::metadata("/proc/self").map(|process| process.uid()).ok();
    // Only root can be told who it acts for: anybody else could take another's name.
    if uid == Some(0)
        && let Some(user) = std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty())
    {
        return user;
    }
    let name = uid.and_then(name_of);
    name.or_else(|| uid.map(|uid| format!("uid-{uid}"))).unwrap_or_else(|| "operator".to_owned())
}

/// Name of a user, by the system's own tool, which knows directories too, else by the local file.
fn name_of(uid: u32) -> Option<String> {
    let told = std::process::Command::new("/usr/bin/id").args(["-un", &uid.to_string()]).output().ok();
    let told =
        told.filter(|told| told.status.success()).map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned());
    told.filter(|name| !name.is_empty()).or_else(|| {
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
        })
    })
}
