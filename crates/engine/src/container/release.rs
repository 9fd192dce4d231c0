//! Taking away what a container needed while it ran. Called by `volt-prepare@NAME.service` when the container is down; may be
//! called again, and for what was only half there.

use super::prepare::{hold, is_held};
use crate::Engine;
use crate::error::Result;
use std::path::PathBuf;
use volt_host::{files, mounts, namespaces};
use volt_model::container::Spec;
use volt_model::name::Name;

/// The file by which a container that is to be removed when it ends is kept for another start. It names who keeps it.
const STAYS: &str = "stays";

/// Keeps such a container while this lives; where its process is killed, for no longer than that.
pub(super) struct Keep(PathBuf);

impl Drop for Keep {
    fn drop(&mut self) {
        if let Err(error) = files::remove_file(&self.0) {
            tracing::warn!(%error, "what kept a container remains");
        }
    }
}

impl Engine {
    /// Unmounts the root, removes the connections to networks, the network namespace and the run folder; and the container itself where that was asked for.
    ///
    /// # Errors
    /// With the first thing that could not be taken away; the others are taken away all the same.
    pub fn release(&self, name: &Name) -> Result<()> {
        let root = self.paths().container(name).join("rootfs");
        if self.is_released(name) {
            return self.unmount(&root).and_then(|()| self.remove_if_asked(name));
        }
        let steps: [Result<()>; 4] = [
            self.unmount(&root),
            self.plug_out(name),
            namespaces::remove(&self.paths().container_netns(name)).map(drop).map_err(Into::into),
            // Parts of volumes are mounted in it.
            self.unmount(&self.paths().container_run(name))
                .and_then(|()| Ok(files::remove_tree(&self.paths().container_run(name))?)),
        ];
        let first = steps.into_iter().find_map(Result::err);
        match first {
            Some(error) => {
                // By its folder whoever releases it again knows that not all is away.
                drop(files::create_dirs(&self.paths().container_run(name), 0o755));
                Err(error.about(name))
            }
            None => self.remove_if_asked(name),
        }
    }

    /// Whether all but the root, which others mount too, is away: the run folder is the last to go.
    pub(crate) fn is_released(&self, name: &Name) -> bool {
        let paths = self.paths();
        let left = [paths.container_run(name), paths.container_netns(name)];
        left.iter().all(|path| path.symlink_metadata().is_err()) && !self.has_attached(name)
    }

    /// Keeps a container that is to be removed when it ends, because it is started again.
    pub(super) fn keep(&self, spec: &Spec) -> Result<Option<Keep>> {
        if !spec.auto_remove {
            return Ok(None);
        }
        let path = self.paths().container(&spec.name).join(STAYS);
        hold(&path)?;
        Ok(Some(Keep(path)))
    }

    pub(super) fn unmount(&self, root: &std::path::Path) -> Result<()> {
        mounts::unmount_all(root, mounts::Unmount::Lazy)
            .map(drop)
            .map_err(|e| host_error("A container's root can't be unmounted", e))
    }

    /// `--rm`: the container goes when its run has ended. No lock is taken: whoever stops it holds the name's lock and waits for
    /// this; and removing what another command removes at the same time harms neither.
    fn remove_if_asked(&self, name: &Name) -> Result<()> {
        let Ok(spec) = self.spec(name) else { return Ok(()) };
        if !spec.auto_remove || self.last_exit(name).is_none() {
            return Ok(());
        }
        if self.is_started_again(name) {
            return Ok(());
        }
        // Where whoever wanted to start it again is killed meanwhile, `system check` finds it.
        if is_held(&self.paths().container(name).join(STAYS)) {
            return Ok(());
        }
        // The folder last: until it is gone nobody else can have the name, and so the ids that go with it.
        self.release_ids(name)?;
        if !spec.networks.is_empty() {
            self.give_addresses_back(name)?;
        }
        self.remove_units(name)?;
        self.forget_layer(name);
        files::remove_tree(&self.paths().container(name))?;
        self.remove_image_volumes(&spec);
        Ok(())
    }

    /// Whether systemd has been asked to start it after it has ended (`systemctl restart`).
    fn is_started_again(&self, name: &Name) -> bool {
        let listed = self
            .can_use_systemd_to_look()
            .then(|| self.systemd().list_units(&[&volt_model::container::unit::name(name)]).ok());
        let jobs = listed.flatten().into_iter().flatten().filter_map(|unit| unit.job);
        jobs.into_iter().any(|job| job != "stop")
    }
}

fn host_error(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> crate::Error {
    crate::Error::new(volt_model::kind::ErrorKind::General, what).because(error)
}
