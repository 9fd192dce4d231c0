//! Copying files into and out of containers, running or not, as tar archives.
//!
//! Paths are resolved within the container's root, whatever links it has laid: nothing outside is ever read or written.

use crate::Engine;
use crate::error::{Error, Result};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_store::copy;

impl Engine {
    /// Writes a file or folder of a container as a tar archive, named by its last part.
    ///
    /// # Errors
    /// `NotFound` for the container or the path.
    pub fn container_copy_out(&self, name: &Name, path: &str, out: &mut dyn Write) -> Result<()> {
        self.with_root(name, |spec, root| {
            copy::out(root, &within(path)?, id_base(spec), out).map_err(|e| explain(e, path))
        })
    }

    /// Unpacks a tar archive into a folder of a container.
    ///
    /// # Errors
    /// `NotFound` for the container or the folder, `InvalidConfig` for an archive that is refused.
    pub fn container_copy_in(&self, name: &Name, path: &str, archive: &mut dyn Read) -> Result<()> {
        self.with_root(name, |spec, root| {
            let base = (!self.is_rootless()).then(|| id_base(spec));
            copy::into(root, &within(path)?, base, archive).map_err(|e| explain(e, path))
        })
    }

    /// Calls `work` with the container's root: that of its first process where it runs (so volumes are there too), else the root
    /// mounted for the while.
    pub(super) fn with_root<T>(
        &self,
        name: &Name,
        work: impl FnOnce(&Spec, &Path) -> Result<T>,
    ) -> Result<T> {
        let spec = self.spec(name)?;
        if let Some(pid) = self.run_state(&spec)?.pid.filter(|_| self.backend_of(&spec).maps_ids())
        {
            return work(&spec, &PathBuf::from(format!("/proc/{pid}/root")));
        }
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let root = self.paths().container(name).join("rootfs");
        if !self.backend_of(&spec).maps_ids() {
            return work(&spec, &root);
        }
        if self.run_state(&spec)?.state.is_alive() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The container {name} is starting or stopping"),
            )
            .about(name));
        }
        // systemd may start it at any time, without our lock: prepare waits for this one.
        let _root = self.lock_root(name)?;
        self.mount_root(&spec)?;
        let done = work(&spec, &root);
        let unmounted = self.unmount(&root);
        let value = done?;
        unmounted?;
        Ok(value)
    }
}

fn explain(error: volt_store::Error, path: &str) -> Error {
    match &error {
        volt_store::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("There is no {path} in the container"))
                .about(&path)
        }
        volt_store::Error::Io { source, .. }
            if source.kind() == std::io::ErrorKind::NotADirectory =>
        {
            Error::new(ErrorKind::Usage, format!("{path} is no folder of the container"))
                .about(&path)
        }
        volt_store::Error::Io { .. } => {
            let message = format!("{path} can't be copied");
            Error { message, ..Error::from(error) }.about(&path)
        }
        _ => Error::from(error).about(&path),
    }
}

/// The path as one below the root.
fn within(path: &str) -> Result<PathBuf> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(
            Error::new(ErrorKind::Usage, format!("`{path}` is not an absolute path")).about(&path)
        );
    }
    Ok(PathBuf::from(path.trim_start_matches('/')))
}

fn id_base(spec: &Spec) -> u32 {
    spec.ids.map_or(0, |ids| ids.base())
}
