//! Bridges that belong to no network: they connect interfaces of the host and what others plug in, and are nothing else. What was asked
//! for stands in `bridges/NAME.json`; they are raised and put back with the networks.

use super::bridge::{BRIDGE_ALIAS, refuse_foreign};
use super::create::MTU;
use super::{MAX, stems};
use crate::Engine;
use crate::error::{Error, Result};
use crate::event::restored_file;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::PathBuf;
use volt_host::files::{self, LockMode};
use volt_host::netlink::{self, Link, Netlink};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{
    Bridge, DEFAULT, InterfaceName, Mac, Network, PORT_PREFIX, bridge_mac, gate,
};

/// A bridge of the host as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeView {
    /// What it is called.
    pub name: String,
    /// The network that it belongs to.
    pub network: Option<Name>,
    /// When it was made by `net bridge create`, where it was.
    pub created: Option<Timestamp>,
    /// Whether it is there and on.
    pub up: bool,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// The largest packet, in bytes; 0 where it is not there.
    pub mtu: u32,
    /// What is plugged in, sorted.
    pub ports: Vec<String>,
}

impl Engine {
    /// Lists all bridges of the host, whoever made them, and those of Volt that are not there; sorted by name.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn net_bridge_list(&self) -> Result<Vec<BridgeView>> {
        let (networks, bare) = (self.networks()?, self.bare_bridges()?);
        let links = Netlink::open()?.links()?;
        let bridges = links.iter().filter(|link| link.is_bridge);
        let mut names: BTreeSet<String> = bridges.map(|link| link.name.clone()).collect();
        names.extend(networks.iter().map(Network::bridge));
        names.extend(bare.iter().map(|bridge| bridge.name.to_string()));
        let view = |name: String| {
            let link = links.iter().find(|link| link.is_bridge && link.name == name);
            BridgeView {
                network: networks.iter().find(|one| one.bridge() == name).map(|n| n.name.clone()),
                created: bare.iter().find(|one| one.name.as_str() == name).map(|b| b.created),
                up: link.is_some_and(|link| link.is_up),
                mac: link.and_then(|link| link.mac),
                mtu: link.map_or(0, |link| link.mtu),
                ports: link.map(|link| ports(&links, link.index)).unwrap_or_default(),
                name,
            }
        };
        Ok(names.into_iter().map(view).collect())
    }

    /// Makes a bridge and plugs interfaces of the host in.
    ///
    /// # Errors
    /// `Usage` for a name that no such bridge can have, `AlreadyExists`, `Conflict` for an interface that is called so, `NotFound` and
    /// `Conflict` for a port that isn't there or is another bridge's.
    pub fn net_bridge_create(
        &self,
        name: &Name,
        mtu: Option<u32>,
        ports: Vec<InterfaceName>,
    ) -> Result<BridgeView> {
        self.refuse_without_networks()?;
        let lock = self.lock_networks(LockMode::Exclusive)?;
        check(name, mtu)?;
        let path = self.bare_path(name);
        let links = Netlink::open()?.links()?;
        if path.exists() {
            let title = format!("There is a bridge named {name} already");
            return Err(Error::new(ErrorKind::AlreadyExists, title).about(name));
        }
        if links.iter().any(|link| link.name == name.as_str()) {
            let title = format!("The host has an interface {name} already");
            return Err(Error::new(ErrorKind::Conflict, title).about(name));
        }
        ports.iter().try_for_each(|port| check_port(&links, port))?;
        let created = Timestamp::now();
        let bridge = Bridge { version: Bridge::VERSION, name: name.clone(), mtu, ports, created };
        files::create_dirs(&self.paths().bridges(), 0o755)?;
        files::write_json(&path, &bridge, 0o644)?;
        if let Err(error) = self.raise_bare(&bridge) {
            let undone = files::remove_file(&path).map_err(Error::from);
            if let Err(undo) = undone.and_then(|_| self.remove_bridge(name.as_str())) {
                tracing::error!(%name, error = %undo.chain().join(": "), "a bridge half made could not be undone");
            }
            return Err(error);
        }
        drop(lock);
        self.have_networks_watched();
        let mut all = self.net_bridge_list()?;
        all.retain(|bridge| bridge.name == name.as_str());
        all.pop().ok_or_else(|| Error::not_found("bridge", name))
    }

    /// Removes a bridge that was made so. The interfaces of the host that were plugged in stay.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for one that is a network's or another program's, or into which somebody has plugged something.
    pub fn net_bridge_delete(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_networks(LockMode::Exclusive)?;
        let conflict = |title: String| Error::new(ErrorKind::Conflict, title).about(name);
        let links = Netlink::open()?.links()?;
        let link = links.iter().find(|link| link.is_bridge && link.name == name.as_str());
        let Some(bridge) = self.bare_bridges()?.into_iter().find(|one| one.name == *name) else {
            let network = self.networks()?.into_iter().find(|one| one.bridge() == name.as_str());
            return Err(match (network, link) {
                (Some(network), _) => {
                    let title =
                        format!("The bridge {name} is that of the network {}", network.name);
                    conflict(title).hinted(format!("volt net delete {}", network.name))
                }
                (None, Some(_)) => conflict(format!("The bridge {name} was not made by Volt")),
                (None, None) => Error::not_found("bridge", name)
                    .hinted("`volt net bridge list` lists all there are"),
            });
        };
        let mut others = link.map(|link| ports(&links, link.index)).unwrap_or_default();
        others.retain(|port| bridge.ports.iter().all(|own| own.as_str() != port));
        if !others.is_empty() {
            return Err(conflict(format!("The bridge {name} is used by {}", others.join(", "))));
        }
        // The record last: until then it is put back.
        self.remove_bridge(name.as_str())?;
        files::remove_file(&self.bare_path(name))?;
        let told = restored_file("bridge", name.as_str());
        files::remove_file(&self.paths().restored().join(told))?;
        Ok(files::sync_dir(&self.paths().bridges())?)
    }

    fn bare_path(&self, name: &Name) -> PathBuf {
        self.paths().bridges().join(format!("{name}.json"))
    }

    /// All bridges that belong to no network, sorted by name. One that can't be read is told in the log and left out.
    pub(crate) fn bare_bridges(&self) -> Result<Vec<Bridge>> {
        let read = |name: &Name| match files::read_json::<Bridge>(&self.bare_path(name), MAX) {
            Ok(bridge) if bridge.version == Bridge::VERSION && bridge.name == *name => Some(bridge),
            Ok(_) => {
                tracing::warn!(%name, "a bridge's record is another's, or of another version");
                None
            }
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                tracing::warn!(%name, %error, "a bridge's record can't be read");
                None
            }
        };
        Ok(stems(&self.paths().bridges())?.iter().filter_map(read).collect())
    }

    /// What they are called, those too whose records can't be read.
    pub(crate) fn bare_bridge_names(&self) -> Result<Vec<Name>> {
        Ok(stems(&self.paths().bridges())?)
    }

    /// Makes a bridge where it is missing, and plugs in what is to be and is there.
    pub(super) fn raise_bare(&self, bridge: &Bridge) -> Result<()> {
        let mut netlink = Netlink::open()?;
        let name = bridge.name.as_str();
        refuse_foreign(&mut netlink, name)?;
        let mac = bridge_mac(name);
        netlink.ensure_bridge(&netlink::Bridge {
            name,
            mac,
            mtu: bridge.mtu,
            alias: BRIDGE_ALIAS,
            addresses: &[],
        })?;
        let Some(link) = netlink.link(name)? else { return Ok(()) };
        for port in &bridge.ports {
            if netlink.link(port.as_str())?.is_some_and(|port| port.bridge != Some(link.index)) {
                netlink.put_into(port.as_str(), link.index)?;
            }
        }
        Ok(())
    }

    /// Puts back what another program has taken away of these bridges. Whoever removes one is waited for.
    pub(super) fn put_bare_back(&self) -> Result<()> {
        let _lock = self.lock_networks(LockMode::Shared)?;
        let bridges = self.bare_bridges()?;
        if bridges.is_empty() {
            return Ok(());
        }
        let links = Netlink::open()?.links()?;
        let lost = self.lost_of_bare(&links)?;
        if lost.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            lost = lost.join(", "),
            "another program took away bridges; they are put back"
        );
        bridges.iter().map(|bridge| self.raise_bare(bridge)).fold(Ok(()), Result::and)?;
        for bridge in &bridges {
            let own = lost_of(bridge, &links);
            if !own.is_empty() {
                self.tell_of_restored("bridge", bridge.name.as_str(), &own);
            }
        }
        Ok(())
    }

    /// What of these bridges the kernel has not, in words: a bridge, or a port that is there and not in it.
    pub(crate) fn lost_of_bare(&self, links: &[Link]) -> Result<Vec<String>> {
        Ok(self.bare_bridges()?.iter().flat_map(|bridge| lost_of(bridge, links)).collect())
    }
}

