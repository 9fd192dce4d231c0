//! A real terminal with a command of a host in it, typed at and read by the test, as a person at a screen does.
//!
//! The pty is this machine's; `setsid --ctty` makes it the controlling terminal of the command, so that keys become signals and a
//! change of its size is told.

use crate::Host;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long something may take to appear on the screen, and the command to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal and the command in it, which ends with it.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    master: File,
    /// Kept open, so that what was written last can be read after the command's end, and the terminal's modes be asked.
    line: OwnedFd,
    screen: Arc<Mutex<Vec<u8>>>,
    /// How much of the screen has been looked at.
    seen: usize,
}

impl Host {
    /// Runs a program of the host in a terminal of its own, of that many columns and rows.
    ///
    /// # Panics
    /// When there is no terminal to be had.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test stands outside of Volt and runs what a person would"
    )]
    pub fn terminal(&self, words: &[&str], columns: u16, rows: u16) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        grantpt(&master).expect("a pty of our own");
        unlockpt(&master).expect("a pty of our own");
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let line = ioctl_tiocgptpeer(&master, flags).expect("its other end");
        set_size(&line, columns, rows);
        let other = || line.try_clone().expect("a descriptor");
        let inner = self.command(words);
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(inner.get_program()).args(inner.get_args());
        command.env("TERM", "xterm").stdin(other()).stdout(other()).stderr(other());
        let child = command.spawn().expect("setsid runs");
        let master = File::from(master);
        let screen = Arc::<Mutex<Vec<u8>>>::default();
        let (mut reader, shown) = (master.try_clone().expect("a descriptor"), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(size @ 1..) = reader.read(&mut buffer) {
                shown.lock().expect("nobody panics with it").extend_from_slice(&buffer[..size]);
            }
        });
        Terminal { child, master, line, screen, seen: 0 }
    }
}

impl Terminal {
    /// Types something: `\r` is the return key, `\t` Tab, `\x03` ctrl-c.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn keys(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("the terminal is there");
    }

    /// Waits until this is on the screen, behind what was waited for before.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if let Some(at) = screen[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            let rest = &screen[self.seen..];
            assert!(Instant::now() < deadline, "{text:?} does not come: {rest:?} of {screen:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Changes its size, as whoever drags the corner of a window does.
    ///
    /// # Panics
    /// When it has none.
    pub fn resize(&self, columns: u16, rows: u16) {
        set_size(&self.line, columns, rows);
    }

    /// Waits until the command has ended. Its exit code, and all that is left on the screen.
    ///
    /// # Panics
    /// When it doesn't end, or leaves the terminal without echo and lines.
    #[track_caller]
    pub fn ends(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {:?}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        };
        let modes = tcgetattr(&self.line).expect("it is a terminal").local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON), "it is left raw: {modes:?}");
        // What was written last has still to be read.
        std::thread::sleep(Duration::from_millis(50));
        (status.code().unwrap_or(-1), self.screen()[self.seen..].to_owned())
    }

    fn screen(&self) -> String {
        // Escapes and text are both ASCII here.
        let bytes = self.screen.lock().expect("nobody panics with it");
        bytes.iter().map(|byte| char::from(*byte)).collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let (Ok(None), Some(pid)) =
            (self.child.try_wait(), Pid::from_raw(self.child.id().cast_signed()))
        {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::HUP);
            drop(self.child.wait());
        }
    }
}

fn set_size(line: &OwnedFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(line, size).expect("it is a terminal");
}
