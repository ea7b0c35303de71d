//! A drill that somebody asks for.

use crate::drills::Drills;

/// Why a drill does not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    /// There is none of that name.
    #[error("there is no drill `{0}`")]
    Unknown(String),
    /// Something stands in its way.
    #[error("{0}: {1}")]
    Unsound(String, String),
    /// It goes on already, here or elsewhere, or another that was lost in its sandbox is to be cleaned up first.
    #[error("drill {0} goes on")]
    GoesOn(String),
    /// The process is about to end.
    #[error("this process is stopping")]
    Stopping,
}

impl Drills {
    /// Has a drill take place now, in the name of whoever asks; gives the name of its run.
    ///
    /// # Errors
    /// If it goes on already, or its file has errors.
    pub fn take_place(&self, name: &str, actor: &str, seed: Option<u64>) -> Result<String, NotBegun> {
        let shared = &self.shared;
        if shared.stop.is_cancelled() {
            return Err(NotBegun::Stopping);
        }
        let mut state = shared.state();
        let (lost, elsewhere) = (state.in_the_way(name), state.elsewhere(name));
        let row = state.rows.get_mut(name).ok_or_else(|| NotBegun::Unknown(name.to_owned()))?;
        if !row.is_sound() {
            let why = row.read.first.clone().unwrap_or_else(|| "it cannot be read".to_owned());
            return Err(NotBegun::Unsound(row.read.file.clone(), why));
        }
        if row.going.is_some() || elsewhere || lost.is_some() {
            return Err(NotBegun::GoesOn(lost.unwrap_or_else(|| name.to_owned())));
        }
        let slot = shared.clock.now();
        Ok(shared.begin(row, name, slot, seed, Some(actor)))
    }
}
