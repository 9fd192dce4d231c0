//! Notices the first line of a container's command: the command writes it into a FIFO in a folder
//! that is mounted into it, which costs next to nothing and works through any user namespace.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::run::{Context, Result, fail};

/// The folder on the host; containers see it as [`INSIDE`].
pub(super) const FOLDER: &str = "/run/bench/out";
/// The folder in a container.
pub(super) const INSIDE: &str = "/out";
/// The name of the FIFO in it.
const FIFO: &str = "first";
/// What no start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command that writes a line and then stays.
pub(super) fn script() -> String {
    format!("echo first > {INSIDE}/{FIFO}; exec sleep 1000")
}

/// The reading end.
pub(super) struct Lines {
    fifo: OwnedFd,
    buffered: usize,
}

impl Lines {
    /// Makes the FIFO.
    pub(super) fn open() -> Result<Self> {
        let path = Path::new(FOLDER).join(FIFO);
        let named = || path.display().to_string();
        fs::create_dir_all(FOLDER).context(named)?;
        if !path.exists() {
            rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)
                .context(named)?;
        }
        for open in [Path::new(FOLDER), &path] {
            let mode = if open == path { 0o666 } else { 0o777 };
            fs::set_permissions(open, fs::Permissions::from_mode(mode)).context(named)?;
        }
        // For writing too, so that it never ends and no writer waits for a reader.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fifo = rustix::fs::open(&path, flags, Mode::empty()).context(named)?;
        Ok(Self { fifo, buffered: 0 })
    }

    /// Waits for `count` lines.
    pub(super) fn wait(&mut self, count: usize) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.buffered < count {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return fail(format!("{} of {count} first lines came", self.buffered));
            }
            let timeout = Timespec::try_from(left).context(|| "timeout".into())?;
            let mut wanted = [PollFd::new(&self.fifo, PollFlags::IN)];
            poll(&mut wanted, Some(&timeout)).context(|| "poll".into())?;
            self.take();
        }
        self.buffered -= count;
        Ok(())
    }

    /// Forgets lines that came late.
    pub(super) fn clear(&mut self) {
        self.take();
        self.buffered = 0;
    }

    fn take(&mut self) {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = rustix::io::read(&self.fifo, &mut bytes) {
            self.buffered += bytes[..length].iter().filter(|byte| **byte == b'\n').count();
        }
    }
}
