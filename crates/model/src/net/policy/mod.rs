//! Who may reach whom: what was asked for, in `etc/volt/network-policies.json` and `etc/volt/firewall-rules.json`.
//!
//! A policy is between workloads, and between them and what is outside; a rule of the firewall may be about the host too. Both are
//! [`Statement`]s, and [`compile`] makes one list of [`Rule`]s of all: by that list a question is answered ([`decide`]), and that list is
//! what `ruleset` renders. So the answer is what the kernel does.

mod compile;
mod ports;
pub(super) mod render;
#[cfg(test)]
mod tests;
mod who;

pub use compile::{By, Direction, Flow, Party, Rule, Side, compile, compile_input, decide};
pub use ports::{Ports, PortsError};
pub use who::{Target, Who, WhoError};

use super::Attached;
use crate::name::Name;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The most statements that a file may hold: each is a few rules in the kernel.
pub const MOST: usize = 4096;

/// What is done with a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is let through.
    #[default]
    Allow,
    /// It is dropped.
    Deny,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

/// A text that is no action.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is neither allow nor deny")]
pub struct ActionError(String);

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(ActionError(text.chars().take(40).collect())),
        }
    }
}

/// One policy, or one rule of the firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What it is called.
    pub name: Name,
    /// What is done.
    pub action: Action,
    /// Who begins.
    #[serde(default)]
    pub from: Who,
    /// Whom they want to reach.
    #[serde(default)]
    pub to: Who,
    /// By which ports; by all where none is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Ports>,
}

impl Statement {
    /// Whether it is about two workloads by their names and about single ports: the kernel has all such in one set, since there may be
    /// many.
    pub(super) fn is_pair(&self) -> bool {
        is_pair(&self.from, &self.to, &self.ports)
    }
}

fn is_pair(from: &Who, to: &Who, ports: &[Ports]) -> bool {
    let single = |one: &Ports| matches!(one, Ports::Row(_, first, last) if first == last);
    matches!((from, to), (Who::Workload(_), Who::Workload(_)))
        && !ports.is_empty()
        && ports.iter().all(single)
}

/// What is done with what no policy is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// With what comes to the members of a network.
    pub ingress: Action,
    /// With what they begin.
    pub egress: Action,
}

/// `network-policies.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// The format of this file: 1.
    #[serde(deserialize_with = "version")]
    pub version: u32,
    /// What holds in a network where no policy says something else; allow where it is not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<Name, Defaults>,
    /// The policies.
    #[serde(default, deserialize_with = "policies")]
    pub policies: Vec<Statement>,
}

/// `firewall-rules.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirewallRules {
    /// The format of this file: 1.
    #[serde(deserialize_with = "version")]
    pub version: u32,
    /// The rules.
    #[serde(default, deserialize_with = "rules")]
    pub rules: Vec<Statement>,
}

/// The version of both files that this Volt writes.
pub const VERSION: u32 = 1;

impl Default for Policies {
    fn default() -> Self {
        Self { version: VERSION, defaults: BTreeMap::new(), policies: Vec::new() }
    }
}

impl Default for FirewallRules {
    fn default() -> Self {
        Self { version: VERSION, rules: Vec::new() }
    }
}

/// Both files as they were last found good: what the firewall is rendered from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Orders {
    /// The policies.
    pub policies: Policies,
    /// The rules of the firewall.
    pub rules: FirewallRules,
}

/// Which of the two files a statement stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `network-policies.json`.
    Policy,
    /// `firewall-rules.json`.
    Rule,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Policy => "policy",
            Self::Rule => "rule",
        })
    }
}

impl Orders {
    /// All statements, rules before policies.
    pub fn statements(&self) -> impl Iterator<Item = (Kind, &Statement)> {
        let rules = self.rules.rules.iter().map(|one| (Kind::Rule, one));
        rules.chain(self.policies.policies.iter().map(|one| (Kind::Policy, one)))
    }

