//! The daemon's log: to standard error, which is the journal's, and to `daemon.log`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The name of the log's file.
const FILE: &str = "daemon.log";

/// The log, as far as it can be changed while it is written.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    file: LogFile,
    filter: reload::Handle<Targets, Registry>,
}

impl Log {
    /// Begins to log. Only the first log of a process gets its events.
    pub(crate) fn begin(folder: &Path, level: &str) -> Self {
        let file = LogFile::new(folder.join(FILE));
        let (filter, handle) = reload::Layer::new(targets(level));
        let to_stderr =
            fmt::layer().with_writer(io::stderr).with_ansi(false).without_time().with_target(false);
        let to_file = fmt::layer().with_writer(file.clone()).with_ansi(false).with_target(false);
        // Where another log has begun before (in tests), this one stays silent.
        drop(tracing_subscriber::registry().with(filter).with(to_stderr).with(to_file).try_init());
        Self { file, filter: handle }
    }

    /// Changes what is worth a line: error, warn, info, debug or trace.
    pub(crate) fn set_level(&self, level: &str) {
        if let Err(error) = self.filter.reload(targets(level)) {
            tracing::warn!(%error, "the log level stays as it was");
        }
    }

    /// Opens the file anew, after a rotation.
    pub(crate) fn reopen(&self) {
        self.file.reopen();
    }
}

/// Warnings and errors go to standard error from now on, unless a log has begun already.
pub(super) fn to_stderr() {
    let layer =
        fmt::layer().with_writer(io::stderr).with_ansi(false).without_time().with_target(false);
    drop(tracing_subscriber::registry().with(targets("warn")).with(layer).try_init());
}

/// Volt's own events from `level` on; of others only what is amiss.
fn targets(level: &str) -> Targets {
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    Targets::new().with_target("volt", level).with_default(level.min(LevelFilter::WARN))
}

/// A file that every line is appended to; without it lines go nowhere.
#[derive(Clone, Debug)]
struct LogFile {
    path: PathBuf,
    open: Arc<Mutex<Option<File>>>,
}

impl LogFile {
    fn new(path: PathBuf) -> Self {
        let log = Self { path, open: Arc::default() };
        log.reopen();
        log
    }

    fn reopen(&self) {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o640);
        let opened = match self.path.parent() {
            Some(folder) => std::fs::create_dir_all(folder).and_then(|()| options.open(&self.path)),
            None => options.open(&self.path),
        };
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = opened.ok();
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.open.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_opened_anew_after_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/daemon.log");
        let mut log = LogFile::new(path.clone());
        log.write_all(b"one\n").unwrap();
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        log.write_all(b"two\n").unwrap();
        log.reopen();
        log.write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "three\n");
    }
}
