//! What was asked for of who may reach whom: two files that people edit, and what of them is in force.
//!
//! ```text
//! etc/volt/network-policies.json, firewall-rules.json   what the user writes, by commands or by hand
//! var/lib/volt/firewall.json                            both as they were last found good and put in force
//! ```
//! The firewall is rendered from the second alone: a file that is half edited changes nothing, and a bad one leaves the old rules in force,
//! also over a boot.

use super::{Facts, Status};
use crate::Engine;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use std::path::Path;
use volt_host::files;
use volt_model::container::Network;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::policy::{self, FirewallRules, Kind, Orders, Policies, Statement, Who};

/// The most that such a file may hold, in bytes.
const MAX: usize = 4 << 20;

impl Engine {
    /// What is in force.
    ///
    /// # Errors
    /// `InvalidConfig` for a record that can't be read.
    pub(crate) fn orders(&self) -> Result<Orders> {
        let path = self.paths().orders();
        match files::read_json(&path, MAX) {
            Err(e) if e.is_not_found() => Ok(Orders::default()),
            Err(e) => {
                let title = "What is in force of policies and rules can't be read";
                Err(Error::new(ErrorKind::InvalidConfig, title)
                    .about(&path.display())
                    .because(e)
                    .hinted("Put it in force anew: volt firewall reload"))
            }
            Ok(orders) => Ok(orders),
        }
    }

    /// What the two files say.
    ///
    /// # Errors
    /// `InvalidConfig`, with file, line and reason, for one that can't be used; and for one that is gone from which something is in force:
    /// whoever asks for something else doesn't ask for its end.
    pub(super) fn written_orders(&self) -> Result<Orders> {
        let written = self.whatever_is_written()?;
        let (policies, rules) = (self.paths().network_policies(), self.paths().firewall_rules());
        let now = self.orders().unwrap_or_default();
        for (path, is_lost) in [
            (&policies, now.policies != Policies::default() && !policies.exists()),
            (&rules, now.rules != FirewallRules::default() && !rules.exists()),
        ] {
            if is_lost {
                let title = format!("{} is gone, and what it said is in force", path.display());
                return Err(Error::new(ErrorKind::InvalidConfig, title)
                    .about(&path.display())
                    .hinted("Put the file back, or end what it said: volt firewall reload"));
            }
        }
        Ok(written)
    }

    /// The same, where a file that is gone says nothing.
    fn whatever_is_written(&self) -> Result<Orders> {
        Ok(Orders {
            policies: read(&self.paths().network_policies())?,
            rules: read(&self.paths().firewall_rules())?,
        })
    }

    /// Reads both files and puts in force what they say.
    ///
    /// # Errors
    /// `InvalidConfig`, with file, line and reason, for one that can't be used: then all stays as it was.
    pub fn firewall_reload(&self) -> Result<Status> {
        self.refuse_without_networks()?;
        let lock = self.lock_firewall()?;
        let facts = self.put_in_force(&self.whatever_is_written()?)?;
        drop(lock);
        self.have_networks_watched();
        // The kernel has just taken it.
        self.status(&facts, true)
    }

    /// Puts them in force before there is any network, with what else is known. A file that can't be used changes nothing.
    ///
    /// # Errors
    /// When the kernel can't be told.
    pub fn firewall_at_boot(&self) -> Result<()> {
        if let Err(error) = self.take_orders() {
            tracing::error!(error = %error.chain().join(": "), "policies and rules stay as they were");
        }
        self.apply_firewall()
    }

    /// The same as [`Engine::firewall_reload`] at boot, where most often nothing has changed. What networks need is put into the kernel later.
    pub(crate) fn take_orders(&self) -> Result<()> {
        let _lock = self.lock_firewall()?;
        let orders = self.written_orders()?;
        if self.orders().is_ok_and(|old| old == orders) {
            return Ok(());
        }
        self.put_in_force(&orders).map(drop)
    }

    /// Changes what the files say and puts that in force, or does neither.
    pub(crate) fn change_orders<T>(
        &self,
        change: impl FnOnce(&mut Orders) -> Result<T>,
    ) -> Result<T> {
        self.refuse_without_networks()?;
        let lock = self.lock_firewall()?;
        let old = self.written_orders()?;
        let mut new = old.clone();
        let changed = change(&mut new)?;
        self.write_orders(&old, &new)?;
        match self.put_in_force(&new) {
            Ok(_) => {
                // It takes the lock itself.
                drop(lock);
                // Without it nobody puts them in force at the next boot, nor back where another program takes them away.
                self.have_networks_watched();
                Ok(changed)
            }
            Err(error) => {
                if let Err(undo) = self.write_orders(&new, &old) {
                    let chain = undo.chain().join(": ");
                    tracing::error!(error = %chain, "policies and rules could not be put back");
                }
                Err(error)
            }
        }
    }

    /// Refuses to give a workload another name that policies or rules in force name, while they could not follow it.
    ///
    /// # Errors
    /// `InvalidConfig` for a file or a record that can't be read.
    pub(crate) fn refuse_rename_in_orders(&self, from: &Name) -> Result<()> {
        if self.orders()?.name(from) {
            drop(self.written_orders()?);
            if self.refuse_without_networks().is_ok() {
                drop(self.facts()?);
            }
        }
        Ok(())
    }

