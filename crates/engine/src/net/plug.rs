//! Plugging a workload into its networks, and out again.
//!
//! What it has then stands in `run/volt/networks/NAME.json`; the firewall and the names follow from these files alone. The file is written
//! and removed together with the firewall's elements, under the firewall's lock, so that whoever renders the whole ruleset anew
//! has them all.

use super::addresses::wanted_number;
use crate::Engine;
use crate::error::{Error, Result};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use volt_host::files;
use volt_host::namespaces::{self, NetNs};
use volt_host::netlink::{Inside, Netlink, Veth};
use volt_host::nft;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{
    Attached, Attachment, Endpoint, Network, Protocol, Published, bridge_mac, bridge_name, ip_of,
    ipv6_of, mac_of, number_of, port_name,
};

/// What one of a workload's connections is to it.
#[derive(Clone, Debug)]
pub(super) struct Role {
    /// Whom it goes out by; nobody where another connection leads out.
    pub(super) gateways: Vec<IpAddr>,
    /// Whether ports of the host lead in by it.
    pub(super) publishes: bool,
}

impl Engine {
    /// Connects a container that does not run yet to all its networks. What it has of them is returned.
    pub(crate) fn plug_in(&self, spec: &Spec, namespace: &NetNs) -> Result<Option<Attached>> {
        if spec.networks.is_empty() {
            return Ok(None);
        }
        let mut attached = unconnected(spec);
        for (i, attachment) in spec.networks.iter().enumerate() {
            let network = self.network(&attachment.network)?;
            let endpoint = self.endpoint(&network, &spec.name, attachment, format!("eth{i}"))?;
            let endpoint = Endpoint { rate: spec.limits.rate, ..endpoint };
            attached.endpoints.push(endpoint.clone());
            let publishes = i == 0 && !spec.publish.is_empty();
            let role = Role { gateways: self.ways_out(&attached, i)?, publishes };
            self.plug(&network, &endpoint, namespace, &role)?;
        }
        attached.published = self.published(spec, &attached.endpoints)?;
        self.let_through(&attached)?;
        Ok(Some(attached))
    }

    /// By whom a workload goes out by its connection of this place: of each kind of address the first network leads out that has such and
    /// is not internal.
    pub(super) fn ways_out(&self, attached: &Attached, place: usize) -> Result<Vec<IpAddr>> {
        let mut ways = Vec::new();
        for (i, endpoint) in attached.endpoints.iter().enumerate().take(place + 1) {
            let network = self.network(&endpoint.network)?;
            let own = [Some(network.gateway().into()), network.gateway_ipv6().map(IpAddr::V6)];
            let own = own.into_iter().flatten().filter(|_| !network.internal);
            let own: Vec<IpAddr> = own
                .filter(|gateway| {
                    ways.iter().all(|way: &IpAddr| way.is_ipv4() != gateway.is_ipv4())
                })
                .collect();
            if i == place {
                return Ok(own);
            }
            ways.extend(own);
        }
        Ok(Vec::new())
    }

    /// Takes away all that a workload has of networks; may be called again, and for what was only half there.
    pub(crate) fn plug_out(&self, name: &Name) -> Result<()> {
        let attached = self.attached(name);
        let mut ports: BTreeSet<String> = attached
            .iter()
            .flat_map(|attached| attached.endpoints.iter().map(|endpoint| endpoint.port.clone()))
            .collect();
        if let Ok(spec) = self.spec(name) {
            ports.extend(spec.networks.iter().map(|to| port_name(name, &to.network)));
        }
        if ports.is_empty() && attached.is_none() {
            return Ok(());
        }
        // The main process of its unit, which does this when the run has ended, is in the container's network.
        namespaces::in_network_of_host(|| {
            let shut = self.let_through_no_more(name);
            let mut netlink = Netlink::open()?;
            for port in &ports {
                netlink.delete(port)?;
            }
            shut
        })?
    }

