//! Making a snapshot.

use super::Snapshot;
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use jiff::Timestamp;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_store::{NewSnapshot, Work};

impl Engine {
    /// Makes a snapshot of what a container has written; its volumes are no part of it. One that runs stands still while it is read.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists` for a taken name, `Conflict` for a container that is on its way up or down, or that removes
    /// itself; `Resource` for a full disk.
    pub fn snapshot_create(
        &self,
        container: &Name,
        name: Option<Name>,
        progress: &dyn Progress,
    ) -> Result<Snapshot> {
        let _lock = self.lock_name(container)?;
        let spec = self.spec(container)?;
        refuse_passing(&spec)?;
        let name = match name {
            Some(name) => name,
            None => self.free_snapshot_name(container)?,
        };
        if self.cas().find_snapshot(container, &name)?.is_some() {
            let title = format!("The container {container} has a snapshot named {name} already");
            return Err(Error::new(ErrorKind::AlreadyExists, title)
                .about(&format!("{container}/{name}"))
                .hinted(format!(
                    "Remove it with `volt snapshot delete {container} {name}`, or choose another name"
                )));
        }
        let reading = self.reading(&spec)?;
        let wanted = || self.wanted_trees();
        let work = Work { wanted: &wanted, progress };
        let new = NewSnapshot { container: container.clone(), name, image: spec.image.clone() };
        let made = self.cas().snapshot(new, &reading.layer(), work);
        made.map_err(|error| reading.explain(error))
    }

    /// A name that is free, made from the time: `2026-01-31-120000`, `2026-01-31-120000-2`, …
    fn free_snapshot_name(&self, container: &Name) -> Result<Name> {
        let taken = self.cas().snapshot_names(container)?;
        let stem = Timestamp::now().strftime("%Y-%m-%d-%H%M%S").to_string();
        (1..10_000)
            .map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") })
            .filter_map(|text| text.parse::<Name>().ok())
            .find(|name| !taken.contains(name))
            .ok_or_else(|| Error::new(ErrorKind::Resource, "No name is free").about(container))
    }
}

/// What removes itself when it ends has nothing to be brought back.
fn refuse_passing(spec: &Spec) -> Result<()> {
    if !spec.auto_remove {
        return Ok(());
    }
    let title = format!("The container {} goes when it ends, and a snapshot with it", spec.name);
    Err(Error::new(ErrorKind::Conflict, title).about(&spec.name).hinted(format!(
        "Make an image of it with `volt container commit {0} IMAGE`, or a container with `volt container clone {0} NEW`",
        spec.name
    )))
}