    /// Has policies and rules follow a workload to its new name: what the files say, and what is in force. Neither becomes the other by
    /// that. May be called again.
    ///
    /// # Errors
    /// When either can't be written.
    pub(crate) fn pass_orders(&self, from: &Name, to: &Name) -> Result<()> {
        let paths =
            [self.paths().orders(), self.paths().network_policies(), self.paths().firewall_rules()];
        if !paths.iter().any(|path| path.exists()) {
            return Ok(());
        }
        let _lock = self.lock_firewall()?;
        match self.written_orders() {
            Ok(old) => {
                let mut new = old.clone();
                if new.rename(from, to) {
                    self.write_orders(&old, &new)?;
                }
            }
            Err(error) => {
                let error = error.chain().join(": ");
                tracing::warn!(%from, %to, error, "a file of policies or rules may still say the old name");
            }
        }
        let mut orders = self.orders()?;
        if !orders.rename(from, to) {
            return Ok(());
        }
        // The firewall is this host's, and what lies below a folder another's.
        if self.refuse_without_networks().is_err() {
            return Ok(files::write_json(&self.paths().orders(), &orders, 0o644)?);
        }
        self.put_in_force(&orders).map(drop)
    }

    /// What is to be known of a statement that holds nobody back, or not yet.
    ///
    /// # Errors
    /// When the networks can't be listed.
    pub fn note_on(&self, one: &Statement) -> Result<Option<String>> {
        let networks = self.network_names()?;
        for who in [&one.from, &one.to] {
            match who {
                Who::Network(name) if !networks.contains(name) => {
                    return Ok(Some(format!("There is no network {name}")));
                }
                Who::Workload(name) => {
                    let network = self.spec(name).ok().map(|spec| spec.network);
                    let note = network.and_then(|network| of_another(name, &network));
                    if note.is_some() {
                        return Ok(note);
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Refuses a statement about a network that there is not.
    pub(crate) fn refuse_unknown_networks(&self, one: &Statement) -> Result<()> {
        for who in [&one.from, &one.to] {
            if let Who::Network(name) = who {
                self.network_record(name).map(drop)?;
            }
        }
        Ok(())
    }

    fn write_orders(&self, old: &Orders, new: &Orders) -> Result<()> {
        files::create_dirs(&self.paths().etc, 0o755)?;
        if old.policies != new.policies {
            files::write_json(&self.paths().network_policies(), &new.policies, 0o644)?;
        }
        if old.rules != new.rules {
            files::write_json(&self.paths().firewall_rules(), &new.rules, 0o644)?;
        }
        Ok(())
    }

    /// Writes down what is in force from now on and swaps the kernel's tables; or leaves both. The firewall's lock must be held.
    fn put_in_force(&self, orders: &Orders) -> Result<Facts> {
        let path = self.paths().orders();
        let old = self.orders().ok();
        files::create_dirs(&self.paths().lib, 0o755)?;
        files::write_json(&path, orders, 0o644)?;
        // Who asks for what is in force already wants the kernel to have it, whatever it says that it has.
        let swapped = match &old {
            Some(old) if old != orders => self.settle_firewall(),
            _ => self.facts().and_then(|facts| self.render(&facts).map(|()| facts)),
        };
        if let (Err(_), Some(old)) = (&swapped, old) {
            files::write_json(&path, &old, 0o644)?;
        }
        swapped
    }
}

/// What is to be known of a workload that has the network of somebody else: whatever is said of it holds nothing.
pub(crate) fn of_another(name: &Name, network: &Network) -> Option<String> {
    match network {
        Network::None => None,
        Network::Host => Some(format!("{name} has the host's network: no policy or rule holds it")),
        Network::Container(other) => Some(format!(
            "{name} has the network of {other}: what is said of {other} holds for it, and nothing else"
        )),
    }
}

fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T> {
    let refused = |why: String| {
        Error::new(ErrorKind::InvalidConfig, format!("{} can't be used: {why}", path.display()))
            .about(&path.display())
            .hinted("What was in force stays so; mend the file, then: volt firewall reload")
    };
    // Whoever opens a pipe waits for somebody to write to it.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(refused("it is no file".to_owned()));
    }
    let bytes = match files::read_bounded(path, MAX) {
        Err(e) if e.is_not_found() => return Ok(T::default()),
        bytes => bytes?,
    };
    serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))
}

/// Adds a statement to those of its kind.
pub(crate) fn add(kind: Kind, all: &mut Vec<Statement>, new: Statement) -> Result<()> {
    policy::check(kind, &new).map_err(|reason| Error::new(ErrorKind::Usage, capital(&reason)))?;
    if all.iter().any(|one| one.name == new.name) {
        let title = format!("There is a {kind} named {} already", new.name);
        return Err(Error::new(ErrorKind::AlreadyExists, title).about(&new.name));
    }
    if all.len() == policy::MOST {
        let title = format!("There are {} of them already, as many as there may be", policy::MOST);
        return Err(Error::new(ErrorKind::Resource, title));
    }
    all.push(new);
    Ok(())
}

/// Takes a statement away from those of its kind.
pub(crate) fn remove(kind: Kind, all: &mut Vec<Statement>, name: &Name) -> Result<()> {
    let before = all.len();
    all.retain(|one| one.name != *name);
    match all.len() == before {
        true => Err(Error::not_found(&kind.to_string(), name)),
        false => Ok(()),
    }
}

/// A sentence that begins one.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
