//! Running debootstrap.
//!
//! It runs in mount and pid namespaces of its own: what it mounts in the tree and what it starts is gone with it,
//! however it or Volt ends, so that an abandoned stage can always be removed.

use super::{Plan, Verify};
use crate::error::{Error, Result};
use crate::progress::Progress;
use std::collections::VecDeque;
use std::path::Path;
use volt_host::command::{self, Command, Line};

/// How many of its last lines an error shows.
const LAST_LINES: usize = 8;
/// Where debootstrap keeps a script for each suite it knows.
const SCRIPTS: &str = "/usr/share/debootstrap/scripts";
/// Unpacks the packages and configures them; several minutes on a slow machine.
const PROGRAM: &str = "debootstrap";

/// Fills the empty folder `root`.
pub(super) fn run(plan: &Plan, root: &Path, progress: &dyn Progress) -> Result<()> {
    // Asked here, since `unshare` would be what fails otherwise.
    Command::new(PROGRAM).arg("--version").run()?;
    let mut last = VecDeque::new();
    let mut command = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--"])
        .arg(PROGRAM)
        .args(arguments(plan))
        .arg(&plan.suite)
        .arg(root)
        .new_session();
    // The optional arguments go by position.
    let script = script(&plan.suite);
    let mirror = plan.mirror.as_deref();
    if mirror.is_some() || script.is_some() {
        command = command.arg(mirror.unwrap_or(""));
    }
    if let Some(script) = script {
        command = command.arg(script);
    }
    if let Some(proxy) = &plan.proxy {
        command = command.env("http_proxy", proxy).env("https_proxy", proxy);
    }
    let ended = command.stream_while(&|| !progress.cancelled(), &mut |line| {
        let (Line::Out(bytes) | Line::Err(bytes)) = line;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        if let Some(step) = text.strip_prefix("I: ") {
            progress.step(step);
        }
        if !text.is_empty() {
            last.push_back(crate::error::printable(text.as_bytes()));
        }
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    });
    ended.map_err(|source| match source {
        command::Error::Cancelled { .. } => Error::Cancelled,
        command::Error::Failed { .. } => failed(plan, root, last.into(), source),
        other => other.into(),
    })
}

/// The error that says most: a full disk, else the complaints, else the last lines.
fn failed(plan: &Plan, root: &Path, last: Vec<String>, source: command::Error) -> Error {
    let mut lines: Vec<String> = last
        .iter()
        .filter(|line| line.starts_with("E: ") || line.starts_with("W: "))
        .cloned()
        .collect();
    if lines.is_empty() {
        lines = last;
    }
    // Why a package could not be unpacked or configured stands in the log, to which a warning points.
    let log = log_end(root);
    if lines.iter().any(|line| line.contains("debootstrap.log")) {
        lines.extend(log.clone());
    }
    let full = |line: &String| line.contains("No space left on device");
    if lines.iter().chain(&log).any(full) || no_space(root) {
        return Error::Full { path: root.to_owned(), needed: None, free: None };
    }
    Error::Debootstrap { suite: plan.suite.clone(), lines, source }
}

/// Whether hardly anything can be written any more: not every program it runs says why it failed.
fn no_space(root: &Path) -> bool {
    volt_host::files::free_space(root).is_ok_and(|space| space.available < 1 << 20)
}

fn arguments(plan: &Plan) -> Vec<String> {
    let mut arguments = Vec::new();
    if let Some(variant) = &plan.variant {
        arguments.push(format!("--variant={variant}"));
    }
    if !plan.include.is_empty() {
        arguments.push(format!("--include={}", plan.include.join(",")));
    }
    match &plan.verify {
        Verify::Default => {}
        Verify::Keyring(path) => arguments.push(format!("--keyring={}", path.display())),
        Verify::No => arguments.push("--no-check-gpg".into()),
    }
    arguments
}

/// The script to use where this debootstrap is older than the suite: all suites of today are made as sid is.
fn script(suite: &str) -> Option<String> {
    let known = Path::new(SCRIPTS).join(suite).exists();
    let sid = format!("{SCRIPTS}/sid");
    (!known && Path::new(&sid).exists()).then_some(sid)
}

/// The last lines of debootstrap's own log.
fn log_end(root: &Path) -> Vec<String> {
    let Ok(log) =
        volt_host::files::read_bounded(&root.join("debootstrap/debootstrap.log"), 16 << 20)
    else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines[from..].iter().map(|line| crate::error::printable(line.as_bytes())).collect()
}
