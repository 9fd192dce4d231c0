//! Logs in files of JSON lines, as the relay writes them where there is no journal: `FILE.3` the oldest … `FILE` the newest.

use super::logs::{Listener, LogLine, Query};
use crate::error::{Error, Result};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind as IoKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::command::{Command, Status};
use volt_host::files;
use volt_model::kind::ErrorKind;

/// How many older files there may be.
const KEPT: u32 = 3;
/// How many lines are matched against a pattern at once.
const BATCH: usize = 10_000;
/// How long a pattern may take on them.
const PATTERN_LIMIT: Duration = Duration::from_secs(30);

/// A line as it stands in the file.
#[derive(Deserialize)]
struct Raw {
    time: Timestamp,
    stream: String,
    message: String,
}

/// Reads such a log. `alive` says whether more may come.
pub(crate) fn read(
    path: &Path,
    name: &str,
    query: &Query,
    to: &mut Listener<'_>,
    alive: &dyn Fn() -> bool,
) -> Result<()> {
    let mut tail = Tail::new(name, query);
    for older in (1..=KEPT).rev() {
        let mut file = path.as_os_str().to_owned();
        file.push(format!(".{older}"));
        if let Some(mut file) = open(&PathBuf::from(file))? {
            tail.take_in(&mut file)?;
        }
    }
    let mut current = open(path)?;
    loop {
        // Asked before the file is read: what was written before the end is then read too.
        let more_may_come = query.follow && alive();
        if current.is_none() {
            current = open(path)?;
        }
        if let Some(file) = &mut current {
            tail.take_in(file)?;
        }
        if !tail.hand_over(to)? || !more_may_come {
            return Ok(());
        }
        if !to.pause() {
            return Ok(());
        }
        if current.as_ref().is_some_and(|file| !is_at(file, path)) {
            // It was renamed and perhaps written to once more before that.
            if let Some(file) = &mut current {
                tail.take_in(file)?;
            }
            current = None;
        }
    }
}

fn open(path: &Path) -> Result<Option<BufReader<File>>> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(e) if e.kind() == IoKind::NotFound => Ok(None),
        Err(e) => Err(files::Error::new("read", path, e).into()),
    }
}

fn is_at(file: &BufReader<File>, path: &Path) -> bool {
    match (file.get_ref().metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Lines that were read and not yet handed over.
struct Tail<'a> {
    name: &'a str,
    query: &'a Query,
    lines: VecDeque<LogLine>,
    /// How many of those that are there at the beginning are wanted.
    limit: Option<usize>,
    /// A line whose end is still to come.
    part: Vec<u8>,
}

impl<'a> Tail<'a> {
    fn new(name: &'a str, query: &'a Query) -> Self {
        let limit = query.lines.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        Self { name, query, lines: VecDeque::new(), limit, part: Vec::new() }
    }

    /// Reads to the end of what is there.
    fn take_in(&mut self, file: &mut BufReader<File>) -> Result<()> {
        loop {
            let failed = |e| {
                Error::new(ErrorKind::General, "The log can't be read").about(&self.name).because(e)
            };
            file.read_until(b'\n', &mut self.part).map_err(failed)?;
            if self.part.last() != Some(&b'\n') {
                return Ok(());
            }
            let line = std::mem::take(&mut self.part);
            // A line cut off by a crash or a full disk is left out.
            let Ok(raw) = serde_json::from_slice::<Raw>(&line) else { continue };
            let too_old = self.query.since.is_some_and(|since| raw.time < since);
            let too_young = self.query.until.is_some_and(|until| raw.time > until);
            let other = self.query.stream.is_some_and(|stream| stream != raw.stream);
            if too_old || too_young || other {
                continue;
            }
            self.lines.push_back(self.shown(raw));
            // A pattern is matched later, and only then it is known which lines count.
            if self.query.grep.is_none() && self.limit.is_some_and(|limit| self.lines.len() > limit)
            {
                self.lines.pop_front();
            }
        }
    }

    fn shown(&self, raw: Raw) -> LogLine {
        let (stream, priority) = match raw.stream.as_str() {
            "stdout" => ("stdout", 6),
            "stderr" => ("stderr", 3),
            _ => ("system", 6),
        };
        LogLine {
            time: raw.time,
            stream,
            priority,
            identifier: self.name.to_owned(),
            message: raw.message,
        }
    }

    /// Hands over what was read. False when no more are wanted.
    fn hand_over(&mut self, to: &mut Listener<'_>) -> Result<bool> {
        let mut lines = std::mem::take(&mut self.lines);
        if let Some(pattern) = &self.query.grep {
            lines = matching(lines, pattern)?;
        }
        if let Some(limit) = self.limit.take() {
            drop(lines.drain(..lines.len().saturating_sub(limit)));
        }
        Ok(lines.into_iter().all(|line| to.hear(line)))
    }
}

/// The lines that match. `grep` knows the patterns that journalctl knows.
fn matching(lines: VecDeque<LogLine>, pattern: &str) -> Result<VecDeque<LogLine>> {
    let mut found = VecDeque::new();
    let mut lines = lines.into_iter().peekable();
    while lines.peek().is_some() {
        let batch: Vec<LogLine> = lines.by_ref().take(BATCH).collect();
        let text: String =
            batch.iter().map(|line| line.message.replace(['\n', '\0'], " ") + "\n").collect();
        let mut grep = Command::new("grep").args(["--line-number", "--perl-regexp", "--text"]);
        if !pattern.chars().any(char::is_uppercase) {
            grep = grep.arg("--ignore-case");
        }
        let grep = grep.args(["--regexp", pattern]).input(text).time_limit(PATTERN_LIMIT);
        let output = grep.output_any_status()?;
        // 1: nothing matched.
        if !matches!(output.status, Status::Code(0 | 1)) {
            return Err(
                Error::new(ErrorKind::Usage, "The pattern can't be used").because(output.stderr)
            );
        }
        let text = output.text();
        let numbers = text.lines().filter_map(|line| line.split(':').next()?.parse::<usize>().ok());
        found.extend(numbers.filter_map(|n| batch.get(n.checked_sub(1)?).cloned()));
    }
    Ok(found)
}
