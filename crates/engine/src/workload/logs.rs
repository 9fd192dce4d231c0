//! Reading the log of a workload, or of any unit of the host.

use super::Kind;
use crate::Engine;
use crate::error::{Error, Result};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use volt_host::journal;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::{Name, Target};

/// How often a listener that waits for lines looks whether it is still wanted and what it listens to still runs.
const LOOK: Duration = Duration::from_millis(250);

/// The longest pattern, in bytes: compiling one costs more than its length.
const PATTERN_MAX: usize = 1024;

/// Which lines.
#[derive(Clone, Debug)]
pub struct Query {
    /// The workload, or a unit of the host.
    pub target: Target,
    /// Go on as lines come; that of a container ends when it does.
    pub follow: bool,
    /// Only the last so many.
    pub lines: Option<u64>,
    /// Not older.
    pub since: Option<Timestamp>,
    /// Not younger.
    pub until: Option<Timestamp>,
    /// Only lines that match this pattern (PCRE2; case counts only where it has capitals).
    pub grep: Option<String>,
    /// Only those that a container wrote on this stream, `stdout` or `stderr`.
    pub stream: Option<&'static str>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: Timestamp,
    /// `stdout`, `stderr`, or `system` for what systemd and Volt say about it.
    pub stream: &'static str,
    /// syslog's priority, 0 to 7.
    pub priority: u8,
    /// Who wrote it.
    pub identifier: String,
    /// The line without its end; bytes that are no UTF-8 are replaced.
    pub message: String,
}

/// Takes lines, and says whether it wants more.
pub(crate) type Each<'a> = &'a mut dyn FnMut(LogLine) -> bool;

impl Engine {
    /// Reads a log, oldest line first, until there are no more, `each` says false, or `gone` is set.
    ///
    /// # Errors
    /// `NotFound`; `Usage` for a pattern that is none, or too long.
    pub fn workload_logs(&self, query: &Query, each: Each<'_>, gone: &AtomicBool) -> Result<()> {
        if query.grep.as_ref().is_some_and(|pattern| pattern.len() > PATTERN_MAX) {
            let title = format!("A pattern has at most {PATTERN_MAX} bytes");
            return Err(Error::new(ErrorKind::Usage, title));
        }
        if let (Some(since), Some(until)) = (query.since, query.until)
            && since > until
        {
            let title = format!("No time is after {since} and before {until}");
            return Err(Error::new(ErrorKind::Usage, title));
        }
        self.read_logs(query, each, gone).map_err(|error| {
            let about_pattern =
                query.grep.is_some() && error.chain().iter().any(|said| said.contains("pattern"));
            if about_pattern { Error { kind: ErrorKind::Usage, ..error } } else { error }
        })
    }

    fn read_logs(&self, query: &Query, each: Each<'_>, gone: &AtomicBool) -> Result<()> {
        match &query.target {
            Target::Workload(name) if self.kind_of(name) != Kind::Container => {
                if query.stream.is_some() {
                    return Err(no_streams(name));
                }
                self.logs_of_plain(name, query, &mut Listener { each, gone })
            }
            Target::Workload(name) => {
                let spec = self.spec(name)?;
                self.backend_of(&spec).logs(self, &spec, query, &mut Listener { each, gone })
            }
            Target::Unit(unit) if query.stream.is_some() => Err(no_streams(unit)),
            Target::Unit(unit) => {
                drop(self.unit_status(unit)?);
                let wanted = from_journal(query, std::slice::from_ref(unit));
                let mut listener = Listener { each, gone };
                follow(query, &wanted, &mut listener, &|| true, line_of_unit)
            }
        }
    }

    /// Reads what the unit of a service or task has in the journal, of no other that was called so before.
    fn logs_of_plain(&self, name: &Name, query: &Query, to: &mut Listener<'_>) -> Result<()> {
        let (unit, created) = match self.kind_of(name) {
            Kind::Task => {
                let spec = self.task_spec(name)?;
                (spec.unit(), spec.created)
            }
            _ => {
                let spec = self.service_spec(name)?;
                (spec.unit(), spec.created)
            }
        };
        let since = query.since.map_or(created, |since| since.max(created));
        if query.until.is_some_and(|until| until < since) {
            return Ok(());
        }
        let query = &Query { since: Some(since), ..query.clone() };
        follow(query, &from_journal(query, &[unit]), to, &|| true, line_of_unit)
    }

    /// Reads what the units of a container have in the journal.
    pub(crate) fn logs_of_units(
        &self,
        spec: &Spec,
        query: &Query,
        to: &mut Listener<'_>,
    ) -> Result<()> {
        // What the relay marked as the workload's own; what systemd and nspawn say of it is for `systemctl status`.
        // A container that had the name before had another log.
        let since = query.since.map_or(spec.created, |since| since.max(spec.created));
        if query.until.is_some_and(|until| until < since) {
            return Ok(());
        }
        let query = &Query { since: Some(since), ..query.clone() };
        let is_asked = |stream: &&&str| query.stream.is_none_or(|asked| asked == **stream);
        let wanted = ["stdout", "stderr"].iter().filter(is_asked).fold(
            from_journal(query, &[]).field("_SYSTEMD_UNIT", &spec.unit()),
            |wanted, stream| wanted.field("VOLT_STREAM", stream),
        );
        let alive = || self.run_state(spec).is_ok_and(|run| run.state.is_alive());
        follow(query, &wanted, to, &alive, line_of_container)
    }
}

