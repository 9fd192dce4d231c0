//! The processes of a container: proot and all that it traces, whoever their parent is by now.

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

    /// Of the proot that traces this process.
    pub(super) fn around(pid: u32) -> Option<Self> {
        process::tracer_of(pid).map(Self::of)
    }

    /// Whether they are held still.
    pub(super) fn are_held(&self) -> bool {
        is_held(self.tracer)
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
        process::traced_by(self.tracer)
    }
}

/// Whether a process is stopped by a signal.
fn is_held(pid: u32) -> bool {
    process::stat(pid).is_ok_and(|stat| stat.state == 'T')
}

/// One that has ended meanwhile is no error.
pub(super) fn send(pid: u32, signal: u8) {
    if let Err(error) = Pidfd::open(pid).and_then(|fd| fd.signal_numbered(signal)) {
        tracing::debug!(pid, signal, %error, "a process could not be signalled");
    }
}
