//! Running a command in a running container.
//!
//! A helper process joins the container's cgroup and namespaces and executes the same static init that is PID 1 of an app
//! container, which confines the command just as it confines the first one; where that is run by proot, by proot anew. A relay of its own holds the command's terminal or
//! pipes and speaks frames; neither lives in the daemon.

use super::prepare::put_variable;
use super::start::refuse;
use crate::Engine;
use crate::error::{Error, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use volt_host::command::{Command, Stream};
use volt_host::{files, process};
use volt_model::caps::CapSet;
use volt_model::container::{Mode, Spec, unit};
use volt_model::initspec::{InitSpec, InitUser};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::seccomp::default_profile;
use volt_model::state::Verb;

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// The command and its arguments; a login shell where it is empty.
    pub command: Vec<String>,
    /// `NAME=VALUE`, over the container's.
    pub env: Vec<String>,
    /// Who runs it; the container's user where nothing is said.
    pub user: Option<String>,
    /// Where it starts.
    pub workdir: Option<String>,
    /// A terminal for it.
    pub tty: bool,
    /// Keep its standard input open.
    pub stdin: bool,
}

impl Engine {
    /// Runs a command in a running container. The stream speaks frames, the last of which tells the exit code.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that doesn't run or is frozen.
    pub fn container_exec(&self, name: &Name, exec: &Exec) -> Result<UnixStream> {
        let spec = self.spec(name)?;
        let backend = self.backend_of(&spec);
        refuse(name, backend.state(self, &spec)?.state, Verb::Exec)?;
        backend.exec(self, &spec, exec)
    }

    /// Runs a command by joining the namespaces of the container's first process.
    pub(super) fn exec_by_joining(&self, spec: &Spec, exec: &Exec) -> Result<UnixStream> {
        let Some(leader) = self.leader_identity(&spec.name) else {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The container {} has no process yet", spec.name),
            )
            .about(&spec.name));
        };
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::General, "A command can't be started")
                .about(&spec.name)
                .because(e)
        };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let text = self.rendered(spec, &self.exec_spec(spec, exec)?)?;
        let fd = files::memory_file("volt-exec-spec", &text)?;
        let programs = &self.settings().programs;
        let (traced, program) = match spec.backend.is_proot() {
            true => (Some("--traced"), unit::traced(spec, self.paths(), &programs.init)),
            false => (None, vec![programs.init.to_string_lossy().into_owned()]),
        };
        let command = Command::new(&programs.volt)
            .args(["internal", "relay", spec.name.as_str(), "--mode", "exec"])
            .args(["--join", &format!("{}:{}", leader.pid, leader.start)])
            .args(["--spec-fd", &std::os::fd::AsRawFd::as_raw_fd(&fd).to_string()])
            .args(exec.tty.then_some("--tty").into_iter().chain(traced).chain(["--"]))
            .args(program)
            .stdin(Stream::Fd(OwnedFd::from(theirs)))
            .stdout(Stream::Null)
            .stderr(Stream::Null)
            .inherit(fd)
            .outlives_parent();
        let mut child = command.spawn()?;
        // It outlives this process, but while this one lives it is the one to reap it.
        std::thread::spawn(move || drop(child.wait()));
        Ok(ours)
    }

    /// What init is told of a further command.
    pub(super) fn exec_spec(&self, spec: &Spec, exec: &Exec) -> Result<InitSpec> {
        let mut init = self.init_spec(spec)?;
        if spec.mode == Mode::Boot {
            // A booted container is a machine: who enters it is its root, as with `machinectl shell`.
            // It has what the machine's own PID 1 has left, and a filter that is no laxer.
            let leader = self.leader(&spec.name).and_then(|pid| process::status(pid).ok());
            init.caps = leader.map_or(0, |leader| leader.bounding);
            init.seccomp = default_profile(CapSet::all()).map_err(|e| {
                Error::new(ErrorKind::General, "The command can't be confined")
                    .about(&spec.name)
                    .because(e)
            })?;
            init.no_new_privs = false;
            init.user = InitUser::Ids { uid: 0, gid: 0, groups: Vec::new() };
            init.add_groups.clear();
        }
        if let Some(user) = &exec.user {
            init.user = InitUser::Named(user.clone());
        }
        if let Some(dir) = &exec.workdir {
            init.cwd.clone_from(dir);
        }
        init.tty = exec.tty;
        init.stdin = exec.stdin;
        for entry in &exec.env {
            if !put_variable(&mut init.env, entry) {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "An environment variable is written NAME=VALUE",
                ));
            }
        }
        init.args.clone_from(&exec.command);
        if init.args.is_empty() {
            // The shell of whoever enters, as a login shell; a plain one where the image has no bash.
            let shell = "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi";
            init.args = ["/bin/sh", "-c", shell].map(str::to_owned).to_vec();
        }
        Ok(init)
    }
}
