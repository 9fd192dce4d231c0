//! Snapshots: what a workload was at a moment, to compare it with and to bring it back. So far those of containers.
//!
//! A snapshot belongs to its container: its name is one among the container's, it goes with the container, and follows it when
//! that is renamed. The lock of the container's name guards it.

mod create;
mod delete;
mod diff;
mod list;
mod restore;

pub use volt_store::{Change, Difference, Snapshot};

use crate::Engine;
use crate::error::{Error, Result};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

impl Engine {
    /// The snapshot of a container that has this name.
    pub(crate) fn find_snapshot(&self, container: &Name, name: &Name) -> Result<Snapshot> {
        if let Some(snapshot) = self.cas().find_snapshot(container, name)? {
            return Ok(snapshot);
        }
        // Whether it is the container that isn't there.
        drop(self.spec(container)?);
        let title = format!("The container {container} has no snapshot named {name}");
        Err(Error::new(ErrorKind::NotFound, title)
            .about(&format!("{container}/{name}"))
            .hinted(format!("`volt snapshot list {container}` lists those it has")))
    }
}
