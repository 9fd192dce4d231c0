//! Runs a command in a host: in its namespaces and its cgroup for one in namespaces, by its agent
//! for a VM. Standard streams and the exit code are passed through.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use super::cgroup;
use super::state::{Kind, State};
use crate::paths;
use crate::run::{Context, Failure, Program, Result, program};

/// The search path in a host.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The command and its arguments; at least one.
    pub(crate) words: Vec<String>,
    /// The user in the host; root where none is given.
    pub(crate) user: Option<String>,
}

impl Request {
    /// As root.
    pub(crate) fn root<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self { words: words.into_iter().map(Into::into).collect(), user: None }
    }

    /// The words that really run.
    pub(crate) fn command(&self) -> Vec<String> {
        let Some(user) = &self.user else { return self.words.clone() };
        // Not runuser: it would make a session, which a script that was not logged in lacks too.
        let home = "cd \"${HOME:-/}\" 2>/dev/null; exec \"$@\"";
        let mut words: Vec<String> = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
            .map(str::to_owned)
            .to_vec();
        words.extend(["--reset-env", "sh", "-c", home, "sh"].map(str::to_owned));
        words.extend(self.words.iter().cloned());
        words
    }
}

/// Becomes the command; returns only when that failed.
pub(crate) fn exec(state: &State, request: &Request) -> Failure {
    let mut entered = match prepared(state, request) {
        Ok(entered) => entered,
        Err(failure) => return failure,
    };
    if let Some(term) = paths::variable("TERM") {
        entered = entered.env("TERM", term);
    }
    entered.exec()
}

/// Runs the command without a word and returns its output; for our own use.
pub(crate) fn read(state: &State, words: &[&str]) -> Result<String> {
    read_within(state, words, Duration::from_secs(240))
}

/// The same of a command that says something at least that often, for hosts that may be on their way down or up.
pub(crate) fn read_within(state: &State, words: &[&str], silence: Duration) -> Result<String> {
    match state.kind {
        Kind::Namespaces => {
            let seconds = silence.as_secs().to_string();
            let begun = ["timeout", "--kill-after=1", &seconds];
            helper(state, &Request::root(begun.iter().chain(words).copied()))?.read()
        }
        Kind::Vm => crate::vm::client::read(state, &Request::root(words.iter().copied()), silence),
    }
}

/// A child of ours that does what [`exec`] does, since entering the cgroup is for good.
fn helper(state: &State, request: &Request) -> Result<Program> {
    let mut child = program("/proc/self/exe").args(["host", "exec", &state.name, "--"]);
    child = child.args(request.command());
    child.command().stdin(Stdio::null());
    Ok(child)
}

fn prepared(state: &State, request: &Request) -> Result<Program> {
    let Some(folder) = &state.cgroup else {
        return crate::run::fail(format!("host {} has no cgroup", state.name));
    };
    // A leaf of its own: a group with groups below it may hold no process. systemd leaves it alone.
    let own = folder.join("host/xtask-exec");
    // That folder alone: those above it are not there any more where the host is being taken away.
    match std::fs::create_dir(&own) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).context(|| own.display().to_string());
        }
        _ => {}
    }
    cgroup::enter(&own, 0)?;
    let pid = state.leader.pid.to_string();
    let spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
    let entered = program("nsenter").args(["--target", &pid]).args(spaces);
    let entered = entered.arg("--").args(request.command()).env_clear();
    Ok(entered.env("PATH", PATH).env("HOME", "/root").env("LANG", "C.UTF-8"))
}
