//! The store's one error type. What a person can act on is a variant; the rest is `Io` with its path.

use std::io;
use std::path::{Path, PathBuf};
use volt_host::files::LockError;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::size::Bytes;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no image of this name.
    #[error("there is no image `{0}`")]
    NotFound(ImageRef),
    /// The name is taken, and replacing was not asked for.
    #[error("there is already an image `{0}`")]
    Exists(ImageRef),
    /// There is no tree of this name or digest.
    #[error("there is no tree `{0}`")]
    NoTree(String),
    /// A tree has nothing at this path.
    #[error("there is no `{0}` in this tree")]
    NoEntry(String),
    /// Containers stand on the image.
    #[error("image `{name}` is used by {}", users.join(", "))]
    InUse {
        /// The image.
        name: ImageRef,
        /// Who uses it.
        users: Vec<String>,
    },
    /// The input is of no kind that can be imported.
    #[error("this is no root file system that can be imported: {0}")]
    NotAnArchive(String),
    /// An entry of the input is hostile or broken; nothing of the import was kept.
    #[error("entry `{entry}` is refused: {reason}")]
    Refused {
        /// The entry's name, control characters escaped.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The input as a whole is hostile or broken; nothing of the import was kept.
    #[error("the input is refused: {0}")]
    Damaged(String),
    /// The file system is full; nothing was left behind.
    #[error("no space left below {}{}", path.display(), space(*needed, *free))]
    Full {
        /// Where was written.
        path: PathBuf,
        /// The bytes that were to be written in all, where known.
        needed: Option<Bytes>,
        /// The bytes that were free when writing began, where known.
        free: Option<Bytes>,
    },
    /// What was asked cannot be done here.
    #[error("{what} is not possible: {reason}")]
    Unsupported {
        /// What was asked.
        what: String,
        /// Why it cannot be.
        reason: String,
    },
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// debootstrap ran and failed.
    #[error("debootstrap could not make {suite}{}", last_lines(lines))]
    Debootstrap {
        /// The suite it was to make.
        suite: String,
        /// The last lines it wrote.
        lines: Vec<String>,
        /// How it ended.
        source: volt_host::command::Error,
    },
    /// buildah ran and failed.
    #[error("the image could not be built{}", last_lines(lines))]
    Build {
        /// The last lines it wrote.
        lines: Vec<String>,
        /// How it ended.
        source: volt_host::command::Error,
    },
    /// A program that is needed is missing or could not be run.
    #[error(transparent)]
    Program(#[from] volt_host::command::Error),
    /// A file below the store is not what the store wrote.
    #[error("{} is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An object of a tree is not what the store wrote.
    #[error("object {object} {problem} (it is {entry}){}", and_more(*more))]
    BadObject {
        /// The object.
        object: crate::Digest,
        /// Where it is in the tree.
        entry: String,
        /// What is wrong with it, as a verb.
        problem: &'static str,
        /// How many more of the tree are damaged.
        more: u64,
    },
    /// Somebody was asked, a registry or who called the store, and has no answer.
    #[error("{reason}")]
    Elsewhere {
        /// Why, in words.
        reason: String,
        /// What kind of error that is.
        kind: ErrorKind,
    },
    /// The caller no longer wants it.
    #[error("cancelled")]
    Cancelled,
    /// The input could not be read.
    #[error("cannot read the input")]
    Input(#[source] io::Error),
    /// The output could not be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// The kernel refused something else.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried: a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What the store's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the kernel; a full disk becomes [`Error::Full`].
    pub(crate) fn io(doing: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path: path.to_owned(), needed: None, free: None }
            }
            _ => Self::Io { doing, path: path.to_owned(), source },
        }
    }

    /// What kind of failure it is, for exit codes.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) | Self::NoTree(_) | Self::NoEntry(_) => ErrorKind::NotFound,
            Self::Exists(_) => ErrorKind::AlreadyExists,
            Self::InUse { .. } => ErrorKind::Conflict,
            Self::NotAnArchive(_) | Self::Refused { .. } | Self::Damaged(_) => {
                ErrorKind::InvalidConfig
            }
            Self::Full { .. } => ErrorKind::Resource,
            Self::Unsupported { .. } => ErrorKind::Dependency,
            Self::Program(volt_host::command::Error::Missing { .. }) => ErrorKind::Dependency,
            Self::Invalid(_) => ErrorKind::Usage,
            Self::Cancelled => ErrorKind::Interrupted,
            Self::Elsewhere { kind, .. } => *kind,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ErrorKind::Permission
            }
            Self::Debootstrap { lines, .. } if lines.iter().any(|line| is_download(line)) => {
                ErrorKind::Network
            }
            Self::Debootstrap { .. }
            | Self::Build { .. }
            | Self::Program(_)
            | Self::Corrupt { .. }
            | Self::BadObject { .. }
            | Self::Input(_)
            | Self::Output(_)
            | Self::Io { .. } => ErrorKind::General,
        }
    }

    /// A refusal that names the entry.
    pub(crate) fn refused(entry: &[u8], reason: impl Into<String>) -> Self {
        Self::Refused { entry: printable(entry), reason: reason.into() }
    }

    /// Fills in what is known about space when the error is a full disk.
    pub(crate) fn with_space(self, path: &Path, needed: Option<u64>, free: Option<u64>) -> Self {
        match self {
            Self::Full { needed: before, free: free_before, .. } => Self::Full {
                path: path.to_owned(),
                needed: before.or(needed.map(Bytes)),
                free: free_before.or(free.map(Bytes)),
            },
            other => other,
        }
    }
}

/// Whether debootstrap complains about the mirror.
fn is_download(line: &str) -> bool {
    line.contains("Failed getting release file") || line.contains("Couldn't download")
}

/// A name out of an archive, safe to show: control characters and bytes that are no UTF-8 escaped, cut at 200.
pub(crate) fn printable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut out: String = text.chars().take(200).flat_map(escape).collect();
    if text.chars().nth(200).is_some() {
        out.push('…');
    }
    if out.is_empty() { "/".into() } else { out }
}

fn escape(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

fn space(needed: Option<Bytes>, free: Option<Bytes>) -> String {
    match (needed, free) {
        (Some(needed), Some(free)) => format!(": needed {needed}, free {free}"),
        (Some(needed), None) => format!(": needed {needed}"),
        (None, Some(free)) => format!(": free {free} when it began"),
        (None, None) => String::new(),
    }
}

fn and_more(more: u64) -> String {
    match more {
        0 => String::new(),
        1 => ", and one more of the same tree".into(),
        more => format!(", and {more} more of the same tree"),
    }
}

fn last_lines(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!(": {}", lines.join("\n")) }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Io(error) => error.into(),
            LockError::Held { path, .. } => {
                Self::io("lock", &path, io::Error::from(io::ErrorKind::WouldBlock))
            }
        }
    }
}

impl From<volt_host::files::Error> for Error {
    fn from(error: volt_host::files::Error) -> Self {
        Self::io(error.action, &error.path, error.source)
    }
}
