//! The lab that restores are measured in: built and damaged once, put back before every run.

use std::path::{Path, PathBuf};

use crate::commands::{lab_build_trouble, lab_trouble};
use crate::failure::Failure;

use super::copy::copy;

/// A damaged lab with a copy of itself.
pub(super) struct World {
    /// The lab; its files name each other by this path.
    pub(super) lab: PathBuf,
    kept: PathBuf,
    /// Whether a run has changed it.
    used: bool,
}

impl World {
    /// Builds a lab in a folder, deletes sites of it, and keeps a copy.
    pub(super) async fn make(dir: &Path, build: &lab::BuildOptions, deleted: u32) -> Result<Self, Failure> {
        let world = Self { lab: dir.join("lab"), kept: dir.join("kept"), used: false };
        lab::build(&world.lab, build).await.map_err(|error| lab_build_trouble(&error))?;
        let damage = lab::DamageOptions { sites: deleted as usize, ..Default::default() };
        lab::damage(&world.lab, &damage).await.map_err(|error| lab_trouble(error.code(), &error))?;
        lab::halt(&world.lab).await.map_err(|error| lab_trouble(error.code(), &error))?;
        world.copied(world.lab.clone(), world.kept.clone()).await?;
        Ok(world)
    }

    /// Makes the lab what it was right after the deletion, if a run has changed it.
    pub(super) async fn put_back(&mut self) -> Result<(), Failure> {
        if self.used {
            lab::halt(&self.lab).await.map_err(|error| lab_trouble(error.code(), &error))?;
            std::fs::remove_dir_all(&self.lab).map_err(|error| trouble(&error))?;
            self.copied(self.kept.clone(), self.lab.clone()).await?;
        }
        self.used = true;
        Ok(())
    }

    async fn copied(&self, from: PathBuf, to: PathBuf) -> Result<(), Failure> {
        let copied = tokio::task::spawn_blocking(move || copy(&from, &to)).await;
        copied.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())).map_err(|error| trouble(&error))
    }
}

/// A folder that cannot be used.
pub(super) fn trouble(error: &std::io::Error) -> Failure {
    Failure::trouble("bench-dir", error, "name a folder on a disk with enough space with --dir")
}
