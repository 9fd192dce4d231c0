//! Writing to a file of JSON lines that is renamed when it has grown, for workloads without a journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use volt_model::frame::Stream;

use super::Origin;

/// A file is renamed when it has this many bytes.
const MAX_SIZE: u64 = 10 << 20;
/// How many renamed files are kept: `FILE.1` is the youngest.
const KEPT: u32 = 3;

/// An open log file.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

/// One line, as it stands in the file.
#[derive(Serialize)]
struct Line<'a> {
    time: jiff::Timestamp,
    stream: &'a str,
    message: &'a str,
}

impl LogFile {
    /// Opens the file to append to it; only its owner may read it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = append(path)?;
        let metadata = file.metadata()?;
        // What is no plain file does not grow, and must never be renamed: it may be a device of the machine.
        let limit = if metadata.is_file() { MAX_SIZE } else { u64::MAX };
        Ok(Self { path: path.to_owned(), size: metadata.len(), file, limit })
    }

    /// Writes a line. A full disk loses lines; the workload goes on.
    pub(crate) fn line(&mut self, origin: Origin, line: &[u8]) {
        let stream = match origin {
            Origin::Workload(Stream::Stderr) => "stderr",
            Origin::Workload(_) => "stdout",
            Origin::Program => "program",
            Origin::Relay => "relay",
        };
        let message = String::from_utf8_lossy(line);
        let line = Line { time: jiff::Timestamp::now(), stream, message: &message };
        let Ok(mut bytes) = serde_json::to_vec(&line) else { return };
        bytes.push(b'\n');
        if self.size + bytes.len() as u64 > self.limit && self.size > 0 {
            // Where it cannot be renamed, it grows: better long than lost.
            drop(self.rotate());
        }
        if self.file.write_all(&bytes).is_ok() {
            self.size += bytes.len() as u64;
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..KEPT).rev() {
            match std::fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, numbered(1))?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json_and_the_file_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = LogFile { limit: 1000, ..LogFile::open(&path).unwrap() };
        for number in 0..100 {
            log.line(Origin::Workload(Stream::Stdout), format!("line \"{number}\"\0").as_bytes());
        }
        log.line(Origin::Workload(Stream::Stderr), b"\xff");
        let text = std::fs::read_to_string(&path).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&last["stream"], &last["message"]), (&"stderr".into(), &"\u{fffd}".into()));
        assert!(last["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["log", "log.1", "log.2", "log.3"]);
        assert!(std::fs::metadata(folder.path().join("log.1")).unwrap().len() <= 1000);
    }
}
