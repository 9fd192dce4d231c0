//! Removing from the host what `install` put there.

use super::install::SOCKET;
use super::shipped;
use crate::Engine;
use crate::error::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;
use volt_host::files;
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::kind::ErrorKind;

/// How long the daemon may take to end.
const LIMIT: Duration = Duration::from_secs(60);

/// How to uninstall.
#[derive(Clone, Debug, Default)]
pub struct UninstallOptions {
    /// Remove containers, images, volumes, configuration and logs too.
    pub purge: bool,
    /// Further files by absolute path, those that were given to install.
    pub files: Vec<PathBuf>,
}

impl Engine {
    /// Removes what [`Engine::system_install`] wrote. Says what was done. The group stays: files may belong to it.
    ///
    /// # Errors
    /// `Conflict`, naming them, while there are containers, unless `purge`; `Permission` for who isn't root.
    pub fn system_uninstall(&self, options: &UninstallOptions) -> Result<Vec<String>> {
        self.require_host()?;
        let names = self.container_names()?;
        let mut done = Vec::new();
        if !options.purge && !names.is_empty() {
            let all = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::new(ErrorKind::Conflict, format!("There are containers: {all}"))
                .hinted("Remove them first, or use --purge, which removes all that Volt keeps"));
        }
        for name in &names {
            self.container_delete(name, true)?;
            done.push(format!("removed the container {name}"));
        }
        if self.can_use_systemd() {
            self.systemd().disable(&[SOCKET], Lifetime::Persistent)?;
            for unit in [SOCKET, "volt.service"] {
                match self.systemd().run_job(JobKind::Stop, unit, LIMIT) {
                    Ok(_) | Err(volt_host::systemd::Error::NoSuchUnit { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let root = self.host_root();
        let shipped =
            shipped::files(&root, &self.settings().programs.volt).into_iter().map(|(path, _)| path);
        let given =
            options.files.iter().map(|path| root.join(path.strip_prefix("/").unwrap_or(path)));
        for path in shipped.chain(given) {
            if path.is_file() {
                files::remove_tree(&path)?;
                done.push(format!("removed {}", path.display()));
            }
        }
        if self.can_use_systemd() {
            self.systemd().daemon_reload()?;
        }
        if options.purge {
            let paths = self.paths();
            for dir in [&paths.lib, &paths.cache, &paths.log, &paths.etc, &paths.run] {
                if dir.exists() {
                    files::remove_tree(dir)?;
                    done.push(format!("removed {}", dir.display()));
                }
            }
        }
        Ok(done)
    }
}
