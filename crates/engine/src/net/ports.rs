//! Published ports: which they are, and that nobody else has them.

use crate::Engine;
use crate::error::{Error, Result};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::time::Duration;
use volt_host::files::Lock;
use volt_host::process::Listener;
use volt_model::container::{Spec, unit};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Attached, Endpoint, Protocol, Publish, Published};

/// How often a free port is looked for that no container wants either.
const TRIES: usize = 100;

impl Engine {
    /// The ports that lead to a container with these connections: to that which its record names first.
    pub(super) fn published(&self, spec: &Spec, endpoints: &[Endpoint]) -> Result<Vec<Published>> {
        let first = spec.networks.first();
        let first = first.and_then(|to| endpoints.iter().find(|own| own.network == to.network));
        let Some(first) = first else { return Ok(Vec::new()) };
        self.refuse_ports_of_internal(spec)?;
        let each = |publish: &Publish| {
            let host = publish.host.unwrap_or(publish.container);
            let (publish, count) = (publish.clone(), publish.count);
            (0..count).map(move |n| Published {
                address: publish.address,
                host: host + n,
                container: publish.container + n,
                protocol: publish.protocol,
                ip: first.ip,
                ipv6: first.ipv6,
                expose: spec.expose,
            })
        };
        let all: Vec<Published> = spec.publish.iter().flat_map(each).collect();
        let own = |i: usize| all[..i].iter().find(|other| other.collides(&all[i]));
        if let Some(i) = (0..all.len()).find(|i| own(*i).is_some()) {
            let title = format!("The port {}/{} is published twice", all[i].host, all[i].protocol);
            return Err(Error::new(ErrorKind::Usage, title).about(&spec.name));
        }
        Ok(all)
    }

    /// Refuses ports that nobody could reach the container by: an address of IPv6 to a network without, see also
    /// [`Self::refuse_ports_of_internal`]. One that has lost its IPv6 since has containers that start all the same.
    pub(crate) fn refuse_ports_that_lead_nowhere(&self, spec: &Spec) -> Result<()> {
        self.refuse_ports_of_internal(spec)?;
        let Some(first) = spec.networks.first() else { return Ok(()) };
        // What comes by the loopback a proxy leads in, by whichever address there is.
        let by_ipv6 = |publish: &&Publish| {
            publish.address.is_some_and(|address| address.is_ipv6() && !address.is_loopback())
        };
        let Some(publish) = spec.publish.iter().find(by_ipv6) else { return Ok(()) };
        if self.network(&first.network)?.ipv6.is_some() {
            return Ok(());
        }
        let title =
            format!("The port {publish} can't lead to {}, which has no IPv6", first.network);
        Err(Error::new(ErrorKind::Usage, title)
            .about(&spec.name)
            .hinted("Connect it first to a network that has: volt net create --ipv6 SUBNET NAME"))
    }

    /// Refuses ports that would lead in from outside to a container whose first network is internal. Those of the host's loopback lead
    /// there: who comes by them is the host.
    fn refuse_ports_of_internal(&self, spec: &Spec) -> Result<()> {
        let Some(first) = spec.networks.first() else { return Ok(()) };
        if spec.publish.is_empty() || !self.network(&first.network)?.internal {
            return Ok(());
        }
        refuse_ports_from_outside(spec, &first.network)
    }

    /// Chooses ports of the host where any free one will do. Nobody else chooses one while the lock is held: until the record tells of
    /// these.
    pub(crate) fn choose_ports(&self, spec: &mut Spec) -> Result<Option<Lock>> {
        if spec.publish.iter().all(|publish| publish.host.is_some()) {
            return Ok(None);
        }
        let lock = self.lock("ports")?;
        let specs = self.specs()?;
        let mut wanted: Vec<(u16, Protocol)> = specs
            .iter()
            .chain([&*spec])
            .flat_map(|spec| spec.publish.iter().flat_map(ports_of))
            .collect();
        for publish in spec.publish.iter_mut().filter(|publish| publish.host.is_none()) {
            let free = (0..TRIES)
                .filter_map(|_| free_port(publish.protocol).ok())
                .find(|port| !wanted.contains(&(*port, publish.protocol)));
            let port = free.ok_or_else(|| {
                Error::new(ErrorKind::Resource, "No port of the host is free").about(&spec.name)
            })?;
            publish.host = Some(port);
            wanted.push((port, publish.protocol));
        }
        Ok(Some(lock))
    }

