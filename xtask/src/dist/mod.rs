//! `cargo xtask dist`: the Debian package, with what a release build and the documents make. `--check` installs, uses, upgrades and
//! purges it in test hosts.

mod check;
mod package;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cache::SUITES;
use crate::run::{Outcome, Result, fail};
use crate::{install, packages};

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (test, profile) = match words.as_slice() {
        [] => (false, "release"),
        ["--check"] => (true, "release"),
        // Quicker to build; the package is the same but for the programs' speed and size.
        ["--check", "--profile", profile] => (true, *profile),
        _ => return fail("usage: cargo xtask dist [--check [--profile PROFILE]]"),
    };
    let file = build(profile)?;
    println!("{}", file.display());
    if test {
        for suite in SUITES {
            check::check(&file, suite)?;
        }
        println!("installed, used, upgraded and purged on {}", SUITES.join(" and "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds everything and packs it; the path of the package.
pub(crate) fn build(profile: &str) -> Result<PathBuf> {
    packages::need(&[("dpkg-deb", "dpkg"), ("gzip", "gzip"), ("git", "git")])?;
    let build = install::build(profile)?;
    package::pack(&build)
}
