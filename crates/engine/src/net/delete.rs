//! Removing a network.

use super::is_member;
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use volt_host::files::{self, LockMode};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Attached, Network};

impl Engine {
    /// Removes a network and its bridge.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`, naming them, while containers are connected to it.
    pub fn net_delete(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_networks(LockMode::Exclusive)?;
        let network = match self.network(name) {
            Err(error) if error.kind == ErrorKind::NotFound => {
                // A removal that was killed may have left the firewall as it was.
                if self.refuse_without_networks().is_ok() {
                    self.apply_firewall().and_then(|()| self.tell_names())?;
                }
                return Err(error);
            }
            read => read?,
        };
        let users = self.users_of_network(name)?;
        if !users.is_empty() {
            let title = format!("The network {name} is used by {}", users.join(", "));
            return Err(Error::new(ErrorKind::Conflict, title)
                .about(name)
                .hinted(format!(
                    "Disconnect them first: volt net disconnect {name} CONTAINER, volt net tap delete TAP"
                )));
        }
        // While there is a record of it whoever is killed leaves something that others find and remove.
        self.apply_firewall_without(name)?;
        self.unmake_network(&network)?;
        self.tell_names()?;
        self.serve_names_no_more();
        Ok(())
    }

    /// Who is in a network: by its record, or by what a killed command has left of a connection.
    fn users_of_network(&self, network: &Name) -> Result<Vec<String>> {
        let specs = self.every_spec()?;
        let recorded = specs.iter().filter(|spec| is_member(spec, network)).map(|spec| &spec.name);
        let taps = self.taps()?.into_iter().filter(|tap| tap.network == *network);
        let taps: Vec<Name> = taps.map(|tap| tap.name).collect();
        let attached = self.all_attached()?;
        let has_port = |one: &&Attached| one.endpoints.iter().any(|to| to.network == *network);
        let connected = attached.iter().filter(has_port).map(|one| &one.workload);
        let containers: BTreeSet<&Name> =
            recorded.chain(connected).filter(|name| !taps.contains(name)).collect();
        let containers = containers.into_iter().map(ToString::to_string);
        Ok(containers.chain(taps.iter().map(|tap| format!("the TAP {tap}"))).collect())
    }

    /// Takes away all that a network is, but in the firewall and the names.
    pub(super) fn unmake_network(&self, network: &Network) -> Result<()> {
        // The record last: until then it is a network whose bridge is raised when somebody needs it.
        self.serve_addresses_no_more(network);
        self.remove_bridge(&network.bridge())?;
        self.addresses()?.forget(&network.name)?;
        files::remove_file(&self.network_path(&network.name))?;
        files::sync_dir(&self.paths().networks())?;
        files::remove_file(&self.paths().restored().join(format!("{}.json", network.name)))?;
        Ok(())
    }
}
