//! What `systemd-analyze` says of files and texts before systemd reads them. It changes nothing.

use crate::command::{Command, Error};
use std::path::Path;
use std::time::Duration;

/// How long it may think.
const LIMIT: Duration = Duration::from_secs(20);

/// Why systemd would not take something, in its own words.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// What it said.
    #[error("systemd says: {0}")]
    Refused(String),
    /// It could not be asked.
    #[error(transparent)]
    Command(#[from] Error),
}

/// Whether systemd takes this as an expression for `OnCalendar=`; an expression that never comes is refused too.
pub fn check_calendar(expression: &str) -> Result<(), AnalyzeError> {
    let output = Command::new("systemd-analyze")
        .args(["calendar", "--iterations=1", "--", expression])
        .time_limit(LIMIT)
        .output_any_status()?;
    let text = output.text();
    if !output.status.success() {
        return Err(AnalyzeError::Refused(output.stderr.trim().to_owned()));
    }
    let never = text.lines().any(|line| {
        line.trim()
            .split_once(':')
            .is_some_and(|(key, value)| key.trim() == "Next elapse" && value.trim() == "never")
    });
    if never {
        return Err(AnalyzeError::Refused(format!("{expression} never comes")));
    }
    Ok(())
}

/// What is wrong with a unit file, with the drop-ins beside it, a line each; nothing where systemd would take it as it is.
pub fn verify(file: &Path) -> Result<Vec<String>, AnalyzeError> {
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--generators=no", "--recursive-errors=no", "--"])
        .arg(file)
        .time_limit(LIMIT)
        .output_any_status()?;
    // It fails for a key that it would pass over too; what it says of other units is no matter.
    if output.status.success() {
        return Ok(Vec::new());
    }
    let folder = file.parent().map(|dir| format!("{}/", dir.display())).unwrap_or_default();
    let mut lines: Vec<String> =
        output.stderr.lines().map(|line| line.replace(&folder, "")).collect();
    lines.dedup();
    Ok(lines)
}

/// How exposed a service is by its unit file, from 0 to 10 (`systemd-analyze security`).
pub fn exposure(file: &Path) -> Result<f64, AnalyzeError> {
    let output = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=yes", "--"])
        .arg(file)
        .time_limit(LIMIT)
        .output_any_status()?;
    let text = output.text();
    let overall = text.lines().rev().find(|line| line.contains("Overall exposure level"));
    let score = overall
        .and_then(|line| line.rsplit_once(": "))
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    score.ok_or_else(|| AnalyzeError::Refused(output.stderr.trim().to_owned()))
}
