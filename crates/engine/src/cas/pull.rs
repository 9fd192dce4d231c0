//! Fetching a tree from a registry.

use crate::error::{Error, Result};
use crate::{Engine, Progress};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::registry::Account;
use volt_store::{PulledTree, TreeName, TreePull};

impl Engine {
    /// Fetches a tree from a registry: only what is not here. It is called `name`, or where none is given as the last word of what it
    /// is called there. It is on disk when this returns; a name that is taken passes to it.
    ///
    /// # Errors
    /// `NotFound`; `Usage` for what is no tree of files; `InvalidConfig` for what is not what it should be; `Permission` and
    /// `Network` by what the registry says.
    pub fn cas_pull(
        &self,
        from: &ImageRef,
        name: Option<TreeName>,
        account: Option<(String, Account)>,
        progress: &dyn Progress,
    ) -> Result<(TreeName, PulledTree)> {
        let name = match name {
            Some(name) => name,
            None => name_of(from)?,
        };
        let repository = self.repository(from, account, progress)?;
        let pull = TreePull {
            shelf: &repository,
            name: &name,
            limit: self.config()?.image.max_size.0,
            cache: &self.paths().cache.join("lists"),
            wanted: &|| self.wanted_trees(),
        };
        let pulled = self.cas().pull_tree(pull, progress);
        let pulled = pulled.map_err(|error| Error::from(error).about(from))?;
        Ok((name, pulled))
    }
}

/// The last part of a name, with its tag unless that is `latest`.
fn name_of(from: &ImageRef) -> Result<TreeName> {
    let last = from.name().rsplit('/').next().unwrap_or_default();
    let text = match from.tag() {
        Some(tag) if tag != "latest" => format!("{last}:{tag}"),
        _ => last.to_owned(),
    };
    text.parse().map_err(|error: volt_store::NoTreeName| {
        Error::new(ErrorKind::Usage, format!("{from} has no name that a tree can have"))
            .about(from)
            .because(error)
            .hinted("Say how to call it: --ref NAME")
    })
}
