//! Connecting a container to a network and disconnecting it, also while it runs.

use super::is_member;
use super::plug::First;
use crate::Engine;
use crate::container::View as ContainerView;
use crate::error::{Error, Result};
use volt_host::files::{Lock, LockMode};
use volt_host::namespaces::NetNs;
use volt_host::netlink::Netlink;
use volt_model::container::{Network as Whose, Spec};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{self, Attached, Attachment, port_name};

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
        if old.network == Whose::Host {
            let title = format!("The container {name} has the host's network");
            return Err(Error::new(ErrorKind::Conflict, title).about(name));
        }
        let network = &attachment.network;
        if is_member(&old, network) {
            if self.is_alive(&old)? && !self.has_endpoint(name, network) {
                // A command that was killed has left it so.
                self.reconnect(&old)?;
                return self.container_inspect(name);
            }
            let title = format!("The container {name} is connected to {network} already");
            return Err(Error::new(ErrorKind::Conflict, title).about(name));
        }
        let _networks = self.hold_networks(std::slice::from_ref(attachment))?;
        let network = self.network(network)?;
        // What is claimed and not used is found by `system check`.
        self.own_number(&network, name, attachment)?;
        let mut new = old.clone();
        new.networks.push(attachment.clone());
        let done = self.save_spec(&new).and_then(|()| self.plug_in_live(&new, attachment));
        if let Err(error) = done {
            let undone = self.save_spec(&old).and_then(|()| self.leave(name, &attachment.network));
            if let Err(undo) = undone {
                tracing::error!(%name, error = %undo.chain().join(": "), "a connection half made could not be undone");
            }
            return Err(error);
        }
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
            let title = format!("The container {name} is not connected to {network}");
            return Err(Error::new(ErrorKind::NotFound, title).about(name));
        }
        if spec.networks[0].network == *network && !spec.publish.is_empty() {
            let title = format!("The ports that {name} publishes lead through {network}");
            return Err(Error::new(ErrorKind::Conflict, title).about(name));
        }
        spec.networks.retain(|attachment| attachment.network != *network);
        self.save_spec(&spec)?;
        self.leave(name, network)?;
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

    /// Connects a container that is connected to others already, or runs: it has the next interface.
    fn plug_in_live(&self, spec: &Spec, attachment: &Attachment) -> Result<()> {
        if !self.is_alive(spec)? {
            return Ok(());
        }
        let namespace = NetNs::open(&self.paths().container_netns(&spec.name))?;
        let mut attached = self.attached(&spec.name).unwrap_or_else(|| Attached {
            workload: spec.name.clone(),
            endpoints: Vec::new(),
            published: Vec::new(),
        });
        let network = self.network(&attachment.network)?;
        let interface = (0..)
            .map(|n| format!("eth{n}"))
            .find(|name| attached.endpoints.iter().all(|endpoint| endpoint.interface != *name))
            .expect("there are more numbers than networks");
        let leads_out = attached.endpoints.is_empty();
        let first = First { leads_out, publishes: leads_out && !spec.publish.is_empty() };
        let endpoint = self.endpoint(&network, &spec.name, attachment, interface)?;
        self.plug(&network, &endpoint, &namespace, first)?;
        attached.endpoints.push(endpoint);
        self.let_through(&attached)
    }

    /// Makes of what a container that runs has of networks what its record says. Its name must be locked.
    pub(crate) fn reconnect(&self, spec: &Spec) -> Result<()> {
        for attachment in
            spec.networks.iter().filter(|to| !self.has_endpoint(&spec.name, &to.network))
        {
            self.plug_in_live(spec, attachment)?;
        }
        let attached = self.attached(&spec.name).map(|all| all.endpoints).unwrap_or_default();
        for endpoint in attached.iter().filter(|endpoint| !is_member(spec, &endpoint.network)) {
            self.leave(&spec.name, &endpoint.network)?;
        }
        Ok(())
    }

    /// Whether what a container that runs has of networks is what its record says.
    pub(crate) fn is_connected_as_recorded(&self, spec: &Spec) -> bool {
        let attached = self.attached(&spec.name).map(|all| all.endpoints).unwrap_or_default();
        attached.len() == spec.networks.len()
            && attached.iter().all(|endpoint| is_member(spec, &endpoint.network))
    }

    fn has_endpoint(&self, name: &Name, network: &Name) -> bool {
        let attached = self.attached(name);
        attached.is_some_and(|all| all.endpoints.iter().any(|one| one.network == *network))
    }

    fn is_alive(&self, spec: &Spec) -> Result<bool> {
        Ok(self.run_state(spec)?.state.is_alive())
    }

    /// Takes away what a workload has of a network that it is to be in no more.
    fn leave(&self, name: &Name, network: &Name) -> Result<()> {
        if let Some(mut attached) = self.attached(name) {
            attached.endpoints.retain(|endpoint| endpoint.network != *network);
            self.let_through(&attached)?;
        }
        Netlink::open()?.delete(&port_name(name, network))?;
        self.addresses()?.give_back(name, Some(network))
    }
}