    /// Refuses ports that another workload or a program of the host has, but for those that it leads in already. The firewall's lock must
    /// be held.
    pub(super) fn refuse_taken_ports(&self, attached: &Attached) -> Result<()> {
        let name = &attached.workload;
        let before = self.attached(name).map(|before| before.published).unwrap_or_default();
        let fresh: Vec<_> =
            attached.published.iter().filter(|port| !before.contains(port)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let others = self.all_attached()?;
        let others = || others.iter().filter(|other| other.workload != *name);
        let proxies = unit::proxy_name(name);
        let listeners = Listener::all().unwrap_or_default();
        let gateways = self.gateways_with_names();
        for port in fresh {
            if port.host == NAMES && port.address.is_some_and(|address| gateways.contains(&address))
            {
                return Err(taken(port, "names, which are asked for there").about(name));
            }
            let by = others().find(|other| other.published.iter().any(|one| one.collides(port)));
            if let Some(other) = by {
                return Err(taken(port, &format!("the container {}", other.workload)).about(name));
            }
            // The firewall leads to names whoever asks for them at a gateway, whatever is published by all addresses.
            let names = |listener: &Listener| {
                listener.port == NAMES && gateways.contains(&listener.address)
            };
            for listener in listeners.iter().filter(|one| hears(one, port) && !names(one)) {
                if let Some(by) = holder(listener, &proxies) {
                    return Err(taken(port, &by).about(name));
                }
            }
        }
        Ok(())
    }

    /// Where members of networks ask for names.
    fn gateways_with_names(&self) -> Vec<IpAddr> {
        let networks = self.networks().unwrap_or_default();
        let networks = networks.iter().filter(|network| network.dns);
        networks
            .flat_map(|one| [Some(one.gateway().into()), one.gateway_ipv6().map(IpAddr::V6)])
            .flatten()
            .collect()
    }
}

/// Who has a socket, in words; nobody where it has gone meanwhile, or is a proxy's of this unit.
fn holder(listener: &Listener, proxies: &str) -> Option<String> {
    for _ in 0..LOOKS {
        if let Some(program) = listener.process() {
            let text = format!("{} (process {})", program.name, program.pid);
            return Some(text).filter(|_| !program.is_in_unit(proxies));
        }
        // A process that ends has its sockets for a moment longer, and one may be missed that has just been made.
        std::thread::sleep(MOMENT);
        if !Listener::all().is_ok_and(|now| now.contains(listener)) {
            return None;
        }
    }
    Some("the kernel itself, as for WireGuard or NFS".to_owned())
}

/// How often a process is looked for that has a socket, and how long is waited after each.
const LOOKS: usize = 3;
const MOMENT: Duration = Duration::from_millis(20);
/// The port at which names are asked for.
const NAMES: u16 = 53;

/// Refuses ports of which others than this host would know, for a container on an internal network.
pub(crate) fn refuse_ports_from_outside(spec: &Spec, network: &Name) -> Result<()> {
    let from_outside =
        |publish: &&Publish| !publish.address.is_some_and(|address| address.is_loopback());
    let Some(publish) = spec.publish.iter().find(from_outside) else { return Ok(()) };
    let title = format!("The port {publish} can't lead in from outside to {network}");
    Err(Error::new(ErrorKind::Usage, title).about(&spec.name).hinted(
        "The network is internal; publish a port of the host alone: --publish 127.0.0.1:HOST:CONTAINER",
    ))
}

fn taken(port: &Published, by: &str) -> Error {
    let title = format!("The port {}/{} of the host is used by {by}", port.host, port.protocol);
    Error::new(ErrorKind::Conflict, title).hinted("Publish another one, or stop what has it")
}

/// Whether packets for the port would be packets for the listener too.
fn hears(listener: &Listener, port: &Published) -> bool {
    let same = match (port.address, listener.address) {
        (Some(one), two) if !two.is_unspecified() => one == two,
        // One at all IPv6 addresses may hear what comes by IPv4 too.
        (Some(one), two) => one.is_ipv4() || two.is_ipv6(),
        (None, _) => true,
    };
    same && listener.port == port.host && listener.protocol == port.protocol
}

/// The ports of the host that one `-p` names.
fn ports_of(publish: &Publish) -> impl Iterator<Item = (u16, Protocol)> {
    let (host, count, protocol) = (publish.host, publish.count, publish.protocol);
    host.into_iter().flat_map(move |host| (0..count).map(move |n| (host + n, protocol)))
}

/// A port that the kernel gives to whoever asks for any.
fn free_port(protocol: Protocol) -> std::io::Result<u16> {
    let any = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    Ok(match protocol {
        Protocol::Tcp => TcpListener::bind(any)?.local_addr()?,
        Protocol::Udp => UdpSocket::bind(any)?.local_addr()?,
    }
    .port())
}
