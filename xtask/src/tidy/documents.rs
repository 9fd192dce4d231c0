//! The documents that are made from the program are those that were committed.

use super::Finding;
use super::repository::Repository;
use crate::docs;
use crate::run::Result;

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let made = docs::make()?;
    let stale = docs::COMMITTED.iter().filter(|name| {
        let fresh = std::fs::read_to_string(made.join(name)).unwrap_or_default();
        repository.text(&format!("docs/{name}")).as_deref() != Some(fresh.as_str())
    });
    let text = "not what the program says of itself now; run 'cargo xtask docs'";
    Ok(stale.map(|name| Finding::new(format!("docs/{name}"), 1, text)).collect())
}
