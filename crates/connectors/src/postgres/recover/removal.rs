//! The end of an instance: its processes, its files, the sign that it is ours last.

use std::sync::Arc;

use runtime::Call;
use serde_json::Value;

use super::command;
use super::instance::read;
use super::place::{Hold, Place};
use super::server::{Server, end_commands};
use super::source::Kind;
use super::state::{Phase, State};
use super::trouble::{blocking, files};
use crate::answer::Trouble;

/// Ends and removes the instance of these inputs; tells where it was and whether it was there.
///
/// # Errors
/// `postgres.not_ours`, `postgres.stop`, `postgres.files`.
///
/// # Cancel safety
/// May be dropped at any await and called again.
pub(crate) async fn drop_instance(call: &Call, with: &Value) -> Result<(Option<String>, bool), Trouble> {
    let (place, source, _) = read(call, with)?;
    if let Kind::Managed { drop, .. } = &source.kind {
        return Ok((None, command::remove(call, &place, drop).await?));
    }
    let shown = Some(place.folder.display().to_string());
    if !place.parent().exists() {
        return Ok((shown, false));
    }
    let hold = Arc::new(Hold::take(&place.folder).await?);
    let there = std::fs::symlink_metadata(&place.folder).is_ok();
    clear(&place, &hold).await?;
    if let Some(hold) = Arc::into_inner(hold) {
        hold.forget();
    }
    Ok((shown, there))
}

/// Ends what runs in an instance's folder and removes the folder, the sign that it is ours last.
pub(super) async fn clear(place: &Place, hold: &Arc<Hold>) -> Result<(), Trouble> {
    let Some(mut state) = State::read(&place.folder)? else {
        // At most an empty folder.
        let _ = State::remove(&place.folder);
        return Ok(());
    };
    if state.phase != Phase::Filling {
        // Half removed is as bad as half filled.
        state.phase = Phase::Filling;
        state.write(&place.folder)?;
    }
    end_commands(&place.folder).await;
    let server = Server::of(&place.folder);
    server.stop().await?;
    let (folder, socket, hold) = (place.folder.clone(), place.socket(), Arc::clone(hold));
    blocking(move || {
        let _hold = hold;
        if !socket.starts_with(&folder) {
            // The socket's own files and nothing else: the folder lies among those of others.
            server.forget_killed(&socket)?;
            match std::fs::remove_dir(&socket) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(files(&socket, &error)),
                _ => {}
            }
        }
        State::remove(&folder)
    })
    .await
}
