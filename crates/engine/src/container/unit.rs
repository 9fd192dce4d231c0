//! The files by which systemd knows a container: its drop-in, the link to it, and the link that starts it at boot.

use crate::Engine;
use crate::error::Result;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::files::{self, LockMode, Wait};
use volt_model::container::{Spec, unit};
use volt_model::name::Name;

/// How long reloads that others asked for are waited for.
const RELOAD_PATIENCE: Duration = Duration::from_secs(60);

impl Engine {
    /// The folder of a container's drop-ins.
    pub(crate) fn dropin_dir(&self, name: &Name) -> PathBuf {
        self.paths().units.join(format!("{}.d", unit::name(name)))
    }

    /// The link by which a container comes up at boot.
    pub(crate) fn boot_link(&self, name: &Name) -> PathBuf {
        self.paths().units.join("multi-user.target.wants").join(unit::name(name))
    }

    /// The link in `var/lib/volt/units` to a container's drop-in.
    pub(crate) fn unit_link(&self, name: &Name) -> PathBuf {
        self.paths().unit_links().join(unit::name(name))
    }

    /// What a container's drop-in is to say.
    pub(crate) fn rendered_dropin(&self, spec: &Spec) -> String {
        let programs = &self.settings().programs;
        let mounted = &self.mounted_volumes(&spec.binds);
        let context = unit::Context {
            paths: self.paths(),
            volt: &programs.volt,
            init: &programs.init,
            mounted,
        };
        unit::dropin(spec, &context)
    }

    /// Writes a container's drop-in and the link to it. Returns whether the drop-in changed.
    pub(crate) fn write_units(&self, spec: &Spec) -> Result<bool> {
        let dir = self.dropin_dir(&spec.name);
        let path = dir.join(unit::DROPIN);
        let text = self.rendered_dropin(spec);
        let changed = files::read_text(&path, 1 << 20).ok().as_deref() != Some(text.as_str());
        if changed {
            files::create_dirs(&dir, 0o755)?;
            files::write_atomic(&path, text.as_bytes(), 0o644)?;
        }
        files::create_dirs(&self.paths().unit_links(), 0o755)?;
        link(&path, &self.unit_link(&spec.name))?;
        Ok(changed)
    }

    /// What is wrong with what [`Engine::write_units`] wrote: where and what.
    pub(crate) fn unit_finding(&self, spec: &Spec) -> Option<(PathBuf, &'static str)> {
        let path = self.dropin_dir(&spec.name).join(unit::DROPIN);
        let link = self.unit_link(&spec.name);
        match files::read_text(&path, 1 << 20) {
            Ok(text) if text != self.rendered_dropin(spec) => {
                Some((path, "it isn't what this Volt would write"))
            }
            Ok(_) if link.symlink_metadata().is_err() => Some((link, "the link is missing")),
            Err(e) if e.is_not_found() => Some((path, "the container's unit is missing")),
            _ => None,
        }
    }

    /// Removes what [`Engine::write_units`] and [`Engine::start_at_boot`] wrote.
    pub(crate) fn remove_units(&self, name: &Name) -> Result<()> {
        self.start_at_boot(name, false)?;
        files::remove_file(&self.unit_link(name))?;
        Ok(files::remove_tree(&self.dropin_dir(name))?)
    }

    /// Has systemd read all unit files again. One at a time: systemd has room for the answer to one who asks.
    pub(crate) fn reload_units(&self) -> Result<()> {
        let wait = Wait::For(RELOAD_PATIENCE);
        let _lock = self.locks().lock("daemon-reload", LockMode::Exclusive, wait)?;
        Ok(self.systemd().daemon_reload()?)
    }

    /// Whether a container comes up at boot.
    pub(crate) fn starts_at_boot(&self, name: &Name) -> bool {
        self.boot_link(name).symlink_metadata().is_ok()
    }

    /// Makes or removes the link by which a container comes up at boot. systemd reads it at the next boot, so no reload is due.
    pub(crate) fn start_at_boot(&self, name: &Name, on: bool) -> Result<()> {
        let path = self.boot_link(name);
        if !on {
            files::remove_file(&path)?;
            return Ok(());
        }
        if let Some(dir) = path.parent() {
            files::create_dirs(dir, 0o755)?;
        }
        link(&self.template("volt-container@.service"), &path)
    }

    /// Where a shipped template lies.
    pub(crate) fn template(&self, file: &str) -> PathBuf {
        let own = self.paths().units.join(file);
        if own.exists() { own } else { Path::new("/usr/lib/systemd/system").join(file) }
    }
}

/// Makes a link, in the place of another one.
pub(crate) fn link(target: &Path, path: &Path) -> Result<()> {
    match symlink(target, path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            if std::fs::read_link(path).ok().as_deref() == Some(target) {
                return Ok(());
            }
            files::remove_file(path)?;
            symlink(target, path).map_err(|e| files::Error::new("link", path, e).into())
        }
        Err(e) => Err(files::Error::new("link", path, e).into()),
    }
}
