//! The audit trail: one JSON line for every change that was asked for, on disk before the answer leaves.
//!
//! A line says who, what, about what and how it ended; never a body, never a value of the environment. Lines of several
//! processes (daemon, embedded commands) go to one file, so each is appended in a single write.

mod read;
#[cfg(test)]
mod tests;

pub use read::{Filter, find, tail};

use crate::peer::Peer;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use volt_host::files::Reserve;
use volt_model::kind::ErrorKind;

/// The longest name of a resource, in bytes.
const MAX_RESOURCE: usize = 1024;
/// The longest error, in bytes: whole for all that Volt says, and yet a line stays one write and a reader's buffer bounded.
const MAX_ERROR: usize = 32 * 1024;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried, or could not be tried.
    Failure,
    /// The caller may not ask for it.
    Refused,
}

/// One line of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, RFC 3339 in UTC with milliseconds.
    pub timestamp: String,
    /// Who.
    pub user: String,
    /// Who, as a number.
    pub uid: u32,
    /// What, such as `container.create`.
    pub action: String,
    /// About what.
    pub resource: String,
    /// How it ended.
    pub result: Outcome,
    /// The request.
    pub request_id: String,
    /// Why it failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Record {
    /// A line about this moment.
    #[must_use]
    pub fn now(peer: &Peer, action: String, request_id: &str) -> Self {
        Self {
            timestamp: format!("{:.3}", jiff::Timestamp::now()),
            user: peer.name.clone(),
            uid: peer.uid,
            action,
            resource: String::new(),
            result: Outcome::Success,
            request_id: request_id.to_owned(),
            error: None,
        }
    }
}

/// The trail could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the audit trail {}", path.display())]
pub struct AuditError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl AuditError {
    /// What kind of failure that is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        if self.is_full() { ErrorKind::Resource } else { ErrorKind::General }
    }

    fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Appends to the trail.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    group: Option<u32>,
    file: Mutex<Option<File>>,
}

impl Audit {
    /// The trail at `path`; a new file belongs to `group`, where that is said.
    #[must_use]
    pub fn new(path: PathBuf, group: Option<u32>) -> Self {
        Self { path, group, file: Mutex::new(None) }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that a line could be written, before anything is done that must have one.
    ///
    /// # Errors
    /// When the file can't be opened or made.
    pub fn ready(&self) -> Result<(), AuditError> {
        self.current(&mut self.lock())?;
        self.reserve().keep();
        Ok(())
    }

    /// Appends a line and returns when it is on disk.
    ///
    /// # Errors
    /// When it can't be written; the operation must then not be reported as done.
    pub fn write(&self, record: &Record) -> Result<(), AuditError> {
        let mut record = record.clone();
        shorten(&mut record.resource, MAX_RESOURCE);
        if let Some(error) = &mut record.error {
            shorten(error, MAX_ERROR);
        }
        let mut line = serde_json::to_vec(&record)
            .map_err(io::Error::from)
            .map_err(|e| self.error("write", e))?;
        line.push(b'\n');
        let mut open = self.lock();
        match self.append(&mut open, &line) {
            // What freed space, or ended something, is told on a full disk too.
            Err(error) if error.is_full() && self.reserve().give_up() => {
                self.append(&mut open, &line)
            }
            other => other,
        }
    }

    fn append(&self, open: &mut Option<File>, line: &[u8]) -> Result<(), AuditError> {
        let file = self.current(open)?;
        let written = file.write_all(line).and_then(|()| file.sync_data());
        written.map_err(|e| {
            // Part of the line may be there: opening it anew ends that line first.
            *open = None;
            self.error("write", e)
        })
    }

    fn reserve(&self) -> Reserve {
        Reserve::in_folder(self.path.parent().unwrap_or(&self.path))
    }

    /// Lets go of the file, so that the next line goes to a new one after a rotation.
    pub fn reopen(&self) {
        *self.lock() = None;
    }

    /// The open file; another one when the path leads to another by now.
    fn current<'a>(&self, open: &'a mut Option<File>) -> Result<&'a mut File, AuditError> {
        let same = open.as_ref().is_some_and(|file| is_at(file, &self.path));
        if !same {
            *open = Some(self.open().map_err(|e| self.error("open", e))?);
        }
        Ok(open.as_mut().expect("it was opened just now"))
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o640).custom_flags(O_NOFOLLOW);
        match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.and_then(end_last_line),
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = options.create(true).open(&self.path)?;
        if let Some(gid) = self.group {
            std::os::unix::fs::fchown(&file, None, Some(gid))?;
        }
        Ok(file)
    }

    fn error(&self, action: &'static str, source: io::Error) -> AuditError {
        AuditError { action, path: self.path.clone(), source }
    }

    fn lock(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_possible_wrap, reason = "open flags are small bits; std wants them signed")]
const O_NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Ends a line that a full disk or a crash cut off, so that the next one stands alone.
fn end_last_line(mut file: File) -> io::Result<File> {
    if let Some(last) = file.metadata()?.len().checked_sub(1) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, last)?;
        if byte != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}
