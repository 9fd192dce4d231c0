//! Sending a tree to a registry.

use crate::error::{Error, Result};
use crate::registry::{Repository, over};
use crate::{Engine, Progress};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::registry::{Account, Remote};
use volt_store::{Pointer, PushedTree, TreePush};

impl Engine {
    /// Sends a tree to a registry under a name: only what is in none of the trees of that repository. `account` is the caller's, and
    /// at which registry.
    ///
    /// # Errors
    /// `NotFound`; `Permission` and `Network` by what the registry says.
    pub fn cas_push(
        &self,
        tree: &Pointer,
        to: &ImageRef,
        account: Option<(String, Account)>,
        progress: &dyn Progress,
    ) -> Result<PushedTree> {
        if to.digest().is_some() {
            let message = "A tree can't be given a digest for its name in a registry";
            return Err(Error::new(ErrorKind::Usage, message).about(to));
        }
        let repository = self.repository(to, account, progress)?;
        let push = TreePush {
            tree,
            shelf: &repository,
            cache: &self.paths().cache.join("lists"),
            stages: &self.paths().stages(),
        };
        self.cas().push_tree(push, progress).map_err(|error| Error::from(error).about(to))
    }

    /// What a name means in a registry.
    pub(super) fn repository(
        &self,
        name: &ImageRef,
        account: Option<(String, Account)>,
        progress: &dyn Progress,
    ) -> Result<Repository> {
        let remote = Remote::of(name, &self.config()?.image.registry);
        let client = self.registry_client(account, over(progress));
        let client = client.map_err(|error| error.about(name))?;
        Ok(Repository { client, remote })
    }
}
