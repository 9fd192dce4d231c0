//! Copying files into and out of containers, running or not, as tar archives.
//!
//! Paths are resolved within the container's root, whatever links it has laid: nothing outside is ever read or written.

use crate::Engine;
use crate::error::{Error, Result};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use volt_host::mounts::{self, MountEntry};
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
        self.with_root(name, path, |spec, root| {
            copy::out(root, &within(path)?, id_base(spec), out).map_err(|e| explain(e, path))
        })
    }

    /// Unpacks a tar archive into a folder of a container.
    ///
    /// # Errors
    /// `NotFound` for the container or the folder, `InvalidConfig` for an archive that is refused.
    pub fn container_copy_in(&self, name: &Name, path: &str, archive: &mut dyn Read) -> Result<()> {
        self.with_root(name, path, |spec, root| {
            let base = (!self.is_rootless()).then(|| id_base(spec));
            copy::into(root, &within(path)?, base, archive).map_err(|e| explain(e, path))
        })
    }

    /// Calls `work` with the container's root, in which it is about `path`: that of its first process where it runs (so volumes are
    /// there too), else the root mounted for the while.
    pub(super) fn with_root<T>(
        &self,
        name: &Name,
        path: &str,
        work: impl FnOnce(&Spec, &Path) -> Result<T>,
    ) -> Result<T> {
        let spec = self.spec(name)?;
        let root = self.paths().container(name).join("rootfs");
        match self.run_state(&spec)?.pid {
            Some(_) if spec.backend.is_proot() => {
                refuse_mounted(&spec, path)?;
                return work(&spec, &root);
            }
            Some(pid) => return work(&spec, &self.root_of_running(&spec, pid, path)?),
            None => {}
        }
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        if !self.backend_of(&spec).has_layer() {
            return work(&spec, &root);
        }
        // One whose command has just ended is on its way down.
        if self.settled_state(&spec)?.is_alive() {
            let title = format!("The container {name} is starting");
            return Err(Error::new(ErrorKind::Conflict, title)
                .about(name)
                .hinted("Try again when it runs"));
        }
        // systemd may start it at any time, without our lock: prepare waits for this one.
        let _root = self.lock_root(name)?;
        let ahead = self.is_prepared_ahead(name);
        self.mount_root(&spec)?;
        let done = work(&spec, &root);
        // What was prepared for a start stays for it.
        let unmounted = if ahead { Ok(()) } else { self.unmount(&root) };
        let value = done?;
        unmounted?;
        Ok(value)
    }
}

impl Engine {
    /// The root of a container that runs. Whatever serves a FUSE file system in it could keep us waiting for ever: where there is
    /// one, we look at what the host has mounted, which is the same without the container's own mounts.
    fn root_of_running(&self, spec: &Spec, pid: u32, path: &str) -> Result<PathBuf> {
        let mounts = mounts::mounts_of(pid).map_err(|e| {
            Error::new(ErrorKind::General, "The container's mounts can't be looked at")
                .about(&spec.name)
                .because(e)
        })?;
        if !mounts.iter().any(is_served_by_a_process) {
            return Ok(PathBuf::from(format!("/proc/{pid}/root")));
        }
        match mount_over(Path::new(path), &mounts) {
            None => Ok(self.paths().container(&spec.name).join("rootfs")),
            Some(mount) => {
                let place = mount.mount_point.display();
                let title = format!(
                    "{path} can't be reached: it lies on {place}, and a FUSE file system is mounted in the container"
                );
                Err(Error::new(ErrorKind::Conflict, title).about(&spec.name).hinted(format!(
                    "Read it from inside: volt container exec {} cat {path}",
                    spec.name
                )))
            }
        }
    }
}

/// Refuses what is to be reached on a volume of a container that runs by proot: only its own processes see it there.
fn refuse_mounted(spec: &Spec, path: &str) -> Result<()> {
    let mut binds = spec.binds.iter();
    let Some(bind) = binds.find(|bind| Path::new(path).starts_with(&bind.target)) else {
        return Ok(());
    };
    let title = format!("{path} can't be reached: it lies on {}", bind.target);
    Err(Error::new(ErrorKind::Conflict, title)
        .about(&spec.name)
        .because("only what proot runs sees what is mounted there".to_owned())
        .hinted(format!("Read it from inside: volt container exec {} cat {path}", spec.name)))
}

fn is_served_by_a_process(mount: &MountEntry) -> bool {
    mount.fs_type == "fuse" || mount.fs_type == "fuseblk" || mount.fs_type.starts_with("fuse.")
}

/// The mount that a path lies on, where that is not the root.
fn mount_over<'a>(path: &Path, mounts: &'a [MountEntry]) -> Option<&'a MountEntry> {
    let above = |mount: &&MountEntry| {
        mount.mount_point != Path::new("/") && path.starts_with(&mount.mount_point)
    };
    mounts.iter().filter(above).max_by_key(|mount| mount.mount_point.as_os_str().len())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(fs_type: &str, mount_point: &str) -> MountEntry {
        let text = format!("36 35 0:1 / {mount_point} rw - {fs_type} x rw\n");
        volt_host::mounts::parse_mountinfo(text.as_bytes()).remove(0)
    }

    #[test]
    fn what_a_process_serves_is_told_apart() {
        for (fs_type, served) in [
            ("fuse", true),
            ("fuse.sshfs", true),
            ("fuseblk", true),
            ("fusectl", false),
            ("overlay", false),
            ("tmpfs", false),
        ] {
            assert_eq!(is_served_by_a_process(&mount(fs_type, "/x")), served, "{fs_type}");
        }
    }

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = [mount("overlay", "/"), mount("tmpfs", "/tmp"), mount("fuse", "/tmp/in")];
        let over = |path: &str| {
            mount_over(Path::new(path), &mounts).map(|m| m.mount_point.to_str().unwrap().to_owned())
        };
        assert_eq!(over("/etc/passwd"), None);
        assert_eq!(over("/tmpfile"), None);
        assert_eq!(over("/tmp/x").as_deref(), Some("/tmp"));
        assert_eq!(over("/tmp/in/x").as_deref(), Some("/tmp/in"));
    }
}
