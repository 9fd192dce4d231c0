//! The terminal of the person: raw while a workload has it, as it was afterwards, whatever happens in between.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, IsTerminal, Write, stdin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the terminal was, while it is raw.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Whether its other screen is shown, the one without a past.
static OTHER: AtomicBool = AtomicBool::new(false);

/// Puts the terminal back on a panic too: the release build doesn't unwind.
pub(crate) fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        before(info);
    }));
}

fn restore() {
    if OTHER.swap(false, Ordering::Relaxed) {
        // The cursor is seen again, and what stood there before. Nothing is left to try where that fails.
        io::stdout().write_all(b"\x1b[?25h\x1b[?1049l").and_then(|()| io::stdout().flush()).ok();
    }
    let before = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(before) = before {
        // Nothing is left to try where the terminal has gone.
        tcsetattr(stdin(), OptionalActions::Drain, &before).ok();
    }
}

/// The terminal is raw while this lives.
#[derive(Debug)]
pub(crate) struct Raw {
    _private: (),
}

impl Raw {
    /// Makes the terminal on standard input raw.
    ///
    /// # Errors
    /// When standard input is no terminal.
    pub(crate) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
        let entered = Self { _private: () };
        tcsetattr(stdin(), OptionalActions::Drain, &raw)?;
        Ok(entered)
    }
}

/// The terminal is raw and shows its other screen while this lives.
#[derive(Debug)]
pub(crate) struct Screen {
    _raw: Raw,
}

impl Screen {
    /// Takes the whole terminal.
    ///
    /// # Errors
    /// When standard input or output is none.
    pub(crate) fn enter() -> io::Result<Self> {
        let raw = Raw::enter()?;
        OTHER.store(true, Ordering::Relaxed);
        io::stdout().write_all(b"\x1b[?1049h")?;
        io::stdout().flush()?;
        Ok(Self { _raw: raw })
    }
}

/// Whether there is a person at a terminal on which pictures can be drawn.
pub(crate) fn can_draw() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !dumb && stdin().is_terminal() && io::stdout().is_terminal()
}

/// What is typed on the terminal is not seen while this lives.
#[derive(Debug)]
pub(crate) struct Unseen {
    _private: (),
}

impl Unseen {
    /// Turns the echo of the terminal on standard input off.
    ///
    /// # Errors
    /// When standard input is no terminal.
    pub(crate) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
        let entered = Self { _private: () };
        // What was typed before the question is no answer to it.
        tcsetattr(stdin(), OptionalActions::Flush, &unseen)?;
        Ok(entered)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        restore();
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// The terminal's columns and rows; none where there is no terminal.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(stdin())).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}
