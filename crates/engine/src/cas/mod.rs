//! The content-addressed store: a thin layer over it, which adds who stands on what.
//!
//! No lock is held here: the store keeps those who use it at the same time apart itself.

mod build;
mod cat;
mod dedup;
mod delete;
mod diff;
mod export;
mod gc;
mod list;
mod ls;
mod pull;
mod push;
mod status;
mod verify;

pub use build::Built;
pub use volt_store::{
    Change, Damage, Dedup, Difference, NamedTree, Neutralised, Pointer, PulledTree, PushedTree,
    Shared, Status, Swept, Touch, TreeEntry, TreeName, Verified,
};

use crate::Engine;
use crate::error::{Error, Result};
use std::path::Path;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_store::{Digest, Standing};

impl Engine {
    /// Which containers stand on which tree of the store, or are about to. Not knowing is an error: it must never be taken for nobody.
    pub(crate) fn standing(&self) -> Result<Standing> {
        let mut before = None;
        loop {
            // Before the records are looked at: an intent goes when the record is there.
            let creations = self.creations()?;
            let names = self.container_names()?;
            let (mut standing, mut missing) = (Standing::new(), Vec::new());
            for name in &names {
                match self.spec(name) {
                    Ok(spec) => standing.push((format!("container {name}"), tree_of(&spec)?)),
                    Err(error) if error.kind == ErrorKind::NotFound => missing.push(name.clone()),
                    Err(error) => return Err(error),
                }
            }
            // One that was renamed meanwhile is missing under its old name and was not looked for under the new one.
            let seen = Some((names, missing));
            if seen.as_ref().is_some_and(|(_, missing)| missing.is_empty()) || seen == before {
                for (name, tree) in creations {
                    standing.push((format!("container {name}"), digest_of(&name, &tree)?));
                }
                standing.sort_unstable();
                standing.dedup();
                return Ok(standing);
            }
            before = seen;
        }
    }

    /// The same, as the store asks for it.
    pub(crate) fn stands(&self) -> volt_store::Result<Standing> {
        self.standing().map_err(|error| {
            let why = error.chain().join(": ");
            let reason = format!("which trees containers use can't be told: {why}");
            volt_store::Error::Elsewhere { reason, kind: error.kind }
        })
    }

    /// The trees that containers stand on.
    pub(crate) fn wanted_trees(&self) -> volt_store::Result<Vec<volt_store::Digest>> {
        Ok(self.stands()?.into_iter().map(|(_, tree)| tree).collect())
    }
}

/// The tree that a container stands on.
fn tree_of(spec: &Spec) -> Result<Digest> {
    digest_of(&spec.name, &spec.tree)
}

fn digest_of(container: &Name, tree: &str) -> Result<Digest> {
    tree.parse().map_err(|error| {
        let message = format!("The record of {container} names no tree");
        Error::new(ErrorKind::General, message).about(container).because(error)
    })
}

/// Refuses what is no absolute path of a folder.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let shown = path.display();
    if !path.is_absolute() {
        return Err(Error::new(ErrorKind::Usage, format!("{shown} is no absolute path")));
    }
    match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Usage, format!("{shown} is no folder")).about(&shown)),
        Err(error) => {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Permission,
                _ => ErrorKind::General,
            };
            Err(Error::new(kind, format!("{shown} can't be read")).about(&shown).because(error))
        }
    }
}