fn no_streams(of: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, format!("The streams of {of} can't be told apart"))
        .hinted("Only what a container of Volt's writes is kept by stream")
}

/// Who hears the lines.
pub(crate) struct Listener<'a> {
    pub(crate) each: Each<'a>,
    pub(crate) gone: &'a AtomicBool,
}

impl Listener<'_> {
    /// Hands a line over. False when no more are wanted.
    pub(crate) fn hear(&mut self, line: LogLine) -> bool {
        !self.gone.load(Ordering::Relaxed) && (self.each)(line)
    }

    /// Waits a little. False when no more are wanted.
    pub(crate) fn pause(&self) -> bool {
        std::thread::sleep(LOOK);
        !self.gone.load(Ordering::Relaxed)
    }
}

fn from_journal(query: &Query, units: &[String]) -> journal::Query {
    let mut wanted = units.iter().fold(journal::Query::new(), |q, unit| q.unit(unit));
    if let Some(since) = query.since {
        wanted = wanted.since(since.into());
    }
    if let Some(until) = query.until {
        wanted = wanted.until(until.into());
    }
    if let Some(pattern) = &query.grep {
        wanted = wanted.grep(pattern);
    }
    wanted
}

/// Reads a journal query, and goes on with it where that was asked for, for as long as `alive` says so. What came in while the
/// end was noticed is read too.
fn follow(
    query: &Query,
    wanted: &journal::Query,
    to: &mut Listener<'_>,
    alive: &(dyn Fn() -> bool + Sync),
    line: fn(journal::Entry) -> LogLine,
) -> Result<()> {
    let first = match query.lines {
        // journalctl takes 0 as "none of those that are there".
        Some(count) => wanted.clone().lines(count),
        None => wanted.clone(),
    };
    if !query.follow || !alive() {
        // A pattern may match nothing in a long journal: then only this watch sees that nobody waits any more.
        return read_while(&first, to, &|| true, line, &mut String::new()).map(drop);
    }
    let mut cursor = String::new();
    let more = read_while(&first.clone().follow(), to, alive, line, &mut cursor)?;
    if !more || to.gone.load(Ordering::Relaxed) {
        return Ok(());
    }
    let rest = if cursor.is_empty() { first } else { wanted.clone().after(&cursor) };
    read_while(&rest, to, &|| true, line, &mut cursor).map(drop)
}

/// Reads until there is no more, `alive` says no or nobody listens any more. Whether the listener wants more.
fn read_while(
    query: &journal::Query,
    to: &mut Listener<'_>,
    alive: &(dyn Fn() -> bool + Sync),
    line: fn(journal::Entry) -> LogLine,
    cursor: &mut String,
) -> Result<bool> {
    std::thread::scope(|scope| {
        let over = Arc::new(AtomicBool::new(false));
        let mut reader = query.read()?;
        let stopper = reader.stopper()?;
        let (watched, gone) = (Arc::clone(&over), to.gone);
        let watch = scope.spawn(move || {
            while !watched.load(Ordering::Relaxed) && !gone.load(Ordering::Relaxed) && alive() {
                std::thread::park_timeout(LOOK);
            }
            stopper.stop();
        });
        let more = hear_all(&mut reader, to, line, cursor);
        over.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        more
    })
}

fn hear_all(
    reader: &mut journal::Reader,
    to: &mut Listener<'_>,
    line: fn(journal::Entry) -> LogLine,
    cursor: &mut String,
) -> Result<bool> {
    for entry in reader {
        let mut entry = entry.map_err(refused)?;
        *cursor = std::mem::take(&mut entry.cursor);
        if !to.hear(line(entry)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// journalctl says in words what is wrong with a pattern, or who may read.
fn refused(error: volt_host::command::Error) -> Error {
    match &error {
        volt_host::command::Error::Failed { stderr, .. } if stderr.contains("pattern") => {
            Error::new(ErrorKind::Usage, "The pattern can't be used").because(error)
        }
        volt_host::command::Error::Failed { stderr, .. } if stderr.contains("permission") => {
            Error::new(ErrorKind::Permission, "The journal can't be read by you")
                .because(error)
                .hinted("Let an administrator add you to the group systemd-journal")
        }
        _ => error.into(),
    }
}

/// In a container's units only what the relay marked is the workload's own.
fn line_of_container(entry: journal::Entry) -> LogLine {
    let stream = match entry.stream.as_deref() {
        Some("stdout") => "stdout",
        Some("stderr") => "stderr",
        _ => "system",
    };
    line(entry, stream)
}

/// A unit of the host: what PID 1 says about it, and what it says itself.
fn line_of_unit(entry: journal::Entry) -> LogLine {
    let stream = match (&entry.identifier, entry.pid) {
        (Some(name), Some(1)) if name == "systemd" => "system",
        _ => "stdout",
    };
    line(entry, stream)
}

fn line(entry: journal::Entry, stream: &'static str) -> LogLine {
    LogLine {
        time: Timestamp::try_from(entry.time).unwrap_or_default(),
        stream,
        priority: entry.priority.unwrap_or(6).min(7),
        identifier: entry.identifier.unwrap_or_default(),
        message: String::from_utf8_lossy(&entry.message).into_owned(),
    }
}
