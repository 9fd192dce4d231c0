//! Which backend runs a container, and whether that confines it.

use super::backend;
use super::create::invalid;
use crate::Engine;
use crate::error::Result;
use volt_model::container::Backend;
use volt_model::name::Name;

impl Engine {
    /// Whether nothing would confine a container that is made with this backend, or with the one that is usual here.
    ///
    /// # Errors
    /// `InvalidConfig` for a wrong configuration.
    pub fn is_unconfined(&self, asked: Option<Backend>) -> Result<bool> {
        let configured = self.config()?.container.backend.clone();
        Ok(self.choose_backend(asked, &configured)?.is_proot())
    }

    /// Whether nothing confines a container. Of one that isn't there that is not known.
    #[must_use]
    pub fn container_is_unconfined(&self, name: &Name) -> bool {
        self.spec(name).is_ok_and(|spec| spec.backend.is_proot())
    }

    /// The backend that was asked for, that the configuration says, or that is meant for this host.
    pub(super) fn choose_backend(
        &self,
        asked: Option<Backend>,
        configured: &str,
    ) -> Result<Backend> {
        let chosen = match asked {
            Some(backend) => backend,
            None if !configured.is_empty() => {
                configured.parse().map_err(|e| invalid("container.backend", e))?
            }
            None => {
                let meant = Backend::ALL.into_iter().find(|kind| backend::of(*kind).is_meant(self));
                meant.expect("the last is meant for every host")
            }
        };
        match chosen {
            Backend::Proot if self.can_use_systemd() => Ok(Backend::ProotUnit),
            other => Ok(other),
        }
    }
}
