//! Making a network. The default one is made when somebody first wants it.

use super::{View, as_the_host, has_ipv6};
use crate::Engine;
use crate::error::{Error, Result};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use volt_host::files::{self, LockMode};
use volt_host::netlink::Netlink;
use volt_host::systemd::JobKind;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{self, Network, bridge_name, check_ipv4, check_ipv6, unique_local};

/// The smallest packet that IPv6 can do with, and the largest that there is, in bytes.
pub(super) const MTU: std::ops::RangeInclusive<u32> = 1280..=65_535;

/// What watches over the networks, and its runtime folder, which systemd makes and takes away with it.
pub(crate) const WATCHER: &str = "volt-network.service";
const WATCHING: &str = "/run/volt-network";
/// How long it may take to raise them.
const WATCHER_LIMIT: Duration = Duration::from_secs(30);

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Create {
    /// What to call it.
    pub name: Name,
    /// Its subnet; a free one where nothing is said.
    pub subnet: Option<Ipv4Net>,
    /// Its IPv6 subnet.
    pub ipv6: Option<Ipv6Net>,
    /// Whether its members reach nothing outside.
    pub internal: bool,
    /// Whether its members can't reach each other.
    pub isolate: bool,
    /// Whether its members ask Volt for names.
    pub dns: bool,
    /// Whether its members can ask for their addresses by DHCP.
    pub dhcp: bool,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// Makes a network with its bridge.
    ///
    /// # Errors
    /// `AlreadyExists` for a taken name, `Usage` for a subnet that can't be one, `Conflict` for one that overlaps with another network or a
    /// route of the host, `Resource` where none is free.
    pub fn net_create(&self, create: Create) -> Result<View> {
        self.refuse_without_networks()?;
        if create.dhcp {
            self.refuse_without_dhcp()?;
        }
        let name = create.name.clone();
        self.create_network(create)?;
        self.have_networks_watched();
        self.net_inspect(&name)
    }

    fn create_network(&self, create: Create) -> Result<()> {
        let _lock = self.lock_networks(LockMode::Exclusive)?;
        if self.network_path(&create.name).exists() {
            let title = format!("There is a network named {} already", create.name);
            return Err(Error::new(ErrorKind::AlreadyExists, title).about(&create.name));
        }
        refuse_same_bridge(&create.name, &self.network_names()?)?;
        self.make_network(&self.new_network(create)?)
    }

    /// Puts another network in the place of one that has members, of which none may run. What the old one was.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` while somebody is connected; those of [`Engine::net_create`], and the old one is there again.
    pub(crate) fn net_replace(&self, create: Create) -> Result<Network> {
        let _lock = self.lock_networks(LockMode::Exclusive)?;
        let old = self.network_record(&create.name)?;
        let users = self.all_attached()?;
        let is_user = |one: &&net::Attached| one.endpoints.iter().any(|e| e.network == old.name);
        if let Some(user) = users.iter().find(is_user) {
            let title = format!("The network {} is used by {}", old.name, user.workload);
            return Err(Error::new(ErrorKind::Conflict, title).about(&old.name));
        }
        self.unmake_network(&old)?;
        let made = self.new_network(create).and_then(|network| self.make_network(&network));
        if let Err(error) = made {
            self.make_network(&old)?;
            return Err(error);
        }
        Ok(old)
    }

    /// A network that is wanted, with what it has by itself.
    fn new_network(&self, create: Create) -> Result<Network> {
        check(&create)?;
        let taken = self.taken()?;
        let subnet = match create.subnet {
            Some(subnet) => subnet,
            None => free_subnet(&taken)?,
        };
        for wanted in [Some(IpNet::V4(subnet)), create.ipv6.map(IpNet::V6)].into_iter().flatten() {
            refuse_overlap(wanted, &taken)?;
        }
        Ok(Network {
            version: Network::VERSION,
            name: create.name,
            subnet,
            ipv6: create.ipv6,
            internal: create.internal,
            isolate: create.isolate,
            dns: create.dns,
            dhcp: create.dhcp,
            mtu: create.mtu,
            labels: create.labels,
            created: Timestamp::now(),
        })
    }

    /// Starts what puts back what other programs take away; at boot it starts by itself. No lock may be held that it takes.
    pub(crate) fn have_networks_watched(&self) {
        if !self.can_use_systemd() {
            return;
        }
        if let Err(error) = self.systemd().run_job(JobKind::Start, WATCHER, WATCHER_LIMIT) {
            tracing::warn!(%error, "nobody watches over the networks");
        }
    }

    /// The same for whoever comes to a network whose maker was killed before he could; it is not waited for, so that locks may be held.
    pub(super) fn have_networks_watched_soon(&self) {
        if Path::new(WATCHING).exists() || !self.can_use_systemd() {
            return;
        }
        // Whoever masks it wants nobody to.
        if self.systemd().unit_status(WATCHER).is_ok_and(|unit| unit.load == "masked") {
            return;
        }
        if let Err(error) = self.systemd().queue_job(JobKind::Start, WATCHER) {
            tracing::warn!(%error, "nobody watches over the networks");
        }
    }

    /// Whether there is something to watch over.
    pub(crate) fn wants_watcher(&self) -> Result<bool> {
        Ok(!self.bare_bridge_names()?.is_empty() || self.wants_firewall()?)
    }

    /// Makes the default network where there is none.
    pub(crate) fn make_default_network(&self) -> Result<()> {
        let name: Name = net::DEFAULT.parse().expect("a name");
        if self.network_path(&name).exists() {
            return Ok(());
        }
        self.refuse_without_networks()?;
        let lock = self.lock_networks(LockMode::Exclusive)?;
        if self.network_path(&name).exists() {
            return Ok(());
        }
        let taken = self.taken()?;
        let usual: Ipv4Net = net::DEFAULT_SUBNET.parse().expect("a subnet");
        let free = refuse_overlap(IpNet::V4(usual), &taken).is_ok();
        let machine = files::read_text("/etc/machine-id".as_ref(), 256).unwrap_or_default();
        let ipv6 = has_ipv6().then(|| unique_local(machine.trim()));
        self.make_network(&Network {
            version: Network::VERSION,
            name,
            subnet: if free { usual } else { free_subnet(&taken)? },
            ipv6: ipv6.filter(|subnet| refuse_overlap(IpNet::V6(*subnet), &taken).is_ok()),
            internal: false,
            isolate: false,
            dns: true,
            dhcp: false,
            mtu: None,
            labels: BTreeMap::new(),
            created: Timestamp::now(),
        })?;
        drop(lock);
        self.have_networks_watched();
        Ok(())
    }

    /// Writes a network down and raises its bridge, or does neither.
    fn make_network(&self, network: &Network) -> Result<()> {
        files::create_dirs(&self.paths().networks(), 0o755)?;
        let path = self.network_path(&network.name);
        files::write_json(&path, network, 0o644)?;
        let raised = self.raise(&as_the_host(network.clone(), has_ipv6()));
        if raised.is_err() {
            let undone = files::remove_file(&path).map_err(Error::from);
            if let Err(undo) = undone
                .and_then(|_| self.remove_bridge(&network.bridge()))
                .and_then(|()| self.apply_firewall())
                .and_then(|()| self.tell_names())
            {
                tracing::error!(network = %network.name, error = %undo.chain().join(": "), "a network half made could not be undone");
            }
        }
        raised
    }

    /// What nobody else may have: other networks' subnets, and where the host sends packets by interfaces that are not Volt's.
    fn taken(&self) -> Result<Vec<Taken>> {
        let networks = self.networks()?;
        let mut taken = taken_by_others(&networks)?;
        for network in &networks {
            let by = format!("the network {}", network.name);
            taken.push(Taken::new(IpNet::V4(network.subnet), by.clone()));
            taken.extend(network.ipv6.map(|subnet| Taken::new(IpNet::V6(subnet), by)));
        }
        Ok(taken)
    }

    /// Networks whose addresses something else of the host's has had since they were made, and what.
    pub(crate) fn doubly_taken(&self, networks: &[Network]) -> Result<Vec<(Name, String)>> {
        let taken = taken_by_others(networks)?;
        let subnets = |network: &Network| {
            [Some(IpNet::V4(network.subnet)), network.ipv6.map(IpNet::V6)].into_iter().flatten()
        };
        let of = |network: &Network| {
            let refused = subnets(network).find_map(|own| refuse_overlap(own, &taken).err());
            refused.map(|error| (network.name.clone(), error.message))
        };
        Ok(networks.iter().filter_map(of).collect())
    }
}

