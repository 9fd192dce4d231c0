//! Where a workload's lines are kept: the journal, or a file for those who have none of their own.

mod file;
mod journal;

use volt_model::frame::Stream;

use crate::options::{Log, Mode, Options};
use file::LogFile;
use journal::Journal;

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The workload.
    Workload(Stream),
    /// The program around it (systemd-nspawn).
    Program,
    /// The relay itself.
    Relay,
}

/// The log.
#[derive(Debug)]
pub(crate) enum Sink {
    /// The journal.
    Journal(Journal),
    /// A file.
    File(LogFile),
    /// Nowhere: what a client asked for is the client's alone.
    Nowhere,
}

impl Sink {
    /// Opens what the options say.
    pub(crate) fn open(options: &Options) -> std::io::Result<Self> {
        if options.mode == Mode::Exec {
            return Ok(Self::Nowhere);
        }
        Ok(match &options.log {
            Log::Journal(socket) => {
                Self::Journal(Journal::open(socket, &options.name, &options.program)?)
            }
            Log::File(path) => Self::File(LogFile::open(path)?),
        })
    }

    /// Keeps a line. It blocks until the line is taken: the workload waits sooner than a line is lost.
    pub(crate) fn line(&mut self, origin: Origin, line: &[u8]) {
        match self {
            Self::Journal(journal) => journal.line(origin, line),
            Self::File(file) => file.line(origin, line),
            Self::Nowhere => {}
        }
    }
}