/// What of a bridge the kernel has not.
fn lost_of(bridge: &Bridge, links: &[Link]) -> Vec<String> {
    let up = |link: &&Link| link.is_bridge && link.is_up;
    let found = links.iter().find(|link| link.name == bridge.name.as_str()).filter(up);
    let Some(index) = found.map(|link| link.index) else { return vec![bridge.name.to_string()] };
    let out = links.iter().filter(|link| link.bridge != Some(index));
    let out = out.filter(|link| bridge.ports.iter().any(|own| own.as_str() == link.name));
    out.map(|link| link.name.clone()).collect()
}

/// What is plugged into the bridge of this number, sorted.
fn ports(links: &[Link], bridge: u32) -> Vec<String> {
    let own = links.iter().filter(|link| link.bridge == Some(bridge));
    let mut names: Vec<String> = own.map(|link| link.name.clone()).collect();
    names.sort_unstable();
    names
}

fn check(name: &Name, mtu: Option<u32>) -> Result<()> {
    let text = name.as_str();
    let own = ["volt-", PORT_PREFIX, gate::PREFIX];
    let of_networks = text == DEFAULT || own.iter().any(|own| text.starts_with(own));
    let wrong = if text.len() > InterfaceName::MAX {
        "an interface's name has at most 15 characters"
    } else if of_networks {
        "names like this are those of networks' bridges and ports"
    } else if mtu.is_some_and(|mtu| !MTU.contains(&mtu)) {
        "its MTU is from 1280 to 65535 bytes"
    } else {
        return Ok(());
    };
    let title = format!("The bridge {name} can't be so: {wrong}");
    Err(Error::new(ErrorKind::Usage, title).about(name))
}

fn check_port(links: &[Link], port: &InterfaceName) -> Result<()> {
    let Some(link) = links.iter().find(|link| link.name == port.as_str()) else {
        return Err(Error::not_found("interface", port));
    };
    let why = match link.bridge {
        Some(_) => "is in a bridge already",
        None if link.is_bridge => "is a bridge itself",
        None => return Ok(()),
    };
    Err(Error::new(ErrorKind::Conflict, format!("The interface {port} {why}")).about(port))
}
