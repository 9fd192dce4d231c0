//! The changelog has a place for what is under way.

use super::Finding;
use super::repository::Repository;
use crate::run::Result;

const FILE: &str = "CHANGELOG.md";

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let text = repository.text(FILE).unwrap_or_default();
    if text.lines().any(|line| line.trim() == "## [Unreleased]") {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new(FILE, 1, "there is no section '## [Unreleased]'; add it at the top")])
}