    /// What a workload is to have of a network. It is given its address here, where it has none yet.
    pub(super) fn endpoint(
        &self,
        network: &Network,
        workload: &Name,
        attachment: &Attachment,
        interface: String,
    ) -> Result<Endpoint> {
        let number = self.own_number(network, workload, attachment)?;
        Ok(Endpoint {
            network: network.name.clone(),
            interface,
            port: port_name(workload, &network.name),
            mac: attachment.mac.unwrap_or_else(|| mac_of(workload, &network.name)),
            ip: ip_of(network.subnet, number),
            ipv6: network.ipv6.map(|subnet| ipv6_of(subnet, number)),
            aliases: attachment.aliases.clone(),
            rate: None,
        })
    }

    /// The number that a workload has in a network, or is given.
    pub(crate) fn own_number(
        &self,
        network: &Network,
        workload: &Name,
        attachment: &Attachment,
    ) -> Result<u32> {
        let wanted = attachment.ip.map(|ip| wanted_number(network, ip)).transpose()?;
        let mut table = self.addresses()?;
        match table.number(&network.name, workload)? {
            Some(number) if wanted.is_none_or(|wanted| wanted == number) => Ok(number),
            _ => table.claim(network, workload, wanted),
        }
    }

    /// Keeps an address that nobody has from whoever is given any.
    pub(crate) fn keep_address(&self, network: &Name, ip: Ipv4Addr) -> Result<()> {
        match number_of(self.network(network)?.subnet, ip) {
            Some(number) => self.addresses()?.keep(network, number),
            // Whoever asks for it is told.
            None => Ok(()),
        }
    }

    /// Plugs a namespace into a network.
    pub(super) fn plug(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        namespace: &NetNs,
        role: &Role,
    ) -> Result<()> {
        let mut netlink = Netlink::open()?;
        let bridge = self.raised(&mut netlink, network)?;
        let own = Ipv4Net::new(endpoint.ip, network.subnet.prefix_len());
        let mut addresses = vec![IpNet::V4(own.expect("the subnet's own length"))];
        if let (Some(ip), Some(subnet)) = (endpoint.ipv6, network.ipv6) {
            let own = Ipv6Net::new(ip, subnet.prefix_len());
            addresses.push(IpNet::V6(own.expect("the subnet's own length")));
        }
        let alias = format!("volt: {}", namespace.path().display());
        let inside = Inside {
            interface: &endpoint.interface,
            mac: endpoint.mac,
            addresses: &addresses,
            gateways: &role.gateways,
        };
        let (isolated, hairpin) = (network.isolate, role.publishes);
        let veth = Veth {
            port: &endpoint.port,
            alias: &alias,
            bridge: bridge.index,
            isolated,
            hairpin,
            mtu: network.mtu,
            rate: endpoint.rate,
            inside,
        };
        Ok(netlink.plug_in(&veth, namespace)?)
    }

    /// Has no more go through the connections of a container that runs than its record says.
    pub(crate) fn limit_connections(&self, spec: &Spec) -> Result<()> {
        let Some(mut attached) = self.attached(&spec.name) else { return Ok(()) };
        let namespace = NetNs::open(&self.paths().container_netns(&spec.name))?;
        for endpoint in &mut attached.endpoints {
            endpoint.rate = spec.limits.rate;
        }
        // First what is to be: whoever watches would put back what is lifted.
        self.let_through(&attached)?;
        let mut netlink = Netlink::open()?;
        for endpoint in &attached.endpoints {
            limit(&mut netlink, &namespace, endpoint)?;
        }
        Ok(())
    }

    /// Writes down what a workload has, and lets it through the firewall.
    pub(super) fn let_through(&self, attached: &Attached) -> Result<()> {
        files::create_dirs(&self.paths().attached(), 0o755)?;
        let lock = self.lock_firewall()?;
        self.refuse_taken_ports(attached)?;
        self.refuse_taken_addresses(attached)?;
        let before = self.attached(&attached.workload);
        let bytes = serde_json::to_vec_pretty(attached).map_err(|e| {
            Error::new(ErrorKind::General, "A connection can't be written").because(e)
        })?;
        let path = self.attached_path(&attached.workload);
        self.change_firewall(before.as_ref(), Some(attached), || {
            Ok(files::write_volatile(&path, &bytes, 0o644)?)
        })?;
        drop(lock);
        redirect_datagrams(before.as_ref(), Some(attached));
        // Whoever has no address by it is told of by the watcher again; the others wait for nobody's server.
        if let Err(error) = self.tell_addresses() {
            tracing::warn!(error = %error.chain().join(": "), "servers of addresses can't be told");
        }
        // Behind the other: by the names a check sees whether whoever told was killed.
        self.tell_names()?;
        self.have_networks_watched_soon();
        self.serve_names(attached)
    }

