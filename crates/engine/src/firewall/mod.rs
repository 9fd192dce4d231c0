//! The firewall as it is to be, brought into the kernel.
//!
//! `volt_model::net::ruleset` renders it from the networks, from what workloads have of them, and from what was asked for of who may reach
//! whom (`orders`). When one comes or goes only elements
//! change; where the kernel refuses that, because somebody has flushed the tables or was killed half-way, all is rendered anew.

mod orders;
mod rule;
mod status;

pub use rule::Add;
pub use status::Status;

pub(crate) use orders::{add, of_another, remove};

use crate::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use volt_host::files::{self, Lock, LockMode, Wait};
use volt_host::netlink::{self, Netlink};
use volt_host::nft::{self, Change};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::policy::Orders;
use volt_model::net::ruleset::{self, Element, Family};
use volt_model::net::{Attached, Network, gate};

/// Packets may come out of the gate whoever sent them, as long as there is a way to him.
const LOOSE: &str = "/proc/sys/net/ipv4/conf/voltgate1/rp_filter";
const LOOSELY: &str = "2";
/// How long a command waits while another changes the firewall.
const PATIENCE: Duration = Duration::from_secs(60);

impl Engine {
    pub(crate) fn lock_firewall(&self) -> Result<Lock> {
        Ok(self.locks().lock("firewall", LockMode::Exclusive, Wait::For(PATIENCE))?)
    }

    /// Refuses networks where there can be none.
    pub(crate) fn refuse_without_networks(&self) -> Result<()> {
        if self.is_rootless() {
            return Err(Error::new(ErrorKind::Dependency, "Networks need root")
                .hinted("As a user alone, a container has the network of its host"));
        }
        if self.paths().root.is_some() {
            let title = "An installation below a folder has no networks: bridges and the firewall are the host's";
            return Err(Error::new(ErrorKind::Dependency, title)
                .hinted("Leave --root out, or use --network none or host"));
        }
        if crate::system::can::program("nft").is_none() {
            return Err(Error::new(ErrorKind::Dependency, "The program nft is not installed")
                .hinted("Install it: apt install nftables"));
        }
        Ok(())
    }

    /// Puts the whole firewall into the kernel, in one transaction.
    pub(crate) fn apply_firewall(&self) -> Result<()> {
        let _lock = self.lock_firewall()?;
        self.render_firewall()
    }

    /// The same as if this network were gone, in which nobody is.
    pub(crate) fn apply_firewall_without(&self, network: &Name) -> Result<()> {
        let _lock = self.lock_firewall()?;
        let mut facts = self.facts()?;
        facts.networks.retain(|one| one.name != *network);
        self.render(&facts)
    }

