//! Connecting a container to a network and disconnecting it, also while it runs.

use super::is_member;
use super::plug::{Role, unconnected};
use crate::Engine;
use crate::container::View as ContainerView;
use crate::error::{Error, Result};
use std::fs::OpenOptions;
use std::io::Write;
use volt_host::files::{self, Lock, LockMode};
use volt_host::namespaces::{self, NetNs};
use volt_host::netlink::Netlink;
use volt_model::container::{Network as Whose, Spec};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{self, Attached, Attachment, Endpoint, port_name};

impl Engine {
    /// Connects a container to a network. One that runs has the interface when this returns.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for one that is connected already, has the host's network, or wants an address that somebody has;
    /// `Resource` for a full subnet. Then all is as it was.
    pub fn net_connect(&self, name: &Name, attachment: &Attachment) -> Result<ContainerView> {
        self.refuse_without_networks()?;
        let _lock = self.lock_name(name)?;
        let old = self.spec(name)?;
        if old.network != Whose::None {
            let title =
                format!("The container {name} has a network that is not its own: {}", old.network);
            return Err(Error::new(ErrorKind::Conflict, title).about(name));
        }
        let network = &attachment.network;
        if is_member(&old, network) {
            let missing = !self.has_endpoint(name, network);
            // A command that was killed may have left it half connected.
            self.reconnect(&old)?;
            if missing && self.has_endpoint(name, network) {
                return self.container_inspect(name);
            }
            let title = format!("The container {name} is connected to {network} already");
            return Err(Error::new(ErrorKind::Conflict, title).about(name));
        }
        let _networks = self.hold_networks(std::slice::from_ref(attachment))?;
        if let Some(ip) = attachment.ip {
            super::addresses::wanted_number(&self.network(network)?, ip)?;
        }
        let mut new = old.clone();
        new.networks.push(attachment.clone());
        let root = self.lock_root(name)?;
        if self.has_endpoint(name, &attachment.network) {
            // A killed command has plugged it in, and its record doesn't tell.
            self.unplug(name, &attachment.network)?;
        }
        // An address is held by nobody whose record doesn't say so, whoever is killed.
        let done = self
            .save_spec(&new)
            .and_then(|()| self.own_number(&self.network(network)?, name, attachment))
            .and_then(|_| self.plug_in_live(&new, attachment));
        if let Err(error) = done {
            let left = self.leave(name, &attachment.network);
            let led = self.lead_out_again(&old);
            if let Err(undo) = left.and(led).and(self.save_spec(&old)) {
                tracing::error!(%name, error = %undo.chain().join(": "), "a connection half made could not be undone");
            }
            return Err(error);
        }
        drop(root);
        self.container_inspect(name)
    }

    /// Disconnects a container from a network. One that runs has the interface no more when this returns.
    ///
    /// # Errors
    /// `NotFound` for one that is not connected to it; `Conflict` while published ports lead through it.
    pub fn net_disconnect(&self, name: &Name, network: &Name) -> Result<ContainerView> {
        self.refuse_without_networks()?;
        let _lock = self.lock_name(name)?;
        let mut spec = self.spec(name)?;
        if !is_member(&spec, network) {
            // A command that was killed may have left it half connected.
            let left = self.has_endpoint(name, network);
            let _root = self.lock_root(name)?;
            if left {
                self.lead_out_again(&spec)?;
            }
            self.leave(name, network)?;
            if left {
                return self.container_inspect(name);
            }
            let title = format!("The container {name} is not connected to {network}");
            return Err(Error::new(ErrorKind::NotFound, title).about(name));
        }
        if spec.networks[0].network == *network && !spec.publish.is_empty() {
            let title = format!("The ports that {name} publishes lead through {network}");
            return Err(Error::new(ErrorKind::Conflict, title).about(name));
        }
        spec.networks.retain(|attachment| attachment.network != *network);
        let root = self.lock_root(name)?;
        self.save_spec(&spec)?;
        self.lead_out_again(&spec)?;
        self.leave(name, network)?;
        drop(root);
        self.container_inspect(name)
    }

    /// Keeps networks from being removed until the record of who uses them is written. The default one is made where it is wanted.
    pub(crate) fn hold_networks(&self, attachments: &[Attachment]) -> Result<Option<Lock>> {
        if attachments.is_empty() {
            return Ok(None);
        }
        self.refuse_without_networks()?;
        if attachments.iter().any(|attachment| attachment.network.as_str() == net::DEFAULT) {
            self.make_default_network()?;
        }
        let lock = self.lock_networks(LockMode::Shared)?;
        for attachment in attachments {
            drop(self.network(&attachment.network)?);
        }
        Ok(Some(lock))
    }

