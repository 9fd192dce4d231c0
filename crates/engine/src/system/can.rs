//! What this process can use of the host. Fast: asked on the way of ordinary commands.

use crate::Engine;
use crate::container::backend;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use volt_host::command::SAFE_PATH;
use volt_model::container::Backend;

impl Engine {
    /// Whether containers can be units of the host's systemd: it is PID 1, we are root, and the state is the host's own.
    #[must_use]
    pub fn can_use_systemd(&self) -> bool {
        self.can_use_systemd_to_look() && is_root()
    }

    /// Whether the host's systemd can be asked about containers, which any user may.
    #[must_use]
    pub(crate) fn can_use_systemd_to_look(&self) -> bool {
        // Units are the host's: a state below another root must not touch them.
        !self.is_rootless() && self.paths().root.is_none() && is_booted()
    }

    /// The backends that work here.
    pub(super) fn usable_backends(&self) -> Vec<Backend> {
        Backend::ALL.into_iter().filter(|kind| backend::of(*kind).is_usable(self)).collect()
    }
}

/// Whether systemd is PID 1 (`sd_booted(3)`).
fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether we are root, as the owner of our own folder in `/proc` tells.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

/// Where a program is installed, of the places where Volt looks for programs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    SAFE_PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|path| path.is_file())
}
