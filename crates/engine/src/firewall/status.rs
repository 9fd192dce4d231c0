//! How the firewall stands.

use super::{Facts, asked};
use crate::Engine;
use crate::error::Result;
use std::collections::BTreeSet;
use volt_host::{files, nft};
use volt_model::name::Name;

/// How the firewall stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether the kernel has what it is to have.
    pub whole: bool,
    /// How many networks there are.
    pub networks: usize,
    /// How many workloads are connected.
    pub connected: usize,
    /// How many ports of the host lead in.
    pub published: usize,
    /// How many policies are in force.
    pub policies: usize,
    /// How many rules are.
    pub rules: usize,
    /// Why what the files say is not what is in force; none where it is.
    pub pending: Option<String>,
    /// Whether the kernel shows what crosses a bridge to the rules for what is routed, too.
    pub bridge_nf: bool,
    /// Chains of other programs that drop what they do not know, of what comes to the host or is passed on.
    pub closed: Vec<String>,
    /// Networks that policies, rules or what holds by default name, and that there are not: what is said of them holds nobody back.
    pub unknown: Vec<Name>,
}

impl Engine {
    /// How the firewall stands.
    ///
    /// # Errors
    /// When a record can't be read or the kernel can't be asked.
    pub fn firewall_status(&self) -> Result<Status> {
        self.refuse_without_networks()?;
        let _lock = self.lock_firewall()?;
        let facts = self.facts()?;
        self.status(&facts, self.is_whole(&facts)?)
    }

    /// How it stands, where it is known whether the kernel has what it is to have.
    pub(super) fn status(&self, facts: &Facts, whole: bool) -> Result<Status> {
        let pending = match self.written_orders() {
            Ok(written) if written == facts.orders => None,
            Ok(_) => Some("the files were changed: volt firewall reload".to_owned()),
            Err(error) => Some(error.message),
        };
        let switch = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        Ok(Status {
            whole,
            networks: facts.networks.len(),
            connected: facts.attached.len(),
            published: facts.attached.iter().map(|one| one.published.len()).sum(),
            policies: facts.orders.policies.policies.len(),
            rules: facts.orders.rules.rules.len(),
            pending,
            bridge_nf: files::read_text(switch.as_ref(), 16).is_ok_and(|text| text.trim() == "1"),
            closed: nft::closed().map_err(asked)?.iter().map(ToString::to_string).collect(),
            unknown: facts
                .orders
                .networks()
                .filter(|name| facts.networks.iter().all(|network| network.name != **name))
                .cloned()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        })
    }
}
