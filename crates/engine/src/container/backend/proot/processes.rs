//! The processes of a container: proot and all that it traces, whoever their parent is by now.

use std::path::Path;
use volt_host::files;
use volt_host::process::{self, Pidfd};

const KILL: u8 = 9;
const CONTINUE: u8 = 18;
const STOP: u8 = 19;

/// proot and what it traces.
#[derive(Debug)]
pub(super) struct Processes {
    tracer: u32,
}

impl Processes {
    /// Of this proot.
    pub(super) fn of(tracer: u32) -> Self {
        Self { tracer }
    }

    /// The command: proot's first child, while it lives.
    pub(super) fn command(&self) -> Option<u32> {
        process::children(self.tracer).ok()?.into_iter().min()
    }

    /// Sends a signal to the command; to all that is left where the command is gone. proot itself heeds none.
    pub(super) fn signal_command(&self, signal: u8) {
        match self.command() {
            Some(command) => send(command, signal),
            None => self.each(signal),
        }
    }

    /// Whether the command has taken proot's place in its first child: before that a signal would not reach it.
    pub(super) fn is_executed(&self) -> bool {
        let program = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        match self.command() {
            Some(command) => program(command) != program(self.tracer),
            // It has ended already, and left something behind; or it was not begun yet.
            None => !self.traced().is_empty(),
        }
    }

    /// Kills all but proot, which ends when nothing is left for it to trace, and says how. Killed first it would let them run on
    /// untraced.
    pub(super) fn kill(&self) {
        if is_held(self.tracer) {
            send(self.tracer, CONTINUE);
        }
        self.each(KILL);
    }

    /// Kills a proot that has nothing to trace and stays all the same.
    pub(super) fn kill_idle(&self) {
        if self.traced().is_empty() {
            send(self.tracer, KILL);
        }
    }

    /// Holds all still: proot first, so that none of them is let go by it.
    pub(super) fn hold(&self) {
        send(self.tracer, STOP);
        self.each(STOP);
    }

    /// Lets all go on.
    pub(super) fn let_go(&self) {
        send(self.tracer, CONTINUE);
        self.each(CONTINUE);
    }

    fn each(&self, signal: u8) {
        for pid in self.traced() {
            send(pid, signal);
        }
    }

    pub(super) fn traced(&self) -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| tracer_of(*pid) == Some(self.tracer))
            .collect()
    }
}

/// Whether a process is stopped by a signal.
pub(super) fn is_held(pid: u32) -> bool {
    process::stat(pid).is_ok_and(|stat| stat.state == 'T')
}

fn tracer_of(pid: u32) -> Option<u32> {
    let text = files::read_text(Path::new(&format!("/proc/{pid}/status")), 64 << 10).ok()?;
    text.lines().find_map(|line| line.strip_prefix("TracerPid:"))?.trim().parse().ok()
}

/// One that has ended meanwhile is no error.
fn send(pid: u32, signal: u8) {
    if let Err(error) = Pidfd::open(pid).and_then(|fd| fd.signal_numbered(signal)) {
        tracing::debug!(pid, signal, %error, "a process could not be signalled");
    }
}
