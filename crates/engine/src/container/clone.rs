//! Making another container like one, or like one was at a snapshot. Nothing of its root is copied.

use super::View;
use super::create::volume_of;
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use jiff::Timestamp;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_store::{Digest, Work};

impl Engine {
    /// Makes a container `to` with the settings of `from`, and the root that it has, or had at a snapshot. Volumes that were made for
    /// `from` alone are made anew with what the root has there; the others are shared.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists` for a taken name, `Conflict` for a container on its way up or down, `Resource` for a full disk.
    pub fn container_clone(
        &self,
        from: &Name,
        to: &Name,
        snapshot: Option<&Name>,
        progress: &dyn Progress,
    ) -> Result<View> {
        if from == to {
            return Err(
                Error::new(ErrorKind::AlreadyExists, format!("The name {to} is taken")).about(to)
            );
        }
        let _locks = self.lock_names(from, to)?;
        let spec = self.spec(from)?;
        self.refuse_taken(to)?;
        if let Some(snapshot) = snapshot {
            let tree = self.find_snapshot(from, snapshot)?.tree;
            return self.clone_on(&spec, to, tree);
        }
        let reading = self.reading(&spec)?;
        let wanted = || self.wanted_trees();
        let work = Work { wanted: &wanted, progress };
        let made = self.cas().with_layer_stored(&reading.layer(), work, |tree| {
            self.clone_on(&spec, to, tree).map_err(Cloning::Engine)
        });
        made.map_err(|error| match error {
            Cloning::Engine(error) => error,
            Cloning::Store(error) => reading.explain(error),
        })
    }

    /// Makes the clone on a tree that is wanted by somebody until its record is written.
    fn clone_on(&self, from: &Spec, to: &Name, tree: Digest) -> Result<View> {
        let hostname = match from.hostname == from.name.as_str() {
            true => to.to_string(),
            false => from.hostname.clone(),
        };
        let mut spec = Spec {
            name: to.clone(),
            tree: tree.to_string(),
            hostname,
            ids: None,
            created: Timestamp::now(),
            ..from.clone()
        };
        // An address is one container's, of either kind.
        for attachment in &mut spec.networks {
            (attachment.ip, attachment.mac) = (None, None);
        }
        self.backend_of(&spec).check(self, &spec)?;
        let _networks = self.hold_networks(&spec.networks)?;
        let own = self.replace_image_volumes(&from.name, &mut spec)?;
        self.check_binds(&spec)?;
        // Held until the record says that they are in use: else one might be removed meanwhile.
        let _volumes = self.lock_volumes(spec.binds.iter().filter_map(volume_of))?;
        self.make_missing_volumes(&spec.binds, &own)?;
        let Some(environment) = self.environment(&from.name) else {
            let title = format!("The environment of the container {} can't be read", from.name);
            return Err(Error::new(ErrorKind::General, title).about(&from.name));
        };
        self.make_whole(&mut spec, &environment, (&own, None))?;
        self.view(&spec)
    }
}

/// Why a clone came to nothing.
enum Cloning {
    Engine(Error),
    Store(volt_store::Error),
}

impl From<volt_store::Error> for Cloning {
    fn from(error: volt_store::Error) -> Self {
        Self::Store(error)
    }
}
