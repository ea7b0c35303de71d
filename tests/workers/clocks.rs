//! A wall clock for each host: a library that is loaded before others moves it by what a file says, from one call to the next.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static volatile long long *moved;
__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CLOCK_FILE");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *at = mmap(0, sizeof *moved, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (at != MAP_FAILED) moved = at;
}
int clock_gettime(clockid_t which, struct timespec *time) {
  int failed = syscall(SYS_clock_gettime, which, time);
  if (!failed && which == CLOCK_REALTIME && moved) time->tv_sec += *moved;
  return failed;
}
"#;

/// The wall clock of a host.
pub struct WallClock {
    file: PathBuf,
}

/// Builds the library in a folder; returns its path.
pub fn library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    std::fs::write(&source, SOURCE).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).output();
    let built = built.expect("a C compiler is there, for the crates that need it");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

impl WallClock {
    pub fn new(file: PathBuf) -> Self {
        let clock = Self { file };
        clock.jump_to(0);
        clock
    }

    /// Has a command, and all that it starts, go by this clock.
    pub fn set_for(&self, command: &mut Command, library: &Path) {
        command.env("LD_PRELOAD", library).env("CLOCK_FILE", &self.file);
    }

    /// Sets it so many seconds before or after the time.
    pub fn jump_to(&self, seconds: i64) {
        // In place, for those who have mapped it.
        let mut file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&self.file).unwrap();
        std::io::Write::write_all(&mut file, &seconds.to_ne_bytes()).unwrap();
    }
}
