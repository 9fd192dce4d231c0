//! Raising a network on the host: forwarding, the bridge, the firewall. Done again it changes nothing.

use super::plug::{Role, limit};
use crate::Engine;
use crate::error::{Error, Result};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::path::Path;
use std::sync::Once;
use volt_host::files::{self, LockMode};
use volt_host::namespaces::NetNs;
use volt_host::netlink::{Bridge, Link, Netlink};
use volt_host::nft;
use volt_model::kind::ErrorKind;
use volt_model::net::{Network, bridge_mac, gate, ruleset};

/// What a bridge says of itself that Volt has made.
pub(super) const BRIDGE_ALIAS: &str = "volt: bridge";
const FORWARD_IPV4: &str = "/proc/sys/net/ipv4/ip_forward";
const FORWARD_IPV6: &str = "/proc/sys/net/ipv6/conf/all/forwarding";
const IPV6_INTERFACES: &str = "/proc/sys/net/ipv6/conf";

impl Engine {
    /// Makes the kernel have of all networks what it is to have: the bridges, the firewall, and the ports of whoever is connected.
    ///
    /// # Errors
    /// With the first thing that can't be made; the others are all the same.
    pub fn networks_up(&self) -> Result<()> {
        // Whoever removes one is waited for: its bridge must not come back.
        let _lock = self.lock_networks(LockMode::Shared)?;
        // Before anybody is reached.
        let mut outcome = self.apply_firewall();
        for bridge in self.bare_bridges()? {
            outcome = outcome.and(self.raise_bare(&bridge));
        }
        for network in self.networks()? {
            if network.ipv6.is_none() {
                self.tell_of_missing_ipv6(&network);
            }
            let raised = self.raise_bridge(&network).and_then(|()| self.serve_addresses(&network));
            outcome = outcome.and(raised.and_then(|()| self.plug_in_again(&network)));
        }
        for tap in self.taps()? {
            // Whoever removes one is waited for too.
            let _name = self.hold_name(&tap.name)?;
            if self.is_tap(&tap.name) {
                outcome = outcome.and(self.raise_tap(&tap));
            }
        }
        // Whoever removed the last one may have been killed before it could say so.
        outcome.and(self.tell_names())
    }

    /// Says once that a network which was asked for with IPv6 goes on without, because the host has none.
    fn tell_of_missing_ipv6(&self, network: &Network) {
        static TOLD: Once = Once::new();
        if self.network_record(&network.name).is_ok_and(|record| record.ipv6.is_some()) {
            TOLD.call_once(|| {
                tracing::warn!(network = %network.name, "this host has no IPv6: its networks go on without");
            });
        }
    }

    /// Takes all bridges and the firewall away; what networks there are stays written down.
    ///
    /// # Errors
    /// With the first thing that can't be taken away; the others are all the same.
    pub fn networks_down(&self) -> Result<()> {
        let bare = self.bare_bridges()?;
        if self.network_names()?.is_empty() && bare.is_empty() && !self.wants_firewall()? {
            return Ok(());
        }
        let mut netlink = Netlink::open()?;
        let mut outcome = Ok(());
        for bridge in bare {
            outcome = outcome.and(self.remove_bridge(bridge.name.as_str()));
        }
        for tap in self.taps()? {
            outcome = outcome.and(self.plug_out(&tap.name));
        }
        for network in self.networks()? {
            self.serve_addresses_no_more(&network);
            outcome = outcome.and(self.remove_bridge(&network.bridge()));
        }
        let _lock = self.lock_firewall()?;
        let gone = netlink.remove_gate(gate::INTO, gate::OUT_OF).map_err(Error::from);
        outcome.and(nft::apply(&ruleset::nothing()).map_err(Error::from)).and(gone)
    }

