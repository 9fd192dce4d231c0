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
use std::net::IpAddr;
use volt_host::files;
use volt_host::namespaces::{self, NetNs};
use volt_host::netlink::{Inside, Netlink, Veth};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Attached, Attachment, Endpoint, Network, ip_of, ipv6_of, mac_of, port_name};

/// What is particular to a workload's first connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// Whether it goes out by this one.
    pub(super) leads_out: bool,
    /// Whether ports of the host lead in by it.
    pub(super) publishes: bool,
}

impl Engine {
    /// Connects a container that does not run yet to all its networks. What it has of them is returned.
    pub(crate) fn plug_in(&self, spec: &Spec, namespace: &NetNs) -> Result<Option<Attached>> {
        if spec.networks.is_empty() {
            return Ok(None);
        }
        let mut endpoints = Vec::new();
        for (i, attachment) in spec.networks.iter().enumerate() {
            let network = self.network(&attachment.network)?;
            let endpoint = self.endpoint(&network, &spec.name, attachment, format!("eth{i}"))?;
            let first = First { leads_out: i == 0, publishes: i == 0 && !spec.publish.is_empty() };
            self.plug(&network, &endpoint, namespace, first)?;
            endpoints.push(endpoint);
        }
        let published = self.published(spec, &endpoints)?;
        let attached = Attached { workload: spec.name.clone(), endpoints, published };
        self.let_through(&attached)?;
        Ok(Some(attached))
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
            mac: mac_of(workload, &network.name),
            ip: ip_of(network.subnet, number),
            ipv6: network.ipv6.map(|subnet| ipv6_of(subnet, number)),
            aliases: attachment.aliases.clone(),
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

    /// Plugs a namespace into a network.
    pub(super) fn plug(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        namespace: &NetNs,
        first: First,
    ) -> Result<()> {
        let mut netlink = Netlink::open()?;
        let bridge = self.raised(&mut netlink, network)?;
        let own = Ipv4Net::new(endpoint.ip, network.subnet.prefix_len());
        let mut addresses = vec![IpNet::V4(own.expect("the subnet's own length"))];
        let mut gateways = vec![IpAddr::V4(network.gateway())];
        if let (Some(ip), Some(subnet), Some(gateway)) =
            (endpoint.ipv6, network.ipv6, network.gateway_ipv6())
        {
            let own = Ipv6Net::new(ip, subnet.prefix_len());
            addresses.push(IpNet::V6(own.expect("the subnet's own length")));
            gateways.push(IpAddr::V6(gateway));
        }
        if network.internal || !first.leads_out {
            gateways.clear();
        }
        let alias = format!("volt: {}", namespace.path().display());
        let inside = Inside {
            interface: &endpoint.interface,
            mac: endpoint.mac,
            addresses: &addresses,
            gateways: &gateways,
        };
        let (isolated, hairpin) = (network.isolate, first.publishes);
        let (port, mtu) = (endpoint.port.as_str(), network.mtu);
        let veth =
            Veth { port, alias: &alias, bridge: bridge.index, isolated, hairpin, mtu, inside };
        Ok(netlink.plug_in(&veth, namespace)?)
    }

    /// Writes down what a workload has, and lets it through the firewall.
    pub(super) fn let_through(&self, attached: &Attached) -> Result<()> {
        files::create_dirs(&self.paths().attached(), 0o755)?;
        let lock = self.lock_firewall()?;
        self.refuse_taken_ports(attached)?;
        let before = self.attached(&attached.workload);
        let bytes = serde_json::to_vec_pretty(attached).map_err(|e| {
            Error::new(ErrorKind::General, "A connection can't be written").because(e)
        })?;
        files::write_volatile(&self.attached_path(&attached.workload), &bytes, 0o644)?;
        self.change_firewall(before.as_ref(), Some(attached))?;
        drop(lock);
        self.tell_names()?;
        self.serve_names(attached)
    }

    fn let_through_no_more(&self, name: &Name) -> Result<()> {
        let lock = self.lock_firewall()?;
        let before = self.attached(name);
        files::remove_file(&self.attached_path(name))?;
        let shut = self.change_firewall(before.as_ref(), None);
        drop(lock);
        shut.and(self.tell_names())
    }
}
