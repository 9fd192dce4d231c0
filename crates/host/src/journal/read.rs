//! Reading the journal, entry by entry.

use super::{Entry, FIELDS, parse_entry};
use crate::command::{Child, Command, Error, Stream};
use crate::process::Pidfd;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::fd::OwnedFd;
use std::process::ChildStdout;
use std::time::{Duration, SystemTime};

/// The longest line that is read, in bytes. A message byte may take four characters of it.
const LINE_LIMIT: u64 = 16 << 20;

/// How long the journal is given to catch up.
const SYNC_LIMIT: Duration = Duration::from_secs(5);

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

/// Waits until what has been written so far can be read. Where that can't be had, what is there is read.
pub fn sync() {
    let done = Command::new("journalctl").arg("--sync").time_limit(SYNC_LIMIT).output_any_status();
    if let Err(error) = done {
        tracing::debug!(%error, "the journal can't be asked to catch up");
    }
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

    /// Entries of this unit and all that root's processes say about it: also those of one that had ended before the journal could
    /// tell which unit it was of, such as systemd's own that could not execute the unit's program. Several are alternatives; not to be
    /// mixed with `field` and `unit`.
    #[must_use]
    pub fn about(mut self, unit: &str) -> Self {
        if !self.matches.is_empty() {
            self.matches.push("+".to_owned());
        }
        let said = ["+".to_owned(), format!("UNIT={unit}"), "_UID=0".to_owned()];
        self.matches.push(format!("_SYSTEMD_UNIT={unit}"));
        self.matches.extend(said);
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

    /// After the entry with this cursor, whatever `since` says.
    #[must_use]
    pub fn after(mut self, cursor: &str) -> Self {
        self.after = Some(cursor.to_owned());
        self
    }

    /// Only the last so many; with `after` the first so many.
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

    pub(super) fn arguments(&self, order: Order) -> Vec<String> {
        let mut args: Vec<String> =
            ["--output=json", "--all", "--no-pager", "--quiet"].map(str::to_owned).into();
        args.push(format!("--output-fields={}", FIELDS.join(",")));
        let time = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!("@{}.{:06}", since.as_secs(), since.subsec_micros())
        };
        // journalctl takes only one of the two.
        match (&self.after, self.since) {
            (Some(cursor), _) => args.push(format!("--after-cursor={cursor}")),
            (None, Some(at)) => args.push(format!("--since={}", time(at))),
            (None, None) => {}
        }
        args.extend(self.until.map(|at| format!("--until={}", time(at))));
        args.extend(self.grep.as_ref().map(|pattern| format!("--grep={pattern}")));
        args.extend(self.units.iter().map(|unit| format!("--unit={unit}")));
        match (self.lines, self.follow) {
            (Some(count), _) => args.push(format!("--lines={count}")),
            // Following begins with the last ten unless told otherwise.
            (None, true) => args.push("--no-tail".to_owned()),
            (None, false) => {}
        }
        args.extend(self.follow.then(|| "--follow".to_owned()));
        args.extend((order == Order::NewestFirst).then(|| "--reverse".to_owned()));
        args.push("--".to_owned());
        args.extend(self.matches.iter().cloned());
        args
    }

    /// Starts reading.
    pub fn read(&self) -> Result<Reader, Error> {
        if self.lines.is_none() || self.since.is_none() || self.after.is_some() {
            return Ok(Reader {
                first: VecDeque::new(),
                source: Some(Source::open(self, Order::OldestFirst)?),
            });
        }
        // With a time to begin at, systemd 252 gives the first so many and 257 the last; backwards both give the last.
        // Counted here: with a pattern, 252 counts lines that do not match.
        let wanted = usize::try_from(self.lines.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let once = Self { follow: false, lines: None, ..self.clone() };
        let mut source = Source::open(&once, Order::NewestFirst)?;
        let mut first = VecDeque::new();
        while first.len() < wanted {
            let Some(entry) = source.next_entry()? else { break };
            first.push_front(entry);
        }
        if !self.follow {
            return Ok(Reader { first, source: None });
        }
        let after = first.back().map(|entry| entry.cursor.clone());
        let rest = Self { lines: None, after, ..self.clone() };
        Ok(Reader { first, source: Some(Source::open(&rest, Order::OldestFirst)?) })
    }
}

/// Which way through the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

/// The entries of a query, in order. Dropping it ends the `journalctl` behind it.
#[derive(Debug)]
pub struct Reader {
    first: VecDeque<Entry>,
    /// None when it has told all.
    source: Option<Source>,
}

impl Reader {
    /// Ends the reading from elsewhere: a descriptor of the `journalctl` behind it, if any, to be signalled.
    pub fn stopper(&self) -> Result<Stopper, Error> {
        let pidfd = self.source.as_ref().map(|source| source.child.pidfd()).transpose()?;
        Ok(Stopper(pidfd.map(Pidfd::from)))
    }
}

/// Ends the reading of a `Reader` from another thread.
#[derive(Debug)]
pub struct Stopper(Option<Pidfd>);

impl Stopper {
    /// Ends it: the reader tells what has arrived, and then no more.
    pub fn stop(&self) {
        if let Some(child) = &self.0 {
            // One that has ended needs no signal.
            drop(child.signal_numbered(15));
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.first.pop_front() {
            return Some(Ok(entry));
        }
        let next = self.source.as_mut()?.next_entry().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.source = None;
        }
        next
    }
}

/// A `journalctl` at work.
#[derive(Debug)]
struct Source {
    child: Child,
    lines: BufReader<ChildStdout>,
    stderr: File,
    line: Vec<u8>,
}

impl Source {
    fn open(query: &Query, order: Order) -> Result<Self, Error> {
        let stderr = tempfile::tempfile().map_err(io_error)?;
        let copy = stderr.try_clone().map_err(io_error)?;
        let mut child = Command::new("journalctl")
            .args(query.arguments(order))
            .stdout(Stream::Pipe)
            .stderr(Stream::Fd(OwnedFd::from(copy)))
            // The reader may be handed from thread to thread; it kills its child itself.
            .outlives_parent()
            .spawn()?;
        let stdout = child.take_stdout().expect("a pipe was asked for");
        let lines = BufReader::with_capacity(64 << 10, stdout);
        Ok(Self { child, lines, stderr, line: Vec::new() })
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
        let status = self.child.wait()?;
        let mut stderr = Vec::new();
        let read = self.stderr.rewind().and_then(|()| {
            let limit = crate::command::STDERR_TAIL as u64;
            (&mut self.stderr).take(limit).read_to_end(&mut stderr)
        });
        read.map_err(io_error)?;
        let stderr = String::from_utf8_lossy(&stderr).trim().to_owned();
        // 1 without a word means that nothing matched the pattern.
        if status.success() || stderr.is_empty() {
            return Ok(());
        }
        Err(Error::Failed { program: "journalctl".into(), status, stderr })
    }
}

fn io_error(source: io::Error) -> Error {
    Error::Io { program: "journalctl".into(), source }
}