    /// Plugs in again whoever is connected to a network and has lost its port, or whose port has lost its bridge.
    fn plug_in_again(&self, network: &Network) -> Result<()> {
        let mut netlink = Netlink::open()?;
        let bridge = self.raised(&mut netlink, network)?;
        for attached in self.all_attached()? {
            let path = self.paths().container_netns(&attached.workload);
            for (i, endpoint) in attached.endpoints.iter().enumerate() {
                if endpoint.network != network.name {
                    continue;
                }
                let port = netlink.link(&endpoint.port)?;
                let port = port.filter(|port| port.is_up && port.bridge == Some(bridge.index));
                if network.isolate && port.as_ref().is_some_and(|port| !port.isolated) {
                    let isolated = netlink.isolate(&endpoint.port);
                    // A run that ends meanwhile takes its port with it.
                    if isolated.is_err() && netlink.link(&endpoint.port)?.is_some() {
                        isolated?;
                    }
                }
                if port.as_ref().is_some_and(|port| port.is_limited || endpoint.rate.is_none()) {
                    continue;
                }
                // Where the namespace is gone, the run is over.
                let Ok(namespace) = NetNs::open(&path) else { continue };
                if port.is_some() {
                    limit(&mut netlink, &namespace, endpoint)?;
                } else {
                    let publishes = i == 0 && !attached.published.is_empty();
                    let role = Role { gateways: self.ways_out(&attached, i)?, publishes };
                    self.plug(network, endpoint, &namespace, &role)?;
                    // Nor must a port of a run that ended meanwhile, or left the network.
                    if !self.is_attached(&attached.workload, endpoint) {
                        netlink.delete(&endpoint.port)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes a bridge that Volt has made; one of that name that is another program's stays.
    pub(super) fn remove_bridge(&self, name: &str) -> Result<()> {
        let mut netlink = Netlink::open()?;
        if netlink.link(name)?.is_some_and(|link| is_own_bridge(&link)) {
            netlink.delete(name)?;
        }
        Ok(())
    }

    /// Removes an interface that belongs to nobody.
    pub(crate) fn remove_link(&self, name: &str) -> Result<()> {
        Netlink::open()?.delete(name)?;
        Ok(())
    }

    /// Makes the bridge of a network and what belongs to it, where they are missing.
    pub(crate) fn raise(&self, network: &Network) -> Result<()> {
        // What another program has made the rules must not be about.
        refuse_foreign(&mut Netlink::open()?, &network.bridge())
            .map_err(|error| error.about(&network.name))?;
        // Before anybody is reached.
        self.apply_firewall()?;
        self.raise_bridge(network)?;
        self.serve_addresses(network)
    }

    fn raise_bridge(&self, network: &Network) -> Result<()> {
        forward(network.ipv6.is_some())?;
        let name = network.bridge();
        let mut netlink = Netlink::open()?;
        refuse_foreign(&mut netlink, &name).map_err(|error| error.about(&network.name))?;
        let addresses = gateways(network);
        netlink.ensure_bridge(&Bridge {
            name: &name,
            mac: bridge_mac(&name),
            mtu: network.mtu,
            alias: BRIDGE_ALIAS,
            addresses: &addresses,
        })?;
        if let Some(link) = netlink.link(&name)? {
            self.tell_resolved(network, link.index);
        }
        self.tell_names()
    }

    /// The bridge of a network, which is raised where it isn't up.
    pub(super) fn raised(&self, netlink: &mut Netlink, network: &Network) -> Result<Link> {
        let name = network.bridge();
        let up = |link: &Link| is_own_bridge(link) && link.is_up;
        if let Some(link) = netlink.link(&name)?.filter(up) {
            // It may have been installed or started since.
            self.tell_resolved(network, link.index);
            return Ok(link);
        }
        self.raise(network)?;
        netlink.link(&name)?.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, format!("The bridge {name} was removed a moment ago"))
                .about(&network.name)
        })
    }
}

/// Whether it is a bridge that Volt has made. One of these marks another program may have taken away.
pub(crate) fn is_own_bridge(link: &Link) -> bool {
    let known = link.mac == Some(bridge_mac(&link.name));
    link.is_bridge && (known || link.alias.as_deref() == Some(BRIDGE_ALIAS))
}

/// Refuses to take for Volt's bridge what another program has made.
pub(super) fn refuse_foreign(netlink: &mut Netlink, name: &str) -> Result<()> {
    match netlink.link(name)? {
        Some(link) if !is_own_bridge(&link) => {
            let title = format!("The host has an interface {name} that Volt did not make");
            Err(Error::new(ErrorKind::Conflict, title)
                .hinted("Give that another name, or take another name here"))
        }
        _ => Ok(()),
    }
}

/// The host's own addresses in a network, with the lengths of its subnets' prefixes.
pub(super) fn gateways(network: &Network) -> Vec<IpNet> {
    let own = Ipv4Net::new(network.gateway(), network.subnet.prefix_len());
    let mut all = vec![IpNet::V4(own.expect("the subnet's own length"))];
    if let (Some(subnet), Some(gateway)) = (network.ipv6, network.gateway_ipv6()) {
        let own = Ipv6Net::new(gateway, subnet.prefix_len());
        all.push(IpNet::V6(own.expect("the subnet's own length")));
    }
    all
}

/// Whether the host passes packets on.
pub(super) fn forwards(ipv6: bool) -> bool {
    let on = |path: &str| value(path.as_ref()).as_deref() == Some("1");
    on(FORWARD_IPV4) && (!ipv6 || on(FORWARD_IPV6))
}

/// Lets the host pass packets on. A host that passes IPv6 on would no longer listen to its own router, unless told to.
fn forward(ipv6: bool) -> Result<()> {
    set(FORWARD_IPV4.as_ref(), "1")?;
    if !ipv6 || value(FORWARD_IPV6.as_ref()).as_deref() == Some("1") {
        return Ok(());
    }
    for entry in std::fs::read_dir(IPV6_INTERFACES).into_iter().flatten().flatten() {
        let listens = entry.path().join("accept_ra");
        if value(&listens).as_deref() == Some("1") {
            set(&listens, "2")?;
        }
    }
    set(FORWARD_IPV6.as_ref(), "1")
}

/// How a switch of the kernel's is set.
pub(crate) fn value(path: &Path) -> Option<String> {
    files::read_text(path, 64).ok().map(|text| text.trim().to_owned())
}

/// Sets a switch of the kernel's, where it is another way.
pub(crate) fn set(path: &Path, to: &str) -> Result<()> {
    if value(path).as_deref() == Some(to) {
        return Ok(());
    }
    Ok(std::fs::write(path, to).map_err(|e| files::Error::new("write", path, e))?)
}
