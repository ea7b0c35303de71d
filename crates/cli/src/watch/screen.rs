//! The terminal, lent for a while: whatever happens, it is given back as it was.

use std::io::{Stdout, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::failure::Failure;

/// The terminal of this process as a full screen; dropping it gives the terminal back.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
    panicked: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal. A panic of any thread gives it back before its message is printed.
    ///
    /// # Errors
    /// If the terminal cannot be switched; it is as it was then.
    pub(super) fn open() -> Result<Self, Failure> {
        let panicked = Arc::new(AtomicBool::new(false));
        let seen = panicked.clone();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            seen.store(true, Ordering::SeqCst);
            before(info);
        }));
        let opened = enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide))
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match opened {
            Ok(terminal) => Ok(Self { terminal, panicked }),
            Err(error) => {
                give_back();
                Err(Failure::trouble("watch-terminal", &error, "use `reinstate status` or `reinstate logs`"))
            }
        }
    }

    /// Whether some thread has panicked, so that the terminal is no longer ours.
    pub(super) fn is_lost(&self) -> bool {
        self.panicked.load(Ordering::SeqCst)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !self.is_lost() {
            give_back();
        }
    }
}

fn give_back() {
    // Each is tried although another fails: the shell must be usable afterwards.
    let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}
