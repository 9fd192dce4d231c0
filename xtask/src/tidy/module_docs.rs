//! Every Rust file begins by saying what it owns.

use super::Finding;
use super::repository::Repository;
use crate::run::Result;

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let bare = repository.texts(".rs").filter(|(_, text)| !text.trim_start().starts_with("//!"));
    let finding = |path| Finding::new(path, 1, "begin the file with //! and what it owns");
    Ok(bare.map(|(path, _)| finding(path)).collect())
}
