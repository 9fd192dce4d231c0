//! Removing from the host what `install` put there.

use super::install::{HEALTH, SCRUB, SOCKET};
use super::shipped;
use crate::Engine;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::systemd::Lifetime;
use volt_host::{files, mounts};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// Where systemd notes when it last started [`SCRUB`].
const STAMP: &str = "var/lib/systemd/timers/stamp-volt-scrub.timer";

/// How long the daemon may take to end.
const LIMIT: Duration = Duration::from_secs(60);

/// How to uninstall.
#[derive(Clone, Debug, Default)]
pub struct UninstallOptions {
    /// Remove containers, images, volumes, configuration and logs too.
    pub purge: bool,
    /// Only to say what would be removed.
    pub dry_run: bool,
    /// Further files by absolute path, those that were given to install.
    pub files: Vec<PathBuf>,
}

/// Removes a folder; one that is a mount point, as an administrator may have made it, is emptied.
fn remove_or_empty(dir: &Path) -> Result<()> {
    if !mounts::is_mount_point(dir).is_ok_and(|mounted| mounted) {
        return Ok(files::remove_tree(dir)?);
    }
    let entries = std::fs::read_dir(dir).map_err(|e| files::Error::new("read", dir, e))?;
    for entry in entries.flatten() {
        files::remove_tree(&entry.path())?;
    }
    Ok(())
}

impl Engine {
    /// Removes what [`Engine::system_install`] wrote. Says what was done. The group stays: files may belong to it.
    ///
    /// # Errors
    /// `Conflict`, naming them, while there are containers, unless `purge`; `Permission` for who isn't root.
    pub fn system_uninstall(&self, options: &UninstallOptions) -> Result<Vec<String>> {
        self.require_host()?;
        let names = self.container_names()?;
        let (services, tasks) = (self.service_names()?, self.task_names()?);
        let mut done = Vec::new();
        let plain: Vec<String> = services.iter().chain(&tasks).map(ToString::to_string).collect();
        if !options.purge && !plain.is_empty() {
            let title = format!("There are services and tasks: {}", plain.join(", "));
            return Err(Error::new(ErrorKind::Conflict, title)
                .hinted("Remove them first, or use --purge, which removes all that Volt keeps"));
        }
        if !options.purge && !names.is_empty() {
            let all = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::new(ErrorKind::Conflict, format!("There are containers: {all}"))
                .hinted("Remove them first, or use --purge, which removes all that Volt keeps"));
        }
        if options.dry_run {
            let plain = services.iter().map(|name| format!("would remove the service {name}"));
            let plain =
                plain.chain(tasks.iter().map(|name| format!("would remove the task {name}")));
            return Ok(plain.chain(self.would_remove(options, &names)).collect());
        }
        done.extend(self.package_stays());
        for name in &names {
            self.container_delete(name, true)?;
            done.push(format!("removed the container {name}"));
        }
        for name in &services {
            self.service_delete(name, true)?;
            done.push(format!("removed the service {name}"));
        }
        for name in &tasks {
            self.task_delete(name, true)?;
            done.push(format!("removed the task {name}"));
        }
        for stack in self.stack_names()? {
            self.remove_stack_units(&stack)?;
        }
        if self.can_use_systemd() {
            self.systemd().disable(&[SOCKET], Lifetime::Persistent)?;
            let ours = [
                "volt-scrub.service",
                "volt.service",
                "volt-health.service",
                "volt-dns.service",
                "volt-network.service",
                "volt-firewall.service",
            ];
            for unit in [SOCKET, SCRUB, HEALTH].into_iter().chain(ours) {
                self.systemd().stop(unit, LIMIT)?;
            }
        }
        self.networks_down()?;
        for path in self.installed_files(options) {
            files::remove_tree(&path)?;
            done.push(format!("removed {}", path.display()));
        }
        if self.can_use_systemd() {
            self.systemd().daemon_reload()?;
        }
        if options.purge {
            for dir in self.all_folders() {
                remove_or_empty(&dir)?;
                done.push(format!("removed {}", dir.display()));
            }
        }
        Ok(done)
    }

    fn would_remove(&self, options: &UninstallOptions, names: &[Name]) -> Vec<String> {
        let containers = names.iter().map(|name| format!("would remove the container {name}"));
        let folders = if options.purge { self.all_folders() } else { Vec::new() };
        let paths = self.installed_files(options).into_iter().chain(folders);
        let socket = self.can_use_systemd().then(|| format!("would stop and disable {SOCKET}"));
        let paths = paths.map(|path| format!("would remove {}", path.display()));
        containers.chain(socket).chain(paths).chain(self.package_stays()).collect()
    }

    /// Why nothing is removed of what a package put there.
    fn package_stays(&self) -> Option<String> {
        shipped::by_package(&self.host_root()).then(|| {
            "the units and programs stay: they are the package's, `apt remove volt` removes them"
                .to_owned()
        })
    }

    /// What `system_install` wrote, or systemd for it, and is still there.
    fn installed_files(&self, options: &UninstallOptions) -> Vec<PathBuf> {
        let root = self.host_root();
        let shipped =
            shipped::files(&root, &self.settings().programs.volt).into_iter().map(|(path, _)| path);
        let given =
            options.files.iter().map(|path| root.join(path.strip_prefix("/").unwrap_or(path)));
        let stamp = (!shipped::by_package(&root)).then(|| root.join(STAMP));
        shipped.chain(given).chain(stamp).filter(|path| path.is_file()).collect()
    }

    /// The folders that Volt keeps, those that are there.
    fn all_folders(&self) -> Vec<PathBuf> {
        let paths = self.paths();
        let all = [&paths.lib, &paths.cache, &paths.log, &paths.etc, &paths.run];
        all.into_iter().filter(|dir| dir.exists()).cloned().collect()
    }
}
