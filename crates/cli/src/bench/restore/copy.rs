//! A folder copied with owners and rights: servers refuse data that is not theirs.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

/// Copies a folder to a place where nothing is. Sockets and pipes are left out: they belong to processes.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // A list, not recursion: the depth of a folder costs no stack.
    let mut open = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = open.pop() {
        let about = fs::symlink_metadata(&from)?;
        if about.is_dir() {
            fs::create_dir(&to)?;
            for entry in fs::read_dir(&from)? {
                let name = entry?.file_name();
                open.push((from.join(&name), to.join(&name)));
            }
        } else if about.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
            continue;
        } else if about.is_file() {
            fs::copy(&from, &to)?;
        } else {
            continue;
        }
        let made = fs::symlink_metadata(&to)?;
        if (made.uid(), made.gid()) != (about.uid(), about.gid()) {
            chown(&to, Some(about.uid()), Some(about.gid()))?;
        }
        // Whoever copies may write into it until here, whatever the rights say.
        if made.mode() != about.mode() {
            fs::set_permissions(&to, fs::Permissions::from_mode(about.mode()))?;
        }
    }
    Ok(())
}
