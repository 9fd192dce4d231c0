//! Where things are: the repository, the build's output, the cache, the state of hosts.

use std::path::{Path, PathBuf};

/// A variable of xtask's environment, if set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "xtask's one place that reads the environment")]
    let value = std::env::var(name);
    value.ok().filter(|value| !value.is_empty())
}

/// The root of the repository this xtask was built from.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What takes long to make and can be made again: trees, mirrors, disks. `VOLT_XTASK_CACHE`, or a
/// place that all checkouts share, or the checkout's own where we are not root.
pub(crate) fn cache() -> PathBuf {
    if let Some(path) = variable("VOLT_XTASK_CACHE") {
        return PathBuf::from(path);
    }
    if is_root() { PathBuf::from("/var/cache/volt-xtask") } else { root().join(".cache") }
}

/// What sets the hosts of one checkout apart from those of another on the same machine: a hyphen
/// and `VOLT_XTASK_TAG`, or nothing.
pub(crate) fn tag() -> String {
    variable("VOLT_XTASK_TAG").map(|tag| format!("-{tag}")).unwrap_or_default()
}

/// What is known of running hosts and who uses them.
pub(crate) fn runtime() -> PathBuf {
    PathBuf::from(format!("/run/volt-xtask{}", tag()))
}
