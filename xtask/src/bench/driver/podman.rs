//! Podman on the same root: installed from the packages that were copied into the host.

use std::fs;
use std::path::Path;

use super::clock::{command, run};
use super::tree;
use crate::run::{Context, Result, fail};

/// Where the packages are.
const PACKAGES: &str = "/root/podman";
/// The image, from the same tar as ours.
pub(super) const IMAGE: &str = "localhost/tiny";

/// What makes it as far apart from the host as ours is. A host without controllers has no limit of
/// processes to offer.
pub(super) const FLAGS: [&str; 6] =
    ["--network", "none", "--pids-limit", "0", "--uidmap", "0:1610612736:65536"];

/// Installs it and imports the image, if that was not done before.
pub(super) fn ready() -> Result<()> {
    if !Path::new(PACKAGES).exists() {
        return fail("podman's packages could not be fetched");
    }
    if !Path::new("/usr/bin/podman").exists() {
        // On a real disk: overlays can't be stacked on the host's root.
        let storage = format!("{}/podman", tree::PLACE);
        fs::create_dir_all(&storage).context(|| storage.clone())?;
        let text = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{storage}\"\nrunroot = \"/run/containers/storage\"\n"
        );
        crate::cache::write(Path::new("/etc/containers/storage.conf"), text)?;
        run(&["sh", "-c", "dpkg --install --force-confold /root/podman/*.deb"])?;
    }
    if !command(&["podman", "image", "exists", IMAGE]).succeeds() {
        run(&["podman", "import", "--quiet", "/srv/images/tiny.tar", IMAGE])?;
    }
    Ok(())
}
