//! The peers and what they need beyond the tree of a test host, as a folder of Debian packages: fetched
//! once by the machine's own apt, kept in the cache, installed in a host without a network.

use std::path::PathBuf;

use crate::cache::{self, debs, tree};
use crate::run::Result;

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
            debs::fetch(self.packages, suite, &tree, stage)
        })
    }
}
