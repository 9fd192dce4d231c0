//! DHCP for the members of a network, which dnsmasq serves: its configuration, and who gets which address (dnsmasq(8)).

use super::{Attached, Endpoint, Network};
use crate::dns::ZONE;
use std::fmt::Write as _;
use std::path::Path;

/// The configuration of a network's server, which reads its hosts from `hosts` and keeps its leases in `leases`.
#[must_use]
pub fn render(network: &Network, hosts: &Path, leases: &Path) -> String {
    let (hosts, leases) = (hosts.display(), leases.display());
    let mut out = format!(
        "# Made by Volt from the network {}; what is written here is lost.
port=0
interface={}
bind-dynamic
except-interface=lo
no-resolv
no-hosts
no-ping
dhcp-authoritative
# Members are told apart by what the firewall holds them to, not by what they call themselves.
dhcp-ignore-clid
dhcp-hostsfile={hosts}
dhcp-leasefile={leases}
# Only who is connected gets an address, and always its own.
dhcp-range={},static
domain={ZONE}
",
        network.name,
        network.bridge(),
        network.subnet.network(),
    );
    // Without a value dnsmasq says nothing, where it would name the host.
    let gateway = network.gateway().to_string();
    let value = |said: bool| if said { format!(",{gateway}") } else { String::new() };
    let _ = writeln!(out, "dhcp-option=option:router{}", value(!network.internal));
    let _ = writeln!(out, "dhcp-option=option:dns-server{}", value(network.dns));
    if let Some(mtu) = network.mtu {
        let _ = writeln!(out, "dhcp-option=option:mtu,{mtu}");
    }
    if let (Some(subnet), Some(gateway)) = (network.ipv6, network.gateway_ipv6()) {
        let _ = writeln!(
            out,
            "enable-ra\ndhcp-range={},static,{}",
            subnet.network(),
            subnet.prefix_len()
        );
        if network.internal {
            // A router for no time at all is none.
            let _ = writeln!(out, "ra-param={},0,0", network.bridge());
        }
        if network.dns {
            let _ = writeln!(out, "dhcp-option=option6:dns-server,[{gateway}]");
        }
    }
    out
}

/// Who gets which address in a network: a line for each that is connected, sorted by name.
#[must_use]
pub fn hosts(network: &Network, attached: &[Attached]) -> String {
    let mut out = String::new();
    for one in attached {
        for endpoint in one.endpoints.iter().filter(|endpoint| endpoint.network == network.name) {
            out.push_str(&host(one, endpoint));
        }
    }
    out
}

fn host(attached: &Attached, endpoint: &Endpoint) -> String {
    let ipv6 = endpoint.ipv6.map(|ip| format!(",[{ip}]")).unwrap_or_default();
    format!("{},{}{ipv6},{}\n", endpoint.mac, endpoint.ip, attached.workload)
}
