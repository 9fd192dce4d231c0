//! What this host can do, and the command that mends what is missing.
//!
//! Each check tries the thing itself where that leaves no trace, rather than believing a version number.

#![expect(unsafe_code, reason = "asking for the Landlock version has no safe wrapper")]

mod kernel;
mod software;
#[cfg(test)]
mod tests;

use std::path::Path;

/// How a detail says that there is no remedy to type.
const NO_COMMAND: &str = "no command mends that";

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There, and works.
    Ok,
    /// There, but less of it than Volt can use.
    Limited,
    /// Not there.
    Missing,
}

/// One thing that Volt can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A word for programs.
    pub id: &'static str,
    /// A few words for people.
    pub title: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found: a version, a number, a reason; where no command mends what is missing, that, and what does.
    pub detail: String,
    /// The command that mends it, where one can.
    pub remedy: Option<String>,
}

impl Check {
    fn new(id: &'static str, title: &'static str) -> Self {
        Self { id, title, state: State::Ok, detail: String::new(), remedy: None }
    }

    fn ok(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    fn limited(self, detail: impl Into<String>) -> Self {
        Self { state: State::Limited, detail: detail.into(), ..self }
    }

    fn missing(self, detail: impl Into<String>) -> Self {
        Self { state: State::Missing, detail: detail.into(), ..self }
    }

    fn mended_by(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// There is no such command, but this.
    fn mended_only(self, how: &str) -> Self {
        let detail = format!("{}; {NO_COMMAND}: {how}", self.detail);
        Self { detail, ..self }
    }

    fn installed_by(self, package: &str) -> Self {
        self.mended_by(format!("apt install {package}"))
    }
}

/// All checks, most important first. `state` is the folder whose file system is looked at; it need not exist yet.
pub fn all(state: &Path) -> Vec<Check> {
    vec![
        software::systemd(),
        software::dbus(),
        software::nspawn(),
        software::machined(),
        software::journal(),
        kernel::release(),
        kernel::cgroup(),
        kernel::overlay(),
        kernel::idmap(state),
        kernel::user_namespaces(),
        kernel::user_namespaces_for_all(),
        kernel::network_namespaces(),
        kernel::seccomp(),
        kernel::landlock(),
        kernel::kvm(),
        software::program("nft", "nftables", "firewall rules"),
        software::program("debootstrap", "debootstrap", "pulling Debian images"),
        software::program("proot", "proot", "containers without root"),
        kernel::disk(state),
    ]
}

/// Whether systemd is PID 1, of this host or of the container we are in.
pub fn systemd_is_init() -> bool {
    Path::new("/run/systemd/system").is_dir()
}