    /// Connects a container that is connected to others already, or runs: it has the next interface. Its root must be locked, so that no
    /// run of it begins or ends meanwhile.
    fn plug_in_live(&self, spec: &Spec, attachment: &Attachment) -> Result<()> {
        if !self.is_prepared(&spec.name)? {
            return Ok(());
        }
        let namespace = NetNs::open(&self.paths().container_netns(&spec.name))?;
        let mut attached = self.attached(&spec.name).unwrap_or_else(|| unconnected(spec));
        let network = self.network(&attachment.network)?;
        // What nothing tells of any more would keep the name of its interface.
        Netlink::open()?.delete(&port_name(&spec.name, &network.name))?;
        let interface = free_interface(&attached, &namespace)?;
        let first = spec.networks.first().is_some_and(|first| first.network == network.name);
        let endpoint = self.endpoint(&network, &spec.name, attachment, interface)?;
        let endpoint = Endpoint { rate: spec.limits.rate, ..endpoint };
        attached.endpoints.push(endpoint.clone());
        // By the first the ports lead in, and by the first that may the way out.
        let place = |own: &Endpoint| spec.networks.iter().position(|to| to.network == own.network);
        attached.endpoints.sort_by_key(place);
        let own = attached.endpoints.iter().position(|one| *one == endpoint).unwrap_or_default();
        let role = Role {
            gateways: self.ways_out(&attached, own)?,
            publishes: first && !spec.publish.is_empty(),
        };
        self.plug(&network, &endpoint, &namespace, &role)?;
        attached.published = self.published(spec, &attached.endpoints)?;
        self.rewrite_name_files(spec, &attached)?;
        // Last, for by this others see that it is connected.
        self.let_through(&attached)
    }

    /// Makes of what a container that runs has of networks what its record says. Its name must be locked.
    pub(crate) fn reconnect(&self, spec: &Spec) -> Result<()> {
        let _root = self.lock_root(&spec.name)?;
        for attachment in
            spec.networks.iter().filter(|to| !self.has_endpoint(&spec.name, &to.network))
        {
            self.plug_in_live(spec, attachment)?;
        }
        if let Some(mut attached) = self.attached(&spec.name) {
            attached.published = self.published(spec, &attached.endpoints)?;
            self.let_through(&attached)?;
        }
        self.lead_out_again(spec)?;
        let attached = self.attached(&spec.name).map(|all| all.endpoints).unwrap_or_default();
        for endpoint in attached.iter().filter(|endpoint| !is_member(spec, &endpoint.network)) {
            self.leave(&spec.name, &endpoint.network)?;
        }
        Ok(())
    }

    /// Has a container that runs go out by the first network that leads out, of those that it is to have, and find names there. What it is not
    /// to have it leaves after this: by that others see whether it is done.
    fn lead_out_again(&self, spec: &Spec) -> Result<()> {
        let mut attached = self.attached(&spec.name).unwrap_or_else(|| unconnected(spec));
        attached.endpoints.retain(|endpoint| is_member(spec, &endpoint.network));
        if !self.is_prepared(&spec.name)? {
            return Ok(());
        }
        let namespace = NetNs::open(&self.paths().container_netns(&spec.name))?;
        for (i, endpoint) in attached.endpoints.iter().enumerate() {
            let gateways = self.ways_out(&attached, i)?;
            if !gateways.is_empty() {
                Netlink::open_in(&namespace)?.lead_out(&endpoint.interface, &gateways)?;
            }
        }
        self.rewrite_name_files(spec, &attached)
    }

    /// Rewrites the files by which programs in a container that runs find names.
    fn rewrite_name_files(&self, spec: &Spec, attached: &Attached) -> Result<()> {
        let run = self.paths().container_run(&spec.name);
        for (file, text) in [
            ("hosts", self.hosts_file(spec, Some(attached))),
            ("resolv.conf", self.resolv_file(spec, Some(attached))?),
        ] {
            let path = run.join(file);
            // They are mounted one by one: another file of that name would not be seen inside.
            let written = OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()));
            match written {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(|e| files::Error::new("write", &path, e))?,
            }
        }
        Ok(())
    }

    /// Whether what a container that runs has of networks is what its record says.
    pub(crate) fn is_connected_as_recorded(&self, spec: &Spec) -> bool {
        let attached = self.attached(&spec.name);
        let (endpoints, published) =
            attached.map(|all| (all.endpoints, all.published)).unwrap_or_default();
        endpoints.len() == spec.networks.len()
            && endpoints.iter().all(|endpoint| is_member(spec, &endpoint.network))
            // What can't be known of its ports is told elsewhere.
            && self.published(spec, &endpoints).map_or(true, |wanted| wanted == published)
    }

    fn has_endpoint(&self, name: &Name, network: &Name) -> bool {
        let attached = self.attached(name);
        attached.is_some_and(|all| all.endpoints.iter().any(|one| one.network == *network))
    }

    /// Whether a container has its network namespace: it runs, or is about to, or has not been wound up yet.
    fn is_prepared(&self, name: &Name) -> Result<bool> {
        Ok(namespaces::is_netns(&self.paths().container_netns(name))?)
    }

    /// Takes away what a workload has of a network that it is to be in no more.
    fn leave(&self, name: &Name, network: &Name) -> Result<()> {
        self.unplug(name, network)?;
        self.addresses()?.give_back(name, Some(network))
    }

    fn unplug(&self, name: &Name, network: &Name) -> Result<()> {
        if let Some(mut attached) = self.attached(name).filter(|_| self.has_endpoint(name, network))
        {
            attached.endpoints.retain(|endpoint| endpoint.network != *network);
            self.let_through(&attached)?;
        }
        Netlink::open()?.delete(&port_name(name, network))?;
        Ok(())
    }
}

/// A name for the next interface: a killed command may have left one that nothing tells of.
fn free_interface(attached: &Attached, namespace: &NetNs) -> Result<String> {
    let mut there = Netlink::open_in(namespace)?;
    for name in (0..u16::MAX).map(|n| format!("eth{n}")) {
        let is_known = attached.endpoints.iter().any(|endpoint| endpoint.interface == name);
        if !is_known && there.link(&name)?.is_none() {
            return Ok(name);
        }
    }
    Err(Error::new(ErrorKind::Resource, "All names of interfaces are taken"))
}
