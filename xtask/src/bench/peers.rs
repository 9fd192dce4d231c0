//! The peers and what they need beyond the tree of a test host, as a folder of Debian packages: fetched
//! once by the machine's own apt, kept in the cache, installed in a host without a network.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{self, sources, tree};
use crate::packages;
use crate::run::{Context, Result, fail, program};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Peers that are installed together.
#[derive(Debug)]
pub(crate) struct Peers {
    /// What they are called in the cache, and their folder in the host's `/root`.
    pub(crate) name: &'static str,
    packages: &'static [&'static str],
}

/// What the suite's security updates and its next point release have in place of what is in the tree.
pub(crate) const UPDATES: Peers = Peers { name: "updates", packages: &[] };

/// What runs containers.
pub(crate) const PODMAN: Peers =
    Peers { name: "podman", packages: &["podman", "crun", "netavark"] };
/// What stores trees.
pub(crate) const STORES: Peers =
    Peers { name: "stores", packages: &["ostree", "casync", "restic", "borgbackup", "b3sum"] };

/// What takes images of others apart.
pub(crate) const IMAGES: Peers =
    Peers { name: "images", packages: &["podman", "crun", "netavark", "skopeo", "umoci"] };

/// What serves names, and what asks for them.
pub(crate) const NAMES: Peers =
    Peers { name: "names", packages: &["dnsperf", "dnsmasq-base", "unbound"] };

/// What connects podman's containers.
pub(crate) const NETAVARK: Peers = Peers { name: "netavark", packages: &["netavark"] };

/// What measures how much a network carries.
pub(crate) const TRAFFIC: Peers = Peers { name: "traffic", packages: &["iperf3"] };

impl Peers {
    /// The folder of packages for this suite.
    pub(crate) fn get(&self, suite: &str) -> Result<PathBuf> {
        let tree = tree::get(suite)?;
        let ingredients = format!("{} {}", self.packages.join(" "), tree.display());
        cache::get(&format!("{}-{suite}", self.name), &ingredients, |stage| {
            fetch(self.packages, suite, &tree, stage)
        })
    }
}

fn fetch(wanted: &[&str], suite: &str, tree: &Path, stage: &Path) -> Result<()> {
    packages::need(&[("apt-get", "apt"), (KEYRING, "debian-archive-keyring")])?;
    let Some(mirror) = sources::mirror() else {
        return fail("apt is set up with no Debian mirror (see sources.list(5))");
    };
    let list = stage.join("apt/sources.list");
    let mut lines = vec![format!("{mirror} {suite}")];
    if wanted.is_empty() {
        lines.push(format!("{mirror} {suite}-updates"));
        lines.extend(sources::security().map(|mirror| format!("{mirror} {suite}-security")));
    }
    let lines: String =
        lines.iter().map(|line| format!("deb [signed-by={KEYRING}] {line} main\n")).collect();
    cache::write(&list, lines)?;
    for folder in ["apt/state/lists/partial", "apt/cache/archives/partial"] {
        let path = stage.join(folder);
        fs::create_dir_all(&path).context(|| path.display().to_string())?;
    }
    // Apt works out what the tree lacks from the tree's own list of packages.
    let status = tree.join("var/lib/dpkg/status");
    let options = [
        ("Dir::Etc::sourcelist", list.as_path()),
        ("Dir::Etc::sourceparts", Path::new("-")),
        ("Dir::State", &stage.join("apt/state")),
        ("Dir::State::status", &status),
        ("Dir::Cache", &stage.join("apt/cache")),
    ];
    let options: Vec<String> = options
        .iter()
        .flat_map(|(key, path)| ["--option".to_owned(), format!("{key}={}", path.display())])
        .collect();
    let apt = || program("apt-get").arg("--quiet").args(&options);
    apt().arg("update").read()?;
    let what = if wanted.is_empty() { "dist-upgrade" } else { "install" };
    apt()
        .args([what, "--download-only", "--yes", "--no-install-recommends"])
        .args(wanted)
        .read()?;
    let archives = stage.join("apt/cache/archives");
    for entry in fs::read_dir(&archives).context(|| archives.display().to_string())?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|kind| kind == "deb") {
            fs::rename(&path, stage.join(entry.file_name()))
                .context(|| path.display().to_string())?;
        }
    }
    cache::remove(&stage.join("apt"))
}
