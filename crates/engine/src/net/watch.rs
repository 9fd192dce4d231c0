//! Watching over what the kernel has of networks: what another program takes away is put back.

use crate::Engine;
use crate::error::{Error, Result};
use std::time::Duration;
use volt_host::netlink::{Netlink, Watch};
use volt_host::nft;
use volt_model::kind::ErrorKind;
use volt_model::net::ruleset::Family;

/// How long nothing must have happened before it is looked at, and how long that may be put off.
const QUIET: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(2);
/// How long at the most is waited before what could not be put back is tried again.
const LONGEST: Duration = Duration::from_secs(60);

impl Engine {
    /// Raises all networks that can be, calls `ready`, and puts back what is taken away from then on. Returns only with an error.
    ///
    /// # Errors
    /// When the kernel's news can't be had.
    pub fn watch_networks(&self, ready: &mut dyn FnMut()) -> Result<()> {
        // What happens while they are raised is news already.
        let watch = Watch::new()?;
        if let Err(error) = self.networks_up() {
            tracing::error!(error = %error.chain().join(": "), "not all networks could be raised");
        }
        ready();
        let (mut before, mut pause) = (Vec::new(), Duration::ZERO);
        loop {
            watch.wait(QUIET, MOST).map_err(|e| {
                Error::new(ErrorKind::General, "The kernel's network can't be watched").because(e)
            })?;
            // Whoever was killed before it could say that somebody has gone has left his port, or the news of its end.
            if let Err(error) = self.tell_names() {
                tracing::error!(error = %error.chain().join(": "), "names can't be told");
            }
            match self.lost_networks() {
                Ok(lost) if lost.is_empty() => (before, pause) = (lost, Duration::ZERO),
                Ok(lost) => {
                    // What can't be put back is tried ever more seldom: each try makes news of its own.
                    if lost == before {
                        pause = (pause * 2).clamp(QUIET, LONGEST);
                        std::thread::sleep(pause);
                    }
                    tracing::warn!(
                        lost = lost.join(", "),
                        "another program took away what networks need; it is put back"
                    );
                    if let Err(error) = self.networks_up() {
                        tracing::error!(error = %error.chain().join(": "), "it can't be put back");
                    }
                    before = lost;
                }
                Err(error) => {
                    tracing::error!(error = %error.chain().join(": "), "networks can't be looked at");
                }
            }
        }
    }

    /// What the kernel has no longer. Whoever removes a network is waited for.
    fn lost_networks(&self) -> Result<Vec<String>> {
        let _lock = self.lock_networks(volt_host::files::LockMode::Shared)?;
        let networks = self.networks()?;
        if networks.is_empty() {
            return Ok(Vec::new());
        }
        // A port is there before the file that tells of it.
        let attached = self.all_attached()?;
        let links = Netlink::open()?.links()?;
        let link = |name: &str| links.iter().find(|link| link.name == name && link.is_up);
        let mut lost = Vec::new();
        for network in &networks {
            let bridge = network.bridge();
            let Some(index) = link(&bridge).map(|link| link.index) else {
                lost.push(bridge);
                continue;
            };
            let members = attached.iter().flat_map(|one| &one.endpoints);
            let ports = members.filter(|endpoint| endpoint.network == network.name);
            let ports = ports.map(|endpoint| &endpoint.port);
            let gone = |port: &&String| link(port).is_none_or(|port| port.bridge != Some(index));
            lost.extend(ports.filter(gone).cloned());
        }
        for (family, name) in [(Family::Inet, "inet volt"), (Family::Bridge, "bridge volt")] {
            if !nft::has_table(family).unwrap_or(true) {
                lost.push(name.to_owned());
            }
        }
        Ok(lost)
    }
}
