//! What rustfmt and clippy say. Their own output says where and what.

use super::Finding;
use super::repository::Repository;
use crate::run::{Result, program};

pub(super) fn format(repository: &Repository) -> Result<Vec<Finding>> {
    let check = ["fmt", "--all", "--check", "--", "-l"];
    let mut program = program("cargo").args(check).dir(repository.path("")).quiet();
    let output = program.command().output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.map_err(|error| crate::run::Failure(format!("cargo fmt: {error}")))?;
    let files = text.lines().filter(|line| !line.is_empty());
    let root = repository.path("").display().to_string();
    let short = |file: &str| file.strip_prefix(&root).unwrap_or(file).to_owned();
    Ok(files
        .map(|file| Finding::new(short(file), 1, "not formatted; run 'cargo fmt --all'"))
        .collect())
}

pub(super) fn clippy(repository: &Repository) -> Result<Vec<Finding>> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let status = program("cargo").args(arguments).dir(repository.path("")).quiet().status()?;
    if status.success() {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new("Cargo.toml", 1, "clippy is not content, see above")])
}
