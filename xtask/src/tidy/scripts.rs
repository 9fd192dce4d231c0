//! Shell is for a few lines; what is longer belongs in xtask, where it is checked and tested.

use super::Finding;
use super::repository::Repository;
use crate::run::Result;

const LIMIT: usize = 50;

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in &repository.files {
        let Some(text) = repository.text(path) else { continue };
        let first = text.lines().next().unwrap_or_default();
        let shell = first.starts_with("#!") && first.ends_with("sh") || path.ends_with(".sh");
        let lines = text.lines().count();
        if shell && lines > LIMIT {
            let text = format!("a script of {lines} lines, {LIMIT} at most; write it in xtask");
            findings.push(Finding::new(path, LIMIT, text));
        }
    }
    Ok(findings)
}
