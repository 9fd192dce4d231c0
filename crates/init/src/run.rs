//! The order of things in both modes, and what is reported.
#![expect(unsafe_code, reason = "takes over descriptors that were inherited by number")]

use std::fs::File;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd};

use rustix::fs::{Mode as FileMode, OFlags};

use crate::control::Control;
use crate::spec::{self, Spec};
use crate::supervise::{self, Ending, Signals};
use crate::{Failure, child, confine, passwd, stdio};

/// Where PID 1 finds its spec.
const SPEC: &str = "/run/.volt/spec";
/// nspawn takes this exit code of PID 1 for a wish to reboot.
const REBOOT: u8 = 133;
/// What PID 1 needs once the command runs: to send signals to whoever it became.
const CAP_KILL: u64 = 1 << 5;

/// How init was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As PID 1 of a container.
    Init,
    /// As the last step of exec, in a container that has its PID 1.
    Exec {
        /// The descriptor to read the spec from; without one it lies where PID 1 finds its own.
        spec: Option<RawFd>,
    },
}

/// Does everything; returns the exit code.
#[must_use]
pub fn run(mode: Mode) -> u8 {
    let control = take_control();
    let mut control = Control::new(control);
    let code = match Signals::block() {
        Ok(signals) => prepare_and_supervise(mode, &signals, &mut control),
        Err(error) => Err(Failure::internal("cannot block signals", error)),
    };
    match code {
        Ok(ending) => {
            match ending {
                Ending::Exited(code) => control.send(&format!("exited {code}"), &[]),
                Ending::Signaled(number) => control.send(&format!("signaled {number}"), &[]),
            }
            match ending.code() {
                REBOOT if mode == Mode::Init => 1,
                code => code,
            }
        }
        Err(failure) => {
            supervise::reap_failed();
            control.send(&format!("failed {} {}", failure.code, failure.message), &[]);
            failure.code
        }
    }
}

fn prepare_and_supervise(
    mode: Mode,
    signals: &Signals,
    control: &mut Control,
) -> Result<Ending, Failure> {
    let mut spec = read_spec(mode)?;
    if !spec.traced {
        confine::not_dumpable();
    }
    spec.make_cwd = matches!(mode, Mode::Init);
    let account = passwd::resolve(&spec.user, &spec.add_groups)
        .map_err(|error| Failure::refused("cannot run", error))?;
    let stdio = stdio::make(&spec, &account, control)?;
    if spec.hold {
        supervise::hold(signals, control).map_err(|code| Failure {
            code,
            message: "ended before the command was executed".to_owned(),
        })?;
    }
    if spec.traced {
        supervise::adopt_orphans().map_err(|error| Failure::internal("subreaper", error))?;
    }
    let child = child::start(&spec, &account, stdio)?;
    control.send(&format!("started {}", child.as_raw_nonzero()), &[]);
    if !spec.traced {
        confine_self(&spec);
    }
    let ending = supervise::supervise(child, &spec, signals, control);
    if spec.traced {
        // No PID namespace ends with this process.
        supervise::end_orphans();
    }
    Ok(ending)
}

/// The command may reach init through ptrace's weaker relatives or a bug in it: init shall be worth no more than the
/// command. Best effort, as the command runs already and is confined.
fn confine_self(spec: &Spec) {
    drop(confine::bound_capabilities(CAP_KILL));
    drop(confine::limit_capabilities(CAP_KILL));
    drop(confine::no_new_privs());
    drop(confine::filter_calls(&spec.filters));
}

fn read_spec(mode: Mode) -> Result<Spec, Failure> {
    let file = match mode {
        Mode::Init | Mode::Exec { spec: None } => {
            File::open(SPEC).map_err(|error| Failure::internal(SPEC, error))?
        }
        // SAFETY: the caller hands this descriptor over by its number; nothing else in this process has it.
        Mode::Exec { spec: Some(spec) } => unsafe { File::from_raw_fd(spec) },
    };
    spec::read(file).map_err(|error| Failure::internal("the spec", error))
}

/// Moves the control socket away from descriptor 0 and puts `/dev/null` there, and at 1 and 2 where those are closed:
/// nothing that init opens may come to stand at a number that the command's own will be put at.
fn take_control() -> Option<OwnedFd> {
    let stdin = rustix::stdio::stdin();
    let socket = rustix::io::fcntl_dupfd_cloexec(stdin.as_fd(), 3).ok();
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, FileMode::empty());
    if let Ok(null) = null {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
    socket
}