/// Where the host sends packets by interfaces that are not Volt's, and the addresses that it has there.
fn taken_by_others(networks: &[Network]) -> Result<Vec<Taken>> {
    let mut taken = Vec::new();
    let mut netlink = Netlink::open()?;
    let links = netlink.links()?;
    let name = |interface: Option<u32>| {
        let link = links.iter().find(|link| Some(link.index) == interface);
        link.map_or("another interface", |link| link.name.as_str())
    };
    let is_own = |name: &str| networks.iter().any(|network| network.bridge() == name);
    for route in netlink.routes()? {
        match route.interface {
            _ if route.is_sink => {
                let by = "a route of the host that leads nowhere".to_owned();
                taken.push(Taken { is_sink: true, ..Taken::new(route.to, by) });
            }
            None => taken.push(Taken::new(route.to, "a route of the host")),
            Some(_) if is_own(name(route.interface)) => {}
            by => taken.push(Taken::new(route.to, format!("the host's route by {}", name(by)))),
        }
    }
    // One without a subnet has no route there.
    for address in netlink.addresses()? {
        let by = name(Some(address.interface));
        if !is_own(by) {
            taken
                .push(Taken::new(address.own.addr().into(), format!("the host's address at {by}")));
        }
    }
    Ok(taken)
}

