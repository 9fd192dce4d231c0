//! Reads the trail from its end, in bounded pieces, so that a long one costs no more than what is asked for.

use super::Record;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of the file is read at a time, in bytes.
const PIECE: u64 = 64 * 1024;
/// How far back a search goes at most, in bytes.
const MAX_BACK: u64 = 256 << 20;
/// The longest line that is taken for one, in bytes.
const MAX_LINE: usize = 256 * 1024;
/// The most lines of one answer.
const MAX_LINES: usize = 10_000;

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only the last so many.
    pub lines: Option<usize>,
    /// Only of this user, by name or number.
    pub user: Option<String>,
    /// Only actions that begin so.
    pub action: Option<String>,
    /// Only about this resource.
    pub resource: Option<String>,
    /// Not older.
    pub since: Option<jiff::Timestamp>,
}

impl Filter {
    fn takes(&self, record: &Record) -> bool {
        let user = |u: &String| record.user == *u || record.uid.to_string() == *u;
        self.user.as_ref().is_none_or(user)
            && self.action.as_ref().is_none_or(|a| record.action.starts_with(a.as_str()))
            && self.resource.as_ref().is_none_or(|r| record.resource == *r)
    }

    fn is_older(&self, record: &Record) -> bool {
        let Some(since) = self.since else { return false };
        record.timestamp.parse::<jiff::Timestamp>().is_ok_and(|at| at < since)
    }
}

/// The last lines that `filter` takes, the newest last. A missing file has none.
///
/// # Errors
/// When the file can't be read.
pub fn tail(path: &Path, filter: &Filter) -> io::Result<Vec<Record>> {
    let wanted = filter.lines.unwrap_or(MAX_LINES).min(MAX_LINES);
    let mut found = Vec::new();
    if wanted == 0 {
        return Ok(found);
    }
    backwards(path, |record| {
        if filter.is_older(&record) {
            return false;
        }
        if filter.takes(&record) {
            found.push(record);
        }
        found.len() < wanted
    })?;
    found.reverse();
    Ok(found)
}

/// The line of a request.
///
/// # Errors
/// When the file can't be read.
pub fn find(path: &Path, request: &str) -> io::Result<Option<Record>> {
    let mut found = None;
    backwards(path, |record| {
        if record.request_id == request {
            found = Some(record);
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Calls `each` with every line from the end on until it answers `false`. What is no record is passed over.
fn backwards(path: &Path, mut each: impl FnMut(Record) -> bool) -> io::Result<()> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let end = file.metadata()?.len();
    let (mut at, stop) = (end, end.saturating_sub(MAX_BACK));
    // What was read and belongs to a line whose beginning was not.
    let mut rest: Vec<u8> = Vec::new();
    while at > stop {
        let start = at.saturating_sub(PIECE).max(stop);
        file.seek(SeekFrom::Start(start))?;
        let mut piece = Vec::new();
        (&mut file).take(at - start).read_to_end(&mut piece)?;
        piece.append(&mut rest);
        at = start;
        while let Some(newline) = piece.iter().rposition(|b| *b == b'\n') {
            if !take_line(&piece[newline + 1..], &mut each) {
                return Ok(());
            }
            piece.truncate(newline);
        }
        if piece.len() > MAX_LINE {
            piece.clear();
        }
        rest = piece;
    }
    if at == 0 {
        take_line(&rest, &mut each);
    }
    Ok(())
}

fn take_line(line: &[u8], each: &mut impl FnMut(Record) -> bool) -> bool {
    serde_json::from_slice(line).map_or(true, each)
}
