//! The binary on a pseudo-terminal: keys go in, the screen is read as a person would see it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::place::BINARY;

/// After this the screen will not show what is waited for; nothing here takes a tenth of it.
const HANGS: Duration = Duration::from_secs(60);

/// A screen that has not changed for so long is whole.
const AT_REST: Duration = Duration::from_secs(2);

/// What the terminal has been told so far.
struct Told {
    parser: vt100::Parser,
    ended: bool,
}

fn lines(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

/// A command on a terminal of its own.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    told: Arc<(Mutex<Told>, Condvar)>,
}

impl Terminal {
    /// Starts the binary on a terminal of this size.
    pub fn start(folder: &Path, args: &[&str], env: &[(&str, &str)], rows: u16, cols: u16) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(BINARY);
        command.args(args);
        command.cwd(folder);
        for name in ["REINSTATE_LOG", "NO_COLOR", "SUDO_USER", "COLUMNS", "LINES"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("REINSTATE_STORE", "sqlite:runs.db");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let told = Told { parser: vt100::Parser::new(lines(rows), lines(cols), 0), ended: false };
        let told = Arc::new((Mutex::new(told), Condvar::new()));
        let mut output = pair.master.try_clone_reader().unwrap();
        let reader = told.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                // A terminal whose program has gone gives an error on some systems, nothing on others.
                let read = output.read(&mut bytes).unwrap_or(0);
                let mut told = reader.0.lock().unwrap();
                told.parser.process(&bytes[..read]);
                told.ended = read == 0;
                reader.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { master: pair.master, keys, child, told }
    }

    /// Waits until the screen is as wanted; fails with the last screen.
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + HANGS;
        let mut told = self.told.0.lock().unwrap();
        loop {
            let screen = told.parser.screen().contents();
            if wanted(&screen) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if told.ended || left.is_zero() {
                drop(told);
                panic!("waited in vain for {what}; the last screen:\n{screen}");
            }
            told = self.told.1.wait_timeout(told, left).unwrap().0;
        }
    }

    /// Waits until the screen shows every one of these texts, wherever its lines are broken.
    pub fn shows(&self, texts: &[&str]) {
        self.until(&format!("{texts:?}"), |screen| {
            let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            texts.iter().all(|text| flat(screen).contains(&flat(text)))
        });
    }

    /// Waits until a view of the screen has not changed for a while, and returns it.
    pub fn at_rest(&self, view: impl Fn(&str) -> String) -> String {
        let mut told = self.told.0.lock().unwrap();
        let mut since = Instant::now();
        let mut last = view(&told.parser.screen().contents());
        while since.elapsed() < AT_REST {
            told = self.told.1.wait_timeout(told, AT_REST).unwrap().0;
            let seen = view(&told.parser.screen().contents());
            if seen != last {
                (last, since) = (seen, Instant::now());
            }
        }
        last
    }

    /// Types keys.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, cols: u16) {
        self.told.0.lock().unwrap().parser.screen_mut().set_size(lines(rows), lines(cols));
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Number of the process.
    pub fn process(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for the end; returns the exit code and what the terminal shows then.
    pub fn end(mut self) -> (u32, String) {
        let mut told = self.told.0.lock().unwrap();
        let deadline = Instant::now() + HANGS;
        while !told.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let screen = told.parser.screen().contents();
                drop(told);
                panic!("it does not end; the last screen:\n{screen}");
            }
            told = self.told.1.wait_timeout(told, left).unwrap().0;
        }
        let screen = told.parser.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste(), "given back");
        let screen = screen.contents();
        drop(told);
        (self.child.wait().unwrap().exit_code(), screen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
