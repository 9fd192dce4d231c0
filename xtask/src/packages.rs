//! The Debian packages of the machine that a task needs: installs what is missing, as root; else
//! prints the line to type.

use crate::paths;
use crate::run::{Result, fail, program};

/// A program that a task runs, and the package that brings it.
pub(crate) type Need = (&'static str, &'static str);

/// Makes sure that each program (or, where the name holds a slash, each file) is there.
///
/// Looks for the program before the package, so that one from elsewhere will do.
pub(crate) fn need(needs: &[Need]) -> Result<()> {
    bring(&missing(needs))?;
    // apt removes what conflicts, and that may be another of these: a version from backports, say.
    bring(&missing(needs))
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut missing: Vec<&str> =
        needs.iter().filter(|(file, _)| !present(file)).map(|(_, package)| *package).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn bring(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    if !paths::is_root() {
        return fail(format!("packages are missing; install them with\n\n    sudo {line}\n"));
    }
    install(missing).or_else(|_| {
        program("apt-get").args(["update", "--quiet"]).run()?;
        install(missing)
    })
}

fn install(packages: &[&str]) -> Result<()> {
    program("apt-get")
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

fn present(file: &str) -> bool {
    if file.contains('/') {
        return std::path::Path::new(file).exists();
    }
    let path = paths::variable("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin"]);
    folders.into_iter().any(|folder| std::path::Path::new(folder).join(file).exists())
}
