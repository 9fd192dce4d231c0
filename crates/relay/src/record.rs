//! The files that tell others how the workload stands: its leader, why it failed, how it ended.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use volt_host::files;

/// The most that any of these files has, in bytes.
const LIMIT: usize = 64 * 1024;

/// A file that is there from the beginning and becomes `exit`: how a workload ends that fills the disk is known all the same.
const DRAFT: &str = "exit.draft";
/// More than any exit has, in bytes.
const DRAFT_SIZE: usize = 512;

/// `RUN_DIR/leader`: the process whose namespaces are the workload's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leader {
    /// Its process id on the host.
    pub pid: i32,
    /// When it began, in clock ticks since boot, as `/proc/PID/stat` says: tells it from a later process of that id.
    pub start_time: u64,
}

/// `RUN_DIR/failure`: why the command was not executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exit code that says so: 127 not found, 126 not executable, else that of the program around it.
    pub code: u8,
    /// One line, or the program's last lines.
    pub message: String,
}

/// `RUN_DIR/exit`: how the workload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// As a shell gives it: the command's own code, or 128 and the signal.
    pub code: u8,
    /// The signal that ended the command.
    pub signal: Option<i32>,
    /// Whether systemd had asked for the end.
    #[serde(default)]
    pub asked: bool,
    /// Whether it was killed because it took too long to end.
    #[serde(default)]
    pub timed_out: bool,
    /// When.
    pub finished: Timestamp,
}

impl Leader {
    /// The leader with this process id, if it runs.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before may have any character in it, a bracket too.
        let (_, after) = stat.rsplit_once(')')?;
        // The state is field 3, the start time field 22.
        let start_time = after.split_whitespace().nth(19)?.parse().ok()?;
        Some(Self { pid, start_time })
    }

    /// Reads it from a run folder. Nothing where none is written or the process is gone.
    #[must_use]
    pub fn read(run_dir: &Path) -> Option<Self> {
        let text = files::read_text(&run_dir.join("leader"), LIMIT).ok()?;
        let (pid, start_time) = text.trim().split_once(' ')?;
        let written = Self { pid: pid.parse().ok()?, start_time: start_time.parse().ok()? };
        Self::of(written.pid).filter(|now| *now == written)
    }
}

impl Failure {
    /// Reads it from a run folder, where one is written.
    #[must_use]
    pub fn read(run_dir: &Path) -> Option<Self> {
        files::read_json(&run_dir.join("failure"), LIMIT).ok()
    }
}

impl Exit {
    /// Reads it from a run folder, where one is written.
    #[must_use]
    pub fn read(run_dir: &Path) -> Option<Self> {
        files::read_json(&run_dir.join("exit"), LIMIT).ok()
    }
}

/// Writes the records of one run. Without a run folder nothing is written; a failure to write one does not stop the
/// workload.
#[derive(Debug)]
pub(crate) struct Records {
    run_dir: Option<PathBuf>,
}

impl Records {
    /// Begins a run: what an earlier one left is removed.
    pub(crate) fn begin(run_dir: Option<&Path>) -> Self {
        let records = Self { run_dir: run_dir.map(Path::to_owned) };
        for name in ["leader", "failure", "exit", "stop-timeout", DRAFT] {
            if let Some(path) = records.path(name) {
                drop(std::fs::remove_file(path));
            }
        }
        if let Some(path) = records.path(DRAFT) {
            drop(files::write_volatile(&path, &[b' '; DRAFT_SIZE], 0o600));
        }
        records
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.run_dir.as_ref()?.join(name))
    }

    /// How long the stop that was just asked for may take, where that is not the workload's own time: whoever asks writes
    /// `RUN_DIR/stop-timeout`, in seconds.
    pub(crate) fn stop_time(&self) -> Option<Duration> {
        let text = files::read_text(&self.path("stop-timeout")?, 64).ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
    }

    pub(crate) fn leader(&self, leader: Leader) {
        if let Some(path) = self.path("leader") {
            let text = format!("{} {}\n", leader.pid, leader.start_time);
            drop(files::write_atomic(&path, text.as_bytes(), 0o644));
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        if let Some(path) = self.path("failure") {
            drop(files::write_json(&path, failure, 0o600));
        }
    }

    pub(crate) fn exit(&self, exit: &Exit) {
        let (Some(path), Some(draft)) = (self.path("exit"), self.path(DRAFT)) else { return };
        if fill(&draft, exit).and_then(|()| std::fs::rename(&draft, &path)).is_err() {
            drop(files::write_json(&path, exit, 0o600));
        }
    }
}

/// Writes over what is there, which takes no space.
fn fill(draft: &Path, exit: &Exit) -> io::Result<()> {
    let text = serde_json::to_vec(exit)?;
    let file = File::options().write(true).open(draft)?;
    file.write_all_at(&text, 0)?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_written_where_space_was_laid_aside() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::begin(Some(folder.path()));
        let draft = folder.path().join(DRAFT);
        assert_eq!(draft.metadata().unwrap().len(), DRAFT_SIZE as u64);
        let exit = Exit {
            code: 7,
            signal: None,
            asked: true,
            timed_out: false,
            finished: "2026-01-02T00:00:00Z".parse().unwrap(),
        };
        for _ in 0..2 {
            records.exit(&exit);
            assert_eq!(Exit::read(folder.path()), Some(exit.clone()));
            assert!(!draft.exists());
        }
    }

    #[test]
    fn the_time_of_a_stop_is_that_of_this_run() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::begin(Some(folder.path()));
        assert_eq!(records.stop_time(), None);
        std::fs::write(folder.path().join("stop-timeout"), "20").unwrap();
        assert_eq!(records.stop_time(), Some(Duration::from_secs(20)));
        assert_eq!(Records::begin(Some(folder.path())).stop_time(), None);
    }

    #[test]
    fn a_leader_is_known_again_and_a_later_process_is_not_it() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::begin(Some(folder.path()));
        let pid = std::process::id().cast_signed();
        let leader = Leader::of(pid).unwrap();
        records.leader(leader);
        assert_eq!(Leader::read(folder.path()), Some(leader));
        records.leader(Leader { start_time: leader.start_time - 1, ..leader });
        assert_eq!(Leader::read(folder.path()), None);
        Records::begin(Some(folder.path()));
        assert!(!folder.path().join("leader").exists());
    }
}
