//! An instance whose server died after it was handed out: found by its URL and started again, to the same point.

use std::path::{Path, PathBuf};

use super::account::Account;
use super::log::ended;
use super::own::STARTS;
use super::place::Hold;
use super::programs::Programs;
use super::server::{LINK, Server};
use super::state::{Phase, State};
use super::watch::{Seen, until_stands};
use crate::answer::Trouble;

/// Brings the instance behind a URL back to the point where it stood; `false` if the URL is of no instance of ours here.
///
/// Its settings lie in its data, so that it needs the archive of WAL at most, and no base backup.
///
/// # Errors
/// `postgres.gone` if it is not whole or not to be trusted any more; else what `postgres/recover@1` says of a start.
///
/// # Cancel safety
/// May be dropped at any await: a server that was started goes on, and the next call finds it.
pub(crate) async fn revive(url: &str) -> Result<bool, Trouble> {
    let Some(folder) = folder_of(url) else { return Ok(false) };
    if State::read(&folder)?.is_none() {
        return Ok(false);
    }
    let _hold = Hold::take(&folder).await?;
    let gone = |why: &str| {
        Trouble::retry("postgres.gone", format!("{} {why}", folder.display()))
            .hint("only another run of its postgres/recover makes it anew")
    };
    let mut state = State::read(&folder)?.ok_or_else(|| gone("was dropped"))?;
    if state.is_of_another_boot() {
        return Err(gone("is of before the host's last start: it was never synced, and may be damaged"));
    }
    if !matches!(state.phase, Phase::Standing | Phase::Filled) {
        return Err(gone("is not whole, or on its way to another point"));
    }
    let server = Server::of(&folder);
    let programs = Programs::for_data(&folder.join("data"), state.bin.as_deref())?;
    for starts in 1..=STARTS {
        // One that starts by itself after a backend's crash, or was started by an attempt that is gone, is on its way. What
        // outlives the first process for a moment is not.
        let is_on_its_way = server.postmaster().is_some();
        if !is_on_its_way {
            start(&server, &programs, &mut state, &folder).await?;
        }
        match until_stands(&server, url).await? {
            Seen::Stands(mut stand) => {
                let moved = state.stand.as_ref().is_some_and(|before| before.replay_lsn != stand.replay_lsn);
                if moved && state.phase == Phase::Standing {
                    return Err(gone("stands at another position than before"));
                }
                // Where it stands again nothing is prepared that was not before.
                stand.prepared = state.stand.as_ref().and_then(|before| before.prepared.clone());
                tracing::warn!(url, "was away, and stands at its point again");
                state.stands(stand);
                state.write(&folder)?;
                return Ok(true);
            }
            Seen::Promoted => return Err(gone("was promoted: it is no standby any more")),
            Seen::TooSmall => return Err(gone("needs larger settings than those that it stood with")),
            // One that was found may have been dying already, and one that ends without a word is as good as never started.
            Seen::Ended if starts < STARTS && (is_on_its_way || server.log().is_empty()) => {
                tracing::warn!(url, "the server ended without a word, and is started once more");
            }
            Seen::Ended => break,
        }
    }
    let segment = programs.control(&folder.join("data")).map_or(1 << 24, |control| control.segment);
    Err(ended(&server.log(), &state.asked, None, segment))
}

async fn start(server: &Server, programs: &Programs, state: &mut State, folder: &Path) -> Result<(), Trouble> {
    let account = Account::of(state.user.as_deref())?;
    server.stop().await?;
    account.private(&state.socket)?;
    server.forget_killed(&state.socket)?;
    server.point_back(&state.socket)?;
    state.write(folder)?;
    server.start(programs, &account).map(drop)
}

/// The folder of the instance that a URL's socket belongs to, if it is one.
fn folder_of(url: &str) -> Option<PathBuf> {
    let url = url::Url::parse(url).ok()?;
    let socket =
        url.query_pairs().find(|(name, _)| name == "host").map(|(_, host)| PathBuf::from(host.into_owned()))?;
    if !socket.is_absolute() {
        return None;
    }
    let folder = match std::fs::read_link(socket.join(LINK)) {
        Ok(folder) => folder,
        Err(_) => socket.parent()?.to_owned(),
    };
    // Also what is not an instance's has a folder above; only this file makes it one.
    folder.join(super::state::NAME).exists().then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::{LINK, folder_of};
    use crate::postgres::recover::state::NAME;

    #[test]
    fn an_instance_is_found_by_its_socket_and_nothing_else_is_taken_for_one() {
        let folder = std::env::temp_dir().join(format!("re-revive-{}", std::process::id()));
        let (socket, elsewhere) = (folder.join("socket"), folder.with_extension("far"));
        for made in [&socket, &elsewhere] {
            std::fs::create_dir_all(made).expect("a new folder");
        }
        let url = |host: &std::path::Path| format!("postgres://postgres@localhost:20001/shop?host={}", host.display());
        assert_eq!(folder_of(&url(&socket)), None, "nothing says that it is ours");
        std::fs::write(folder.join(NAME), "{}").expect("a file");
        assert_eq!(folder_of(&url(&socket)), Some(folder.clone()));
        assert_eq!(folder_of(&url(&elsewhere)), None);
        std::os::unix::fs::symlink(&folder, elsewhere.join(LINK)).expect("a link");
        assert_eq!(folder_of(&url(&elsewhere)), Some(folder.clone()));
        for other in ["postgres://localhost/shop", "postgres://localhost/shop?host=db", "host=/run", "/run/pg"] {
            assert_eq!(folder_of(other), None, "{other}");
        }
        for made in [&folder, &elsewhere] {
            std::fs::remove_dir_all(made).expect("ours");
        }
    }
}
