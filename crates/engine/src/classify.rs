//! Which small error is which kind: the only place that decides it.

use crate::Engine;
use crate::error::Error;
use volt_host::{command, files, systemd};
use volt_model::kind::ErrorKind;

impl From<files::Error> for Error {
    fn from(error: files::Error) -> Self {
        match error.kind() {
            _ if error.is_full() => full_disk(),
            std::io::ErrorKind::PermissionDenied => {
                Self::new(ErrorKind::Permission, "This needs more rights")
                    .hinted("Run it as root or as a member of the group volt, or start the daemon: systemctl start volt.socket")
            }
            _ => Self::new(ErrorKind::General, "A file operation failed"),
        }
        .because(error)
    }
}

/// With less than this free, in bytes, what fails on a file system does so because it is full.
const NEXT_TO_NOTHING: u64 = 128 << 10;

impl Engine {
    /// The same error; on a full disk one that says so, whatever the kernel or a program made of it.
    pub(crate) fn unless_full(&self, error: Error) -> Error {
        let space = files::free_space(&self.paths().lib);
        if !space.is_ok_and(|space| space.available < NEXT_TO_NOTHING) {
            return error;
        }
        let subject = error.subject.clone();
        let full = full_disk();
        Error { subject, ..full.because(error) }
    }
}

fn full_disk() -> Error {
    Error::new(ErrorKind::Resource, "The disk is full").hinted(
        "`volt system df` shows what takes the space, `volt system prune` frees what nothing uses",
    )
}

impl From<files::LockError> for Error {
    fn from(error: files::LockError) -> Self {
        match error {
            files::LockError::Held { .. } => {
                Self::new(ErrorKind::Conflict, "Another command is changing it at this moment")
                    .hinted("Try again when that one has ended")
                    .because(error)
            }
            files::LockError::Io(io) => io.into(),
        }
    }
}

impl From<command::Error> for Error {
    fn from(error: command::Error) -> Self {
        match &error {
            command::Error::Missing { program, package } => {
                let hint = package.as_deref().map(|p| format!("Install it: apt install {p}"));
                let mut out = Self::new(
                    ErrorKind::Dependency,
                    format!("The program {} is not installed", program),
                );
                out.hint = hint;
                return out;
            }
            command::Error::TimedOut { .. } => {
                Self::new(ErrorKind::Timeout, "A program took too long")
            }
            _ => Self::new(ErrorKind::General, "A program failed"),
        }
        .because(error)
    }
}

impl From<systemd::Error> for Error {
    fn from(error: systemd::Error) -> Self {
        match &error {
            systemd::Error::NoBus { .. } => Self::new(
                ErrorKind::Dependency,
                "systemd can't be reached on this host",
            )
            .hinted(
                "`volt system check` says what is missing; `--backend proot` runs without systemd",
            ),
            systemd::Error::NoSuchUnit { unit } => {
                return Self::new(ErrorKind::NotFound, format!("There is no unit {unit}"))
                    .about(unit);
            }
            systemd::Error::Refused { .. } => {
                Self::new(ErrorKind::Permission, "systemd refused it").hinted("Run it as root")
            }
            systemd::Error::Timeout { .. } => {
                Self::new(ErrorKind::Timeout, "systemd took too long")
            }
            systemd::Error::JobFailed { .. } | systemd::Error::Other { .. } => {
                Self::new(ErrorKind::General, "systemd could not do it")
            }
        }
        .because(error)
    }
}

impl From<volt_store::Error> for Error {
    fn from(error: volt_store::Error) -> Self {
        use volt_store::Error as Store;
        let kind = error.kind();
        match error {
            Store::Program(program) => program.into(),
            Store::Full { .. } => full_disk().because(error),
            Store::Io { .. } => Self::new(kind, "The store can't be used").because(error),
            Store::Corrupt { ref path, .. } if path.extension().is_some_and(|e| e == "json") => {
                Self::new(kind, capitalised(&error.to_string())).hinted(
                    "`volt system check --repair` moves it away; then pull or import it again",
                )
            }
            Store::Corrupt { .. } => Self::new(kind, capitalised(&error.to_string())).hinted(
                "`volt cas verify` says what else is damaged; with --repair it fetches it again",
            ),
            Store::NoTree(_) => Self::new(kind, capitalised(&error.to_string()))
                .hinted("`volt cas list` shows which trees there are"),
            Store::NotFound(_) => Self::new(kind, capitalised(&error.to_string()))
                .hinted("`volt image list` lists all there are"),
            // The others are whole sentences for people, but for the capital.
            _ => Self::new(kind, capitalised(&error.to_string())),
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