    /// Has all that names a workload name it by its new name. Whether anything did.
    pub fn rename(&mut self, from: &Name, to: &Name) -> bool {
        let (rules, policies) = (&mut self.rules.rules, &mut self.policies.policies);
        let sides = rules.iter_mut().chain(policies).flat_map(|one| [&mut one.from, &mut one.to]);
        let named = sides.filter(|who| matches!(who, Who::Workload(name) if name == from));
        named.map(|who| *who = Who::Workload(to.clone())).count() > 0
    }

    /// Whether a workload is named.
    #[must_use]
    pub fn name(&self, workload: &Name) -> bool {
        let mut sides = self.statements().flat_map(|(_, one)| [&one.from, &one.to]);
        sides.any(|who| matches!(who, Who::Workload(name) if name == workload))
    }

    /// The networks that are named, some more than once.
    pub fn networks(&self) -> impl Iterator<Item = &Name> {
        let sides = self.statements().flat_map(|(_, one)| [&one.from, &one.to]);
        let named = sides.filter_map(|who| match who {
            Who::Network(name) => Some(name),
            _ => None,
        });
        named.chain(self.policies.defaults.keys())
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements().next().is_none() && self.policies.defaults.is_empty()
    }

    /// Whether what a workload has in the kernel's sets depends on who else is connected.
    #[must_use]
    pub fn has_pairs(&self) -> bool {
        self.statements().any(|(_, one)| one.is_pair())
    }

    /// Those about whom the kernel has a set, in the order of its numbers.
    #[must_use]
    pub fn groups(&self) -> Vec<Who> {
        let each = self.statements().filter(|(_, one)| !one.is_pair());
        let sides = each.flat_map(|(_, one)| [&one.from, &one.to]);
        let named = sides.filter(|who| who.is_group()).cloned();
        let denying = self.policies.defaults.iter().filter(|(_, of)| **of != Defaults::default());
        let all: BTreeSet<Who> =
            named.chain(denying.map(|(name, _)| Who::Network(name.clone()))).collect();
        all.into_iter().collect()
    }
}

/// Checks one statement.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check(kind: Kind, one: &Statement) -> Result<(), String> {
    if one.from == Who::Host {
        return Err(format!("the {kind} {} begins at the host, which nobody keeps", one.name));
    }
    if one.to == Who::Host && kind == Kind::Policy {
        return Err(format!(
            "the policy {} is about the host: that is for a rule of the firewall",
            one.name
        ));
    }
    let differ = matches!((&one.from, &one.to), (Who::Subnet(from), Who::Subnet(to))
        if matches!(from, ipnet::IpNet::V4(_)) != matches!(to, ipnet::IpNet::V4(_)));
    if differ {
        return Err(format!("the {kind} {} leads from IPv4 to IPv6, or back", one.name));
    }
    Ok(())
}

fn version<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        VERSION => Ok(VERSION),
        other => Err(de::Error::custom(format!("the version is {other}; this Volt knows 1"))),
    }
}

fn policies<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Statement>, D::Error> {
    from.deserialize_seq(Checked(Kind::Policy))
}

fn rules<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Statement>, D::Error> {
    from.deserialize_seq(Checked(Kind::Rule))
}

/// Reads a list and checks each as it comes, so that an error has the line of the one that is wrong.
struct Checked(Kind);

impl<'de> Visitor<'de> for Checked {
    type Value = Vec<Statement>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list, each a {}", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Statement>, A::Error> {
        let (mut all, mut names) = (Vec::new(), BTreeSet::new());
        while let Some(one) = seq.next_element::<Statement>()? {
            check(self.0, &one).map_err(de::Error::custom)?;
            if !names.insert(one.name.clone()) {
                let wrong = format!("there are two with the name {}", one.name);
                return Err(de::Error::custom(wrong));
            }
            if all.len() == MOST {
                return Err(de::Error::custom(format!("there are more than {MOST}")));
            }
            all.push(one);
        }
        Ok(all)
    }
}

/// Whether a connection of a workload belongs to a group; by any of them where none is said.
pub(super) fn belongs(who: &Who, attached: &Attached, network: &Name) -> bool {
    who.is(Some((&attached.workload, &attached.labels, network)), None)
}
