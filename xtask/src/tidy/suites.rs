//! The end-to-end tests are one binary: a file that its `main.rs` does not name would never run.

use super::Finding;
use super::repository::Repository;
use crate::run::Result;

const FOLDER: &str = "tests/e2e/tests/suite/";
const MAIN: &str = "tests/e2e/tests/main.rs";

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let main = repository.text(MAIN).unwrap_or_default();
    let suites = repository.files.iter().filter(|path| path.starts_with(FOLDER));
    let forgotten = suites.filter(|path| {
        let rest = &path[FOLDER.len()..];
        let name = rest.split('/').next().unwrap_or(rest);
        let name = name.strip_suffix(".rs").unwrap_or(name);
        !main.lines().any(|line| line.trim() == format!("mod {name};"))
    });
    let finding =
        |path: &String| Finding::new(path, 1, format!("it never runs; name it in {MAIN}"));
    Ok(forgotten.map(finding).collect())
}