    /// Refuses addresses that another workload has which is plugged in, and hardware addresses that the network's own bridge has: what is
    /// sent to the one would come to the other. The firewall's lock must be held.
    pub(super) fn refuse_taken_addresses(&self, attached: &Attached) -> Result<()> {
        let others = self.all_attached()?;
        let others = || others.iter().filter(|other| other.workload != attached.workload);
        for own in &attached.endpoints {
            let taken = |what: String, by: &str| {
                let title = format!("The {what} is used in {} by {by}", own.network);
                Error::new(ErrorKind::Conflict, title).about(&attached.workload)
            };
            let mac = || format!("hardware address {}", own.mac);
            let hint = "Ask for another one, or for none: it gets one that follows from its name";
            if own.mac == bridge_mac(&bridge_name(&own.network)) {
                return Err(taken(mac(), "the host").hinted(hint));
            }
            let has = |is_same: &dyn Fn(&Endpoint) -> bool| {
                let mut same = others().filter(|other| {
                    other.endpoints.iter().any(|one| one.network == own.network && is_same(one))
                });
                same.next().map(|other| other.workload.as_str().to_owned())
            };
            if let Some(other) = has(&|one| one.mac == own.mac) {
                return Err(taken(mac(), &other).hinted(hint));
            }
            if let Some(other) = has(&|one| one.ip == own.ip) {
                return Err(taken(format!("address {}", own.ip), &other)
                    .hinted("Write down again who has which: volt system check --repair"));
            }
        }
        Ok(())
    }

    fn let_through_no_more(&self, name: &Name) -> Result<()> {
        let lock = self.lock_firewall()?;
        let before = self.attached(name);
        let path = self.attached_path(name);
        let shut = match &before {
            Some(before) => self
                .change_firewall(Some(before), None, || Ok(files::remove_file(&path).map(drop)?)),
            // One that can't be read has let through who knows what.
            None => match files::remove_file(&path)? {
                true => self.render_firewall(),
                false => Ok(()),
            },
        };
        drop(lock);
        redirect_datagrams(before.as_ref(), None);
        shut.and(self.tell_addresses()).and(self.tell_names())
    }
}

/// A container that is not connected yet.
pub(super) fn unconnected(spec: &Spec) -> Attached {
    let dns = spec.around.dns.clone();
    Attached { dns, ..Attached::new(spec.name.clone(), spec.labels.clone()) }
}

/// Where the kernel has led datagrams of a sender it leads further ones too. So that those to ports which come or go are led anew, it is
/// made to forget that.
fn redirect_datagrams(before: Option<&Attached>, now: Option<&Attached>) {
    let published = |attached: Option<&Attached>| -> Vec<Published> {
        let all = attached.into_iter().flat_map(|attached| &attached.published);
        all.filter(|port| port.protocol == Protocol::Udp).cloned().collect()
    };
    let (old, new) = (published(before), published(now));
    let gone = old.iter().filter(|port| !new.contains(port));
    let changed: Vec<&Published> =
        new.iter().filter(|port| !old.contains(port)).chain(gone).collect();
    if changed.is_empty() {
        return;
    }
    let forgotten = Netlink::open().and_then(|mut netlink| netlink.addresses()).map(|own| {
        nft::forget_datagrams(|ip, port| {
            let led = |one: &&Published| {
                one.host == port && one.address.is_none_or(|address| address == ip)
            };
            changed.iter().any(led) && own.iter().any(|one| one.own.addr() == ip)
        })
    });
    match forgotten {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "datagrams may be led as before"),
        Err(error) => tracing::warn!(%error, "datagrams may be led as before"),
    }
}

/// Has no more go through a connection than it says: each end limits what goes out by it.
pub(super) fn limit(netlink: &mut Netlink, namespace: &NetNs, endpoint: &Endpoint) -> Result<()> {
    Netlink::open_in(namespace)?.set_rate(&endpoint.interface, endpoint.rate)?;
    Ok(netlink.set_rate(&endpoint.port, endpoint.rate)?)
}
