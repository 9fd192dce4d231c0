//! The unit files are as systemd wants them. `systemd-analyze verify` exits with 0 when it meets a key that it does not know, so
//! any line it prints is a finding.

use super::Finding;
use super::repository::Repository;
use crate::packages;
use crate::run::{Context, Result, program};

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    packages::need(&[("systemd-analyze", "systemd")])?;
    let kinds = [".service", ".socket", ".target", ".timer", ".slice", ".path", ".mount"];
    let is_unit = |path: &&String| {
        path.starts_with("systemd/") && kinds.iter().any(|kind| path.ends_with(kind))
    };
    let mut findings = Vec::new();
    for path in repository.files.iter().filter(is_unit) {
        let mut verify = program("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(repository.path(path));
        let output = verify.command().output().context(|| "systemd-analyze".to_owned())?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !expected(line)) {
            findings.push(Finding::new(path, 1, format!("systemd says: {line}")));
        }
    }
    Ok(findings)
}

/// Neither Volt nor what some of its units run is installed where it is built.
fn expected(line: &str) -> bool {
    ["/usr/bin/volt", "/usr/sbin/dnsmasq"].iter().any(|program| {
        line.ends_with(&format!("Command {program} is not executable: No such file or directory"))
    })
}
