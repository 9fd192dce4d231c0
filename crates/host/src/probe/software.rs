//! What is installed and runs.

use super::{Check, systemd_is_init};
use crate::command::{Command, Error, SAFE_PATH, package_of};
use std::path::Path;
use std::time::Duration;

/// The oldest systemd that Volt knows.
const OLDEST_SYSTEMD: u32 = 252;

/// No check waits longer for a program.
const LIMIT: Duration = Duration::from_secs(5);

/// What mends it where another is PID 1.
const BOOTED: &str = "boot this machine with systemd as its init";

impl Check {
    /// The command that starts it, where there is a systemd to do so.
    fn started_by(self, command: &str) -> Self {
        if systemd_is_init() { self.mended_by(command) } else { self.mended_only(BOOTED) }
    }

    fn installed_again(self, package: &str) -> Self {
        self.mended_by(format!("apt install --reinstall {package}"))
    }
}

pub(super) fn systemd() -> Check {
    let check = Check::new("systemd", "systemd is the service manager");
    let version = match version_of("systemctl") {
        Ok(version) => version,
        Err(Error::Missing { .. }) => {
            return check.missing("systemd is not installed").installed_by("systemd");
        }
        Err(error) => return check.missing(error.to_string()).installed_again("systemd"),
    };
    let number = version.split(|c: char| !c.is_ascii_digit()).find_map(|n| n.parse::<u32>().ok());
    if !systemd_is_init() {
        let check = check.missing(format!("version {version} is installed, but it is not PID 1"));
        return check.mended_only(BOOTED);
    }
    if number.is_some_and(|number| number < OLDEST_SYSTEMD) {
        let check = check.limited(format!("version {version} is older than {OLDEST_SYSTEMD}"));
        return check.mended_only("upgrade to Debian 12 or newer");
    }
    check.ok(format!("version {version}"))
}

pub(super) fn dbus() -> Check {
    let check = Check::new("dbus", "the system bus");
    if Path::new("/run/dbus/system_bus_socket").exists() {
        return check.ok("listens");
    }
    if find("dbus-daemon").is_none() && find("dbus-broker").is_none() {
        return check.missing("dbus is not installed").installed_by("dbus");
    }
    let check = check.missing("/run/dbus/system_bus_socket does not exist");
    check.started_by("systemctl start dbus.socket")
}

pub(super) fn nspawn() -> Check {
    let check = Check::new("nspawn", "systemd-nspawn runs containers");
    match version_of("systemd-nspawn") {
        Ok(version) => check.ok(format!("version {version}")),
        Err(Error::Missing { .. }) => {
            check.missing("not installed").installed_by("systemd-container")
        }
        Err(error) => check.missing(error.to_string()).installed_again("systemd-container"),
    }
}

pub(super) fn machined() -> Check {
    let check = Check::new("machined", "machinectl lists containers");
    let file = "dbus-1/system-services/org.freedesktop.machine1.service";
    let installed =
        ["/usr/share", "/lib", "/usr/lib"].iter().any(|dir| Path::new(dir).join(file).exists());
    if installed {
        return check.ok("started when asked for");
    }
    check.missing("not installed").installed_by("systemd-container")
}

pub(super) fn journal() -> Check {
    let check = Check::new("journal", "the journal keeps output");
    if find("journalctl").is_none() {
        return check.missing("journalctl is not installed").installed_by("systemd");
    }
    if !Path::new(crate::journal::JOURNAL_SOCKET).exists() {
        let check = check.missing("systemd-journald does not listen");
        return check.started_by("systemctl start systemd-journald.socket");
    }
    if !Path::new("/var/log/journal").is_dir() {
        let remedy = "mkdir -p /var/log/journal && systemctl restart systemd-journald";
        return check.limited("kept in memory, lost at the next boot").mended_by(remedy);
    }
    check.ok("kept on disk")
}

/// A program that must only be there.
pub(super) fn program(name: &'static str, package: &str, purpose: &'static str) -> Check {
    let check = Check::new(name, purpose);
    match find(name) {
        Some(path) => check.ok(path),
        None => {
            let package = package_of(name).unwrap_or(package);
            check.missing(format!("{name} is not installed")).installed_by(package)
        }
    }
}

fn find(program: &str) -> Option<String> {
    let paths = SAFE_PATH.split(':').map(|dir| format!("{dir}/{program}"));
    paths.into_iter().find(|path| Path::new(path).exists())
}

/// The second word of the first line: `systemd 252 (252.39-1~deb12u2)`.
fn version_of(program: &str) -> Result<String, Error> {
    let output = Command::new(program).arg("--version").time_limit(LIMIT).output()?;
    let text = output.text();
    Ok(text.split_ascii_whitespace().nth(1).unwrap_or("unknown").to_owned())
}
