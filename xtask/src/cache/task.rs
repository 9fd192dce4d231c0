//! `cargo xtask cache`: makes beforehand what hosts need, or throws it away.

use std::process::ExitCode;

use super::{SUITES, archive, images, packaged, tree};
use crate::paths;
use crate::run::{Context, Outcome, fail};

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["build"] => SUITES.iter().try_for_each(|suite| build(suite))?,
        ["build", suite] if SUITES.contains(suite) => build(suite)?,
        ["packaged", set] => {
            println!("{}\n{}", packaged::get(set)?.display(), packaged::packages(set)?.join("\n"));
        }
        ["clean"] => clean()?,
        _ => return fail("usage: cargo xtask cache [build [SUITE] | packaged SET | clean]"),
    }
    Ok(ExitCode::SUCCESS)
}

fn build(suite: &str) -> crate::run::Result<()> {
    tree::get(suite)?;
    images::get(suite)?;
    archive::get(suite).map(drop)
}

/// Removes all that can be made again, and keeps what belongs to hosts.
fn clean() -> crate::run::Result<()> {
    let cache = paths::cache();
    for entry in std::fs::read_dir(&cache).context(|| cache.display().to_string())?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with("hosts") {
            super::remove(&entry.path())?;
        }
    }
    Ok(())
}
