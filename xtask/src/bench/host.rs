//! The test host of a bench: up with the release build, this program in it, down again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::Options;
use super::samples::Samples;
use crate::cache::SUITES;
use crate::host::state::{self, Kind, State};
use crate::host::up::{self, Wanted};
use crate::host::{self, copy, exec};
use crate::install;
use crate::run::{Context, Result, fail, program};

/// The host of all benches: they do not share the machine with each other. That of a run of the tests is its own.
fn name() -> String {
    state::own("bench")
}

/// Where this program is in the host.
const DRIVER: &str = "/root/xtask";

/// A host that is up until dropped, unless it is to stay.
pub(crate) struct Host {
    state: State,
    keep: bool,
}

impl Host {
    /// Brings it up fresh.
    pub(crate) fn up(options: &Options) -> Result<Self> {
        let profile = options.profile.as_deref().unwrap_or("release");
        let build = match options.no_build {
            true => install::built(profile)?,
            false => install::build(profile)?,
        };
        host::down(&name())?;
        let wanted = Wanted {
            name: name(),
            suite: options.suite.clone().unwrap_or_else(|| SUITES[0].to_owned()),
            kind: Kind::Namespaces,
            volt: Some(build),
        };
        let host = Self { state: up::up(&wanted)?, keep: options.keep };
        let own = std::env::current_exe().context(|| "this program's path".into())?;
        host.copy(&own, DRIVER)?;
        Ok(host)
    }

    /// Copies a file or a folder of the machine into it.
    pub(crate) fn copy(&self, from: &Path, to: &str) -> Result<()> {
        copy::copy(&from.display().to_string(), &format!("{}:{to}", self.state.name))
    }

    /// The Debian it is.
    pub(crate) fn suite(&self) -> &str {
        &self.state.suite
    }

    /// What it is, in words.
    pub(crate) fn describe(&self) -> Result<String> {
        let text = exec::read(&self.state, &["systemctl", "--version"])?;
        let version = text.split_whitespace().nth(1).unwrap_or("?");
        Ok(format!("a {} test host in namespaces, systemd {version}", self.state.suite))
    }

    /// Runs a group of figures in it and returns what it measured.
    pub(crate) fn drive(&self, group: &str, pairs: usize) -> Result<Vec<Samples>> {
        let mut driver = program("/proc/self/exe").args(["host", "exec", &self.state.name, "--"]);
        driver = driver.args([DRIVER, "bench-driver", group, &pairs.to_string()]);
        driver.command().stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = driver.spawn()?;
        let mut all = Vec::new();
        for line in running.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
            let line = line.context(|| group.to_owned())?;
            all.push(serde_json::from_str(&line).context(|| format!("{group}: {line}"))?);
        }
        let status = running.wait().context(|| group.to_owned())?;
        if status.success() { Ok(all) } else { fail(format!("the bench of {group} failed")) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.keep
            && let Err(failure) = host::down(&name())
        {
            eprintln!("{failure}");
        }
    }
}
