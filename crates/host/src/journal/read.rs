//! Reading the journal, entry by entry.

use super::{Entry, FIELDS, parse_entry};
use crate::command::{Child, Command, Error, Stream};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::ChildStdout;
use std::time::SystemTime;

/// The longest line that is read, in bytes. A message byte may take four characters of it.
const LINE_LIMIT: u64 = 16 << 20;

/// Which entries to read. Built up with the methods below, ended by `read`.
#[derive(Debug, Default, Clone)]
pub struct Query {
    matches: Vec<String>,
    units: Vec<String>,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    after: Option<String>,
    lines: Option<u64>,
    grep: Option<String>,
    follow: bool,
}

impl Query {
    /// All entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries with this field: `VOLT_WORKLOAD=web`. Several of one field are alternatives, of different fields all must
    /// hold.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.matches.push(format!("{name}={value}"));
        self
    }

    /// Entries of this unit and what systemd says about it. Several are alternatives.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        self.units.push(unit.to_owned());
        self
    }

    /// Not before this time.
    #[must_use]
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Not after this time.
    #[must_use]
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// After the entry with this cursor.
    #[must_use]
    pub fn after(mut self, cursor: &str) -> Self {
        self.after = Some(cursor.to_owned());
        self
    }

    /// Only the last so many.
    #[must_use]
    pub fn lines(mut self, count: u64) -> Self {
        self.lines = Some(count);
        self
    }

    /// Only those whose message matches this pattern (PCRE2; case counts only where it has capitals).
    #[must_use]
    pub fn grep(mut self, pattern: &str) -> Self {
        self.grep = Some(pattern.to_owned());
        self
    }

    /// Goes on with new ones as they come.
    #[must_use]
    pub fn follow(mut self) -> Self {
        self.follow = true;
        self
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        let mut args: Vec<String> =
            ["--output=json", "--all", "--no-pager", "--quiet"].map(str::to_owned).into();
        args.push(format!("--output-fields={}", FIELDS.join(",")));
        let time = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!("@{}.{:06}", since.as_secs(), since.subsec_micros())
        };
        args.extend(self.since.map(|at| format!("--since={}", time(at))));
        args.extend(self.until.map(|at| format!("--until={}", time(at))));
        args.extend(self.after.as_ref().map(|cursor| format!("--after-cursor={cursor}")));
        args.extend(self.grep.as_ref().map(|pattern| format!("--grep={pattern}")));
        args.extend(self.units.iter().map(|unit| format!("--unit={unit}")));
        match (self.lines, self.follow) {
            (Some(count), _) => args.push(format!("--lines={count}")),
            // Following begins with the last ten unless told otherwise.
            (None, true) => args.push("--no-tail".to_owned()),
            (None, false) => {}
        }
        args.extend(self.follow.then(|| "--follow".to_owned()));
        args.push("--".to_owned());
        args.extend(self.matches.iter().cloned());
        args
    }

    /// Starts reading.
    pub fn read(&self) -> Result<Reader, Error> {
        let stderr = tempfile::tempfile()
            .map_err(|source| Error::Io { program: "journalctl".into(), source })?;
        let copy = stderr
            .try_clone()
            .map_err(|source| Error::Io { program: "journalctl".into(), source })?;
        let mut child = Command::new("journalctl")
            .args(self.arguments())
            .stdout(Stream::Pipe)
            .stderr(Stream::Fd(OwnedFd::from(copy)))
            // The reader may be handed from thread to thread; it kills its child itself.
            .outlives_parent()
            .spawn()?;
        let stdout = child.take_stdout().expect("a pipe was asked for");
        let lines = BufReader::with_capacity(64 << 10, stdout);
        Ok(Reader { child, lines, stderr, line: Vec::new(), ended: false })
    }
}

/// The entries of a query, in order. Dropping it ends the `journalctl` behind it.
#[derive(Debug)]
pub struct Reader {
    child: Child,
    lines: BufReader<ChildStdout>,
    stderr: File,
    line: Vec<u8>,
    ended: bool,
}

impl Reader {
    /// Ends the reading from elsewhere: a descriptor of the `journalctl` behind it, to be signalled.
    pub fn pidfd(&self) -> Result<OwnedFd, Error> {
        self.child.pidfd()
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            self.line.clear();
            let mut bounded = (&mut self.lines).take(LINE_LIMIT);
            let size = bounded.read_until(b'\n', &mut self.line).map_err(io_error)?;
            if size == 0 {
                return self.end().map(|()| None);
            }
            if let Some(entry) = parse_entry(&self.line) {
                return Ok(Some(entry));
            }
            tracing::debug!(size, "journalctl wrote a line that is no entry");
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        use io::Seek;
        let status = self.child.wait()?;
        // 1 without a word means that nothing matched the pattern.
        let mut stderr = String::new();
        let read = self.stderr.rewind().and_then(|()| {
            let limit = crate::command::STDERR_TAIL as u64;
            (&mut self.stderr).take(limit).read_to_string(&mut stderr)
        });
        read.map_err(io_error)?;
        let stderr = stderr.trim().to_owned();
        if status.success() || stderr.is_empty() {
            return Ok(());
        }
        Err(Error::Failed { program: "journalctl".into(), status, stderr })
    }
}

fn io_error(source: io::Error) -> Error {
    Error::Io { program: "journalctl".into(), source }
}

impl Iterator for Reader {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_entry().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
