//! `cargo xtask docs`: the documents that Volt makes of itself: man pages, completions, the command reference and the OpenAPI
//! description. All land in `target/docs`; the last two are committed in `docs/` as well.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::paths;
use crate::run::{Context, Outcome, Result, fail, program};

/// What is committed, by its name in `docs/`.
pub(crate) const COMMITTED: [&str; 2] = ["commands.md", "openapi.json"];

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    if !words.is_empty() {
        return fail("usage: cargo xtask docs");
    }
    let made = make()?;
    for name in COMMITTED {
        let to = paths::root().join("docs").join(name);
        fs::copy(made.join(name), &to).context(|| to.display().to_string())?;
        println!("{}", to.display());
    }
    println!("{}", made.display());
    Ok(ExitCode::SUCCESS)
}

/// Makes all of them with a development build, and returns the folder: `man1/`, `completions/`, `commands.md`, `openapi.json`.
pub(crate) fn make() -> Result<PathBuf> {
    let build = ["build", "--quiet", "--package", "volt"];
    program("cargo").args(build).dir(paths::root()).quiet().run()?;
    let folder = paths::target().join("docs");
    crate::cache::remove(&folder)?;
    fs::create_dir_all(&folder).context(|| folder.display().to_string())?;
    let volt = paths::target().join("debug/volt");
    program(volt).args(["internal", "docs"]).arg(&folder).read()?;
    Ok(folder)
}