    /// Makes of what a workload had what it has now, and has `write` bring the file up to that which tells of it. What it has no more goes
    /// before, what is new comes after: whoever is killed meanwhile leaves a file by which others find what there is to mend. The
    /// firewall's lock must be held.
    pub(crate) fn change_firewall(
        &self,
        before: Option<&Attached>,
        now: Option<&Attached>,
        write: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let orders = self.orders()?;
        let Some(name) = before.or(now).map(|one| &one.workload) else { return write() };
        let mut others = if orders.has_pairs() { self.all_attached()? } else { Vec::new() };
        others.retain(|other| other.workload != *name);
        let elements = |attached: Option<&Attached>| {
            attached.map(|one| ruleset::elements(one, &others, &orders)).unwrap_or_default()
        };
        // Two ports of a workload may share one.
        let (old, new): (BTreeSet<_>, BTreeSet<_>) =
            (elements(before).into_iter().collect(), elements(now).into_iter().collect());
        let gone: Vec<Element> = old.difference(&new).cloned().collect();
        let took = nft::change(&gone.iter().cloned().map(Change::Remove).collect::<Vec<_>>());
        if let Err(error) = write() {
            // It is as it was. Where even that fails, whoever watches the tables puts it back.
            if let Err(undo) = nft::change(&gone.into_iter().map(Change::Add).collect::<Vec<_>>()) {
                tracing::error!(%name, error = %undo, "what was taken out of the firewall could not be put back");
            }
            return Err(error);
        }
        // What it had already is added once more: somebody was killed perhaps who had told of it and no more.
        let come: Vec<Change> = new.into_iter().map(Change::Add).collect();
        match took.and_then(|()| nft::change(&come)) {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "the firewall is rendered anew");
                self.render_firewall()
            }
        }
    }

    /// The firewall's lock must be held.
    pub(crate) fn render_firewall(&self) -> Result<()> {
        self.render(&self.facts()?)
    }

    /// Makes the kernel's firewall that of the orders which are in force now: by elements where it has the rules. The firewall's lock
    /// must be held.
    fn settle_firewall(&self) -> Result<Facts> {
        let facts = self.facts()?;
        if !facts.need_nothing() && self.has_rules_of(&facts).unwrap_or(false) {
            match nft::settle(&ruleset::sets_of_elements(&facts.orders), &facts.elements()) {
                Ok(()) => return Ok(facts),
                Err(error) => tracing::debug!(%error, "the firewall is rendered anew"),
            }
        }
        self.render(&facts)?;
        Ok(facts)
    }

    fn render(&self, facts: &Facts) -> Result<()> {
        if facts.need_nothing() {
            nft::apply(&ruleset::nothing())?;
            return Ok(Netlink::open()?.remove_gate(gate::INTO, gate::OUT_OF)?);
        }
        let gate = Netlink::open()?.ensure_gate(gate::INTO, gate::OUT_OF).map_err(no_gate)?;
        // What comes out of it has come in elsewhere; the larger of this and what holds for all interfaces counts.
        crate::net::set_switch(LOOSE.as_ref(), LOOSELY)?;
        nft::apply(&ruleset::render(&facts.of(gate), &nft::flows()))?;
        let noted = digests()
            .map(|digests| files::write_volatile(&self.noted_rules(), digests.as_bytes(), 0o600));
        // Without it all is rendered once more.
        if !matches!(noted, Ok(Ok(()))) {
            tracing::warn!("what the kernel has of the firewall can't be noted");
        }
        Ok(())
    }

    /// What the kernel had of all rules when they were rendered last.
    fn noted_rules(&self) -> PathBuf {
        self.paths().run.join("firewall")
    }

    /// All that the firewall is rendered from.
    fn facts(&self) -> Result<Facts> {
        // Without the record of one network it would be open: so the rules stay as they are. Where there are none at all, those
        // about all else are more than nothing: so it is at boot, when nobody is in it yet.
        let networks = match self.networks_or_none() {
            Err(error) if nft::has_table(Family::Inet).unwrap_or(true) => return Err(error),
            Err(_) => self.networks()?,
            Ok(networks) => networks,
        };
        Ok(Facts { networks, attached: self.all_attached()?, orders: self.orders()? })
    }

    /// Whether the kernel's firewall is what would be rendered: as many rules, and the same elements.
    ///
    /// # Errors
    /// When a record can't be read or the kernel can't be asked.
    pub(crate) fn is_firewall_whole(&self) -> Result<bool> {
        let _lock = self.lock_firewall()?;
        self.is_whole(&self.facts()?)
    }

    fn is_whole(&self, facts: &Facts) -> Result<bool> {
        if facts.need_nothing() {
            return Ok(true);
        }
        if !self.has_rules_of(facts)? {
            return Ok(false);
        }
        nft::has_elements(ruleset::sets_of_elements(&facts.orders), &facts.elements())
            .map_err(asked)
    }

    /// Whether the kernel has the tables, sets and rules that would be rendered, whatever is in the sets.
    fn has_rules_of(&self, facts: &Facts) -> Result<bool> {
        let Some(gate) = Netlink::open()?.gate(gate::INTO, gate::OUT_OF)? else {
            return Ok(false);
        };
        if crate::net::switch(LOOSE.as_ref()).as_deref() != Some(LOOSELY) {
            return Ok(false);
        }
        let mut digests = String::new();
        for table in ruleset::tables(&facts.of(gate)) {
            let comment = nft::comment(table.family).map_err(asked)?;
            let rules = nft::rules(table.family).map_err(asked)?;
            if (comment.as_ref(), rules.count) != (Some(&table.comment), table.rules) {
                return Ok(false);
            }
            digests.push_str(&digest(rules));
        }
        // As many rules may have been put in the place of these.
        let noted = files::read_text(&self.noted_rules(), 1 << 10).unwrap_or_default();
        Ok(noted == digests)
    }

    /// Whether there is to be a firewall: networks, or rules about the host itself.
    pub(crate) fn wants_firewall(&self) -> Result<bool> {
        Ok(!self.facts()?.need_nothing())
    }
}

/// What the kernel has of the rules of all tables.
fn digests() -> std::io::Result<String> {
    Family::ALL.into_iter().map(|family| Ok(digest(nft::rules(family)?))).collect()
}

fn digest(rules: nft::Rules) -> String {
    format!("{:016x}\n", rules.digest)
}

fn no_gate(error: netlink::Error) -> Error {
    if !error.is_there_already() {
        return error.into();
    }
    let (into, out_of) = (gate::INTO, gate::OUT_OF);
    let title = format!("The host has an interface {into} or {out_of} that Volt did not make");
    Error::new(ErrorKind::Conflict, title).hinted("Give that another name")
}

fn asked(error: std::io::Error) -> Error {
    Error::new(ErrorKind::General, "The firewall can't be looked at").because(error)
}

struct Facts {
    networks: Vec<Network>,
    attached: Vec<Attached>,
    orders: Orders,
}

impl Facts {
    fn need_nothing(&self) -> bool {
        self.networks.is_empty() && self.attached.is_empty() && self.orders.rules.rules.is_empty()
    }

    fn elements(&self) -> Vec<Element> {
        ruleset::all_elements(&self.networks, &self.attached, &self.orders)
    }

    fn of(&self, gate: u32) -> ruleset::Facts<'_> {
        let Self { networks, attached, orders } = self;
        ruleset::Facts { networks, attached, orders, gate }
    }
}
