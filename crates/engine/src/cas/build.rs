//! Storing a folder of the host.

use crate::error::{Error, Result};
use crate::{Engine, Progress};
use std::path::Path;
use volt_model::kind::ErrorKind;
use volt_store::{Stored, TreeName};

/// A folder that was stored.
#[derive(Clone, Debug)]
pub struct Built {
    /// What it is called.
    pub name: TreeName,
    /// What was stored.
    pub stored: Stored,
}

impl Engine {
    /// Stores what is in a folder of the host under a name, that of the folder where none is given. It is on disk when this
    /// returns. A name that is taken passes to it.
    ///
    /// # Errors
    /// `Usage` for what is no folder and where the folder's name is none for a tree; `Resource` for a full disk.
    pub fn cas_build(
        &self,
        dir: &Path,
        name: Option<TreeName>,
        progress: &dyn Progress,
    ) -> Result<Built> {
        super::folder(dir)?;
        let name = match name {
            Some(name) => name,
            None => name_of(dir)?,
        };
        let wanted = || self.wanted_trees();
        let stored = self.cas().store(dir, &name, &wanted, progress)?;
        Ok(Built { name, stored })
    }
}

fn name_of(dir: &Path) -> Result<TreeName> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.parse().map_err(|error: volt_store::NoTreeName| {
        let message = format!("The folder {} has no name that a tree can have", dir.display());
        Error::new(ErrorKind::Usage, message)
            .about(&dir.display())
            .because(error)
            .hinted("Say how to call it: --ref NAME")
    })
}
