//! Making a container what it was.
//!
//! A snapshot is a whole tree: the container is put on that, with nothing written to it, and nothing is copied. Record and writable
//! layer change one after the other, so an intent is written before; whoever comes next finishes it, `volt-prepare@NAME.service`
//! too, before anything is mounted.

use crate::Engine;
use crate::container::{View, refuse};
use crate::error::Result;
use crate::intent::Intent;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::Verb;

impl Engine {
    /// Makes a container what it was at a snapshot. What it has written since is lost; its volumes and settings stay as they are.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that runs, `Resource` for a full disk, with nothing changed.
    pub fn snapshot_restore(&self, container: &Name, name: &Name) -> Result<View> {
        let _lock = self.lock_name(container)?;
        let spec = self.spec(container)?;
        let snapshot = self.find_snapshot(container, name)?;
        refuse(container, self.settled_state(&spec)?, Verb::Restore)?;
        // systemd may start it at any time, without the name's lock: prepare waits for this one.
        let root = self.lock_root(container)?;
        refuse(container, self.run_state(&spec)?.state, Verb::Restore)?;
        self.release(container)?;
        let restored = Spec { tree: snapshot.tree.to_string(), ..spec.clone() };
        let fresh = self.fresh_layer(&restored)?;
        let tree = restored.tree.clone();
        self.intend(&Intent::Restore { name: container.clone(), tree })?;
        if let Err(error) = self.save_spec(&restored) {
            self.fulfil_for_good(container)?;
            return Err(error);
        }
        // From here on there is only the way ahead: where this fails, the next command goes it.
        fresh.publish()?;
        self.fulfil_for_good(container)?;
        drop(root);
        if spec.tree != restored.tree {
            // What the old tree had for itself, where nothing else needs it.
            self.collect_images();
        }
        self.container_inspect(container)
    }

    /// Finishes a restore that broke off. The root's lock must be held; nothing was mounted since, so nothing was written.
    pub(crate) fn finish_restore_begun(&self, name: &Name) -> Result<()> {
        let Some(tree) = self.restore_begun(name)? else { return Ok(()) };
        let spec = match self.spec(name) {
            Err(error) if error.kind == ErrorKind::NotFound => return self.fulfil(name),
            read => Spec { tree, ..read? },
        };
        let fresh = self.fresh_layer(&spec)?;
        self.save_spec(&spec)?;
        fresh.publish()?;
        self.fulfil_for_good(name)
    }
}
