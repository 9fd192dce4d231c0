//! Whether what is to be mounted can be: asked before anything is made or started, because nspawn only says `Invalid argument`.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::Path;
use volt_host::mounts;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::mount::{Bind, Source};

impl Engine {
    /// Refuses files and folders of the host that aren't there, or that a container with ids of its own can't be given.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for what is Volt's own, `Dependency` for a file system without maps of ids.
    pub(crate) fn check_binds(&self, spec: &Spec) -> Result<()> {
        for bind in &spec.binds {
            if let Source::Host(path) = &bind.source {
                self.check_source(spec, path)?;
            }
        }
        Ok(())
    }

    /// Refuses what volumes with drivers can't do. Those that are not there yet are made without one.
    pub(super) fn check_mounted(&self, spec: &Spec) -> Result<()> {
        let mounted = self.mounted_volumes(&spec.binds);
        let Some(name) = mounted.keys().next() else { return Ok(()) };
        let title = format!("The volume {name} can't be mounted");
        if !spec.backend.is_systemds() {
            return Err(Error::new(ErrorKind::Dependency, title)
                .about(name)
                .because("its driver takes systemd, which doesn't run this container".to_owned()));
        }
        let is_part = |bind: &&Bind| matches!(&bind.source, Source::Part(name, _) if mounted.contains_key(name));
        match spec.binds.iter().find(is_part) {
            None => Ok(()),
            Some(bind) => {
                Err(Error::new(ErrorKind::Dependency, format!("{bind} can't be mounted"))
                    .about(name)
                    .because(
                        "only volumes without driver options can be mounted in parts".to_owned(),
                    ))
            }
        }
    }

    fn check_source(&self, spec: &Spec, path: &str) -> Result<()> {
        let real = std::fs::canonicalize(path).map_err(|e| missing(path, e))?;
        if real.starts_with(self.paths().containers()) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{path} can't be mounted: it belongs to a container"),
            )
            .about(&path)
            .hinted("Share a volume: -v NAME:/TARGET in both containers"));
        }
        if !self.backend_of(spec).maps_ids() || !crate::system::can::is_root() {
            return Ok(());
        }
        let refused = |why: String| {
            Error::new(ErrorKind::Dependency, format!("{path} can't be mounted: {why}"))
                .about(&path)
                .hinted("Use a volume (-v NAME:/TARGET), and copy what is needed into it")
        };
        // Where it can't be told, nspawn will tell.
        if !mounts::can_map_ids(&real).unwrap_or(true) {
            return Err(refused(
                "its file system (such as overlayfs) has no maps of ids, which containers need"
                    .into(),
            ));
        }
        let within = mounts::mounts_below(&real).unwrap_or_default();
        match within.iter().find(|entry| entry.mount_point != real) {
            None => Ok(()),
            Some(inner) => {
                Err(refused(format!("{} is mounted within it", inner.mount_point.display())))
            }
        }
    }
}

fn missing(path: &str, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Error::new(ErrorKind::NotFound, format!("There is no {path} on this host"))
            .about(&path)
            .hinted("Make it first, or name a volume in its place");
    }
    let path = Path::new(path);
    Error::new(ErrorKind::Permission, format!("{} can't be mounted", path.display()))
        .about(&path.display())
        .because(error)
}
