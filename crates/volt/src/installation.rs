//! Which installation of Volt this process is about, and where Volt's own programs are: the environment is read here.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use volt_daemon::installation::Installation;
use volt_engine::Programs;
use volt_model::paths::{Paths, Xdg};

/// Where the package puts init.
const INIT: &str = "/usr/lib/volt/volt-init";

/// The installation below `root`, or the system's.
pub(crate) fn below(root: Option<PathBuf>, config: Option<PathBuf>) -> Installation {
    let root = root.unwrap_or_else(|| PathBuf::from("/"));
    let root = std::path::absolute(&root).unwrap_or(root);
    let paths = Paths { config: config.map(absolute), ..Paths::below(&root) };
    Installation { paths, rootless: false, programs: programs() }
}

/// The caller's own installation, below their XDG folders.
pub(crate) fn of_user(config: Option<PathBuf>) -> Installation {
    let paths = Paths { config: config.map(absolute), ..Paths::of_user(&xdg()) };
    Installation { paths, rootless: true, programs: programs() }
}

/// That of the helpers of units and supervisors: `VOLT_ROOT`, else the system's for root and the user's own for others.
pub(crate) fn of_environment() -> Installation {
    let root = folder("VOLT_ROOT");
    let is_root = volt_host::peer::Peer::myself().is_ok_and(|me| me.uid == 0);
    if root.is_none() && !is_root { of_user(None) } else { below(root, None) }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// A variable that names a folder; empty is as if it were not there.
fn folder(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}

fn xdg() -> Xdg {
    let home = folder("HOME").unwrap_or_else(|| PathBuf::from("/"));
    // A relative path in one of these is to be ignored, as the specification says.
    let place = |name: &str, otherwise: &str| {
        folder(name).filter(|path| path.is_absolute()).unwrap_or_else(|| home.join(otherwise))
    };
    Xdg {
        config: place("XDG_CONFIG_HOME", ".config"),
        data: place("XDG_DATA_HOME", ".local/share"),
        state: place("XDG_STATE_HOME", ".local/state"),
        cache: place("XDG_CACHE_HOME", ".cache"),
        // Without a session there is no folder that ends with it; the state folder is at least the user's alone.
        runtime: place("XDG_RUNTIME_DIR", ".local/state/run"),
    }
}

fn programs() -> Programs {
    let volt = env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/bin/volt"));
    let init = init_beside(&volt).unwrap_or_else(|| PathBuf::from(INIT));
    Programs { volt, init }
}

/// Init as it lies beside the binary: in the `lib` of the same prefix, or in the same folder after a build.
fn init_beside(volt: &Path) -> Option<PathBuf> {
    let folder = volt.parent()?;
    let installed = folder.parent().map(|prefix| prefix.join("lib/volt/volt-init"));
    installed.into_iter().chain([folder.join("volt-init")]).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_the_configuration_file_may_be_another() {
        let here = below(Some("x".into()), Some("y.yaml".into())).paths;
        assert!(here.lib.is_absolute() && here.lib.ends_with("x/var/lib/volt"));
        assert!(here.config().is_absolute() && here.config().ends_with("y.yaml"));
        assert_eq!(below(None, None).paths.config(), Path::new("/etc/volt/config.yaml"));
    }

    #[test]
    fn init_is_found_in_the_same_prefix() {
        let dir = tempfile::tempdir().unwrap();
        let volt = dir.path().join("bin/volt");
        assert_eq!(init_beside(&volt), None);
        std::fs::create_dir_all(dir.path().join("lib/volt")).unwrap();
        let init = dir.path().join("lib/volt/volt-init");
        std::fs::write(&init, "").unwrap();
        assert_eq!(init_beside(&volt), Some(init));
    }
}