fn check(create: &Create) -> Result<()> {
    let wrong = |e: Box<dyn std::error::Error + Send + Sync>| {
        let title = format!("The network {} can't be so", create.name);
        Error::new(ErrorKind::Usage, title).about(&create.name).because(e)
    };
    create.subnet.map(check_ipv4).transpose().map_err(|e| wrong(e.into()))?;
    create.ipv6.map(check_ipv6).transpose().map_err(|e| wrong(e.into()))?;
    if let Some(mtu) = create.mtu.filter(|mtu| !MTU.contains(mtu)) {
        return Err(wrong(format!("{mtu} is no MTU: it is from 1280 to 65535 bytes").into()));
    }
    if ["none", "host"].contains(&create.name.as_str()) {
        return Err(wrong("`none` and `host` mean something else".into()));
    }
    if create.ipv6.is_some() && !has_ipv6() {
        let title = "This host has no IPv6";
        return Err(Error::new(ErrorKind::Dependency, title)
            .about(&create.name)
            .hinted("Leave --ipv6 out, or switch it on: sysctl net.ipv6.conf.all.disable_ipv6=0"));
    }
    Ok(())
}

/// Refuses a name whose bridge would be called as another network's: a long name is cut, and what stands for the rest may be the same.
pub(super) fn refuse_same_bridge(name: &Name, others: &[Name]) -> Result<()> {
    let bridge = bridge_name(name);
    match others.iter().find(|other| bridge_name(other) == bridge) {
        None => Ok(()),
        Some(other) => {
            let title =
                format!("The bridge of {name} would be called {bridge}, as that of {other}");
            Err(Error::new(ErrorKind::Conflict, title).about(name).hinted(
                "Choose another name; one of ten letters at most has a bridge of its own name",
            ))
        }
    }
}

/// Addresses that no new network may have, and whose they are.
#[derive(Debug)]
struct Taken {
    subnet: IpNet,
    by: String,
    /// What lies within it is free: the longer prefix has its own packets.
    is_sink: bool,
}

impl Taken {
    fn new(subnet: IpNet, by: impl Into<String>) -> Self {
        Self { subnet, by: by.into(), is_sink: false }
    }

    fn is_in_the_way_of(&self, wanted: &IpNet) -> bool {
        wanted.contains(&self.subnet) || (!self.is_sink && self.subnet.contains(wanted))
    }
}

fn refuse_overlap(wanted: IpNet, taken: &[Taken]) -> Result<()> {
    match taken.iter().find(|taken| taken.is_in_the_way_of(&wanted)) {
        None => Ok(()),
        Some(Taken { subnet, by, .. }) => Err(Error::new(
            ErrorKind::Conflict,
            format!("The subnet {wanted} overlaps with {subnet} of {by}"),
        )
        .about(&wanted)
        .hinted("Choose another one; without --subnet a free one is taken")),
    }
}

/// The private addresses (RFC 1918), in the order in which they are looked through.
const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// The first of 10.0.1.0/24, 10.0.2.0/24, … that nobody has; a tunnel may have all of 10.0.0.0/8.
fn free_subnet(taken: &[Taken]) -> Result<Ipv4Net> {
    let usual: Ipv4Net = net::DEFAULT_SUBNET.parse().expect("a subnet");
    let each = PRIVATE.iter().flat_map(|all| {
        let all: Ipv4Net = all.parse().expect("a subnet");
        all.subnets(24).expect("24 is longer than each")
    });
    each.filter(|subnet| *subnet != usual)
        .find(|subnet| refuse_overlap(IpNet::V4(*subnet), taken).is_ok())
        .ok_or_else(|| {
            Error::new(ErrorKind::Resource, format!("No subnet of {} is free", PRIVATE.join(", ")))
                .hinted("Make a network with another one: volt net create NAME --subnet CIDR")
        })
}

impl From<volt_host::netlink::Error> for Error {
    fn from(error: volt_host::netlink::Error) -> Self {
        let refused = error.source.kind() == std::io::ErrorKind::PermissionDenied;
        let (kind, title) = match refused {
            true => (ErrorKind::Permission, "This needs more rights"),
            false => (ErrorKind::General, "The kernel's network could not be changed"),
        };
        let out = Self::new(kind, title).because(error);
        if refused { out.hinted("Run it as root") } else { out }
    }
}
