//! Installing what Volt needs on a host that has it not from a package.

use super::shipped;
use crate::Engine;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::command::Command;
use volt_host::files;
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::kind::ErrorKind;

/// The unit by which the daemon is reached.
pub(super) const SOCKET: &str = "volt.socket";
/// The unit by which the store is read now and then.
pub(super) const SCRUB: &str = "volt-scrub.timer";
/// The unit by which checks that are written by hand are heeded.
pub(super) const HEALTH: &str = "volt-health.path";
/// How long systemd's own tools may take.
const LIMIT: Duration = Duration::from_secs(30);
/// What else may give interfaces addresses.
const NETWORKD: &str = "systemd-networkd.service";

/// How to install.
#[derive(Clone, Debug, Default)]
pub struct InstallOptions {
    /// Not to enable and start `volt.socket`.
    pub leave_stopped: bool,
    /// Only to say what would be written.
    pub dry_run: bool,
    /// Further files by absolute path, such as completions and man pages, which the command line makes.
    pub files: Vec<(PathBuf, String)>,
}

impl Engine {
    /// Writes units, the group and the folders of Volt, and starts its socket. May be called again. Says what was done.
    ///
    /// # Errors
    /// `Permission` for who isn't root.
    pub fn system_install(&self, options: &InstallOptions) -> Result<Vec<String>> {
        self.require_host()?;
        let root = self.host_root();
        let mut done = Vec::new();
        let mut all: Vec<(PathBuf, String)> = Vec::new();
        if shipped::by_package(&root) {
            done.push("units, group and folders are those of the package".to_owned());
        } else {
            all.extend(shipped::files(&root, &self.settings().programs.volt));
        }
        let below = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        all.extend(options.files.iter().map(|(path, text)| (below(path), text.clone())));
        for (path, text) in all {
            if files::read_text(&path, 4 << 20).ok().as_deref() != Some(text.as_str()) {
                if options.dry_run {
                    done.push(format!("would write {}", path.display()));
                    continue;
                }
                if let Some(dir) = path.parent() {
                    files::create_dirs(dir, 0o755)?;
                }
                files::write_atomic(&path, text.as_bytes(), 0o644)?;
                done.push(format!("wrote {}", path.display()));
            }
        }
        if options.dry_run && self.can_use_systemd() {
            done.push(format!("would make the group {} and Volt's folders", crate::GROUP));
            if !options.leave_stopped {
                done.push(format!("would enable and start {SOCKET}"));
            }
        }
        if self.can_use_systemd() && !options.dry_run {
            done.extend(self.set_up_systemd(options)?);
        }
        Ok(done)
    }

    fn set_up_systemd(&self, options: &InstallOptions) -> Result<Vec<String>> {
        Command::new("systemd-sysusers").time_limit(LIMIT).run()?;
        Command::new("systemd-tmpfiles")
            .args(["--create", "--prefix=/run/volt", "--prefix=/var"])
            .time_limit(LIMIT)
            .run()?;
        self.systemd().daemon_reload()?;
        // Where it runs, it is to leave Volt's interfaces alone.
        if self.systemd().unit_status(NETWORKD)?.active.is_up()
            && let Err(error) = Command::new("networkctl").arg("reload").time_limit(LIMIT).run()
        {
            tracing::warn!(%error, "systemd-networkd can't be told to leave Volt's interfaces alone");
        }
        let mut done = vec![format!("made the group {} and Volt's folders", crate::GROUP)];
        if !options.leave_stopped {
            self.systemd().enable(&[SOCKET], Lifetime::Persistent)?;
            for unit in [SOCKET, SCRUB, HEALTH] {
                drop(self.systemd().run_job(JobKind::Start, unit, LIMIT)?);
            }
            done.push(format!("enabled and started {SOCKET}"));
        }
        Ok(done)
    }

    /// Installing is for root alone: what it writes is the host's.
    pub(super) fn require_host(&self) -> Result<()> {
        if self.is_rootless() {
            return Err(Error::new(
                ErrorKind::Permission,
                "Only root can install Volt on this host, or remove it",
            )
            .hinted("Run it with sudo"));
        }
        Ok(())
    }

    /// The root of the host's files.
    pub(super) fn host_root(&self) -> PathBuf {
        self.paths().root.clone().unwrap_or_else(|| "/".into())
    }
}
