//! One list of rules of all that was asked for, in the order in which they are looked at: the first that fits decides.
//!
//! What a network is comes first, and nothing opens it: internal, isolated, closed to what is outside. Then deny beats allow, and allow
//! beats the network's default; what is left is as it is without policies.

use super::{Action, Kind, Orders, Ports, Who};
use crate::name::Name;
use crate::net::Network;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// One side of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Whom a statement names.
    Who(Who),
    /// A member of any network.
    Inside,
    /// Whoever is not in this network.
    Not(Name),
}

/// A rule: what is done with flows that it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What is done.
    pub action: Action,
    /// Who begins.
    pub from: Side,
    /// Whom they want to reach.
    pub to: Side,
    /// By which ports; by all where there are none.
    pub ports: Vec<Ports>,
    /// Whether it fits only what is led in by a published port, or only what is not.
    pub published: Option<bool>,
    /// Why it is there.
    pub by: By,
}

/// Which way a network's default looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What comes to its members.
    Ingress,
    /// What its members begin.
    Egress,
}

/// What a rule is there by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The network keeps its members apart.
    Isolated(Name),
    /// The network is internal.
    Internal(Name),
    /// From outside only published ports lead in.
    NotPublished,
    /// A policy or a rule of the firewall.
    Statement(Kind, Name),
    /// The default of a network.
    Default(Name, Direction),
    /// Members of a network reach each other.
    Within(Name),
    /// A published port.
    Published,
    /// Networks are kept apart.
    Apart,
    /// What is outside is reached.
    Free,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolated(name) => write!(f, "the network {name} keeps its members apart"),
            Self::Internal(name) => write!(f, "the network {name} is internal"),
            Self::NotPublished => f.write_str("from outside only published ports lead in"),
            Self::Statement(kind, name) => write!(f, "{kind} {name}"),
            Self::Default(name, Direction::Ingress) => write!(f, "ingress default of {name}"),
            Self::Default(name, Direction::Egress) => write!(f, "egress default of {name}"),
            Self::Within(name) => write!(f, "members of {name} reach each other"),
            Self::Published => f.write_str("the port is published"),
            Self::Apart => f.write_str("networks are kept apart"),
            Self::Free => f.write_str("what is outside is reached"),
        }
    }
}

impl Rule {
    fn new(action: Action, from: Side, to: Side, by: By) -> Self {
        Self { action, from, to, ports: Vec::new(), published: None, by }
    }

    /// Whether the kernel has it in its set of pairs.
    pub(super) fn is_pair(&self) -> bool {
        let (Side::Who(from), Side::Who(to)) = (&self.from, &self.to) else { return false };
        matches!(self.by, By::Statement(..)) && super::is_pair(from, to, &self.ports)
    }

    /// Whether it is about a flow.
    #[must_use]
    pub fn fits(&self, flow: &Flow<'_>) -> bool {
        self.published.is_none_or(|published| published == flow.published)
            && self.from.is(&flow.from)
            && self.to.is(&flow.to)
            && (self.ports.is_empty()
                || flow.carried.is_some_and(|one| self.ports.iter().any(|own| own.contain(one))))
    }
}

impl Side {
    fn is(&self, party: &Party<'_>) -> bool {
        match self {
            Self::Who(who) => who.is(party.member, party.ip),
            Self::Inside => party.member.is_some(),
            Self::Not(name) => party.member.is_none_or(|(_, _, network)| network != name),
        }
    }
}

/// One end of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// The workload, its labels, and the network by which it takes part; none for what is outside.
    pub member: Option<(&'a Name, &'a BTreeMap<String, String>, &'a Name)>,
    /// The address.
    pub ip: Option<IpAddr>,
}

/// What somebody begins with somebody else.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// Who begins.
    pub from: Party<'a>,
    /// With whom.
    pub to: Party<'a>,
    /// The port, or a ping; none for what has neither.
    pub carried: Option<Ports>,
    /// Whether a published port leads it in.
    pub published: bool,
}

/// The rule that decides.
///
/// # Panics
/// When the list is not one that [`compile`] or [`compile_input`] made: in theirs one fits always.
#[must_use]
pub fn decide<'a>(rules: &'a [Rule], flow: &Flow<'_>) -> &'a Rule {
    rules.iter().find(|rule| rule.fits(flow)).expect("the last rule fits all")
}

/// What holds for all that is passed on, between workloads, and between them and what is outside.
#[must_use]
pub fn compile(orders: &Orders, networks: &[Network]) -> Vec<Rule> {
    let network = |network: &Network| Side::Who(Who::Network(network.name.clone()));
    let (any, outside) = (|| Side::Who(Who::Any), || Side::Who(Who::Outside));
    let mut all = Vec::new();
    for one in networks.iter().filter(|one| one.isolate) {
        // By published ports neither: with `bridge-nf-call-iptables` the kernel leads these within the bridge, past its isolated ports.
        let by = By::Isolated(one.name.clone());
        all.push(Rule::new(Action::Deny, network(one), network(one), by));
    }
    for one in networks.iter().filter(|one| one.internal) {
        let (others, by) = (|| Side::Not(one.name.clone()), || By::Internal(one.name.clone()));
        all.push(Rule::new(Action::Deny, network(one), others(), by()));
        all.push(Rule::new(Action::Deny, others(), network(one), by()));
    }
    let closed = Rule::new(Action::Deny, outside(), Side::Inside, By::NotPublished);
    all.push(Rule { published: Some(false), ..closed });
    all.extend(stated(orders, false));
    for (name, defaults) in &orders.policies.defaults {
        let (own, by) = (
            || Side::Who(Who::Network(name.clone())),
            |direction| By::Default(name.clone(), direction),
        );
        if defaults.egress == Action::Deny {
            all.push(Rule::new(Action::Deny, own(), any(), by(Direction::Egress)));
        }
        if defaults.ingress == Action::Deny {
            all.push(Rule::new(Action::Deny, any(), own(), by(Direction::Ingress)));
        }
    }
    for one in networks {
        let by = By::Within(one.name.clone());
        all.push(Rule::new(Action::Allow, network(one), network(one), by));
    }
    let published = Rule::new(Action::Allow, any(), Side::Inside, By::Published);
    all.push(Rule { published: Some(true), ..published });
    all.push(Rule::new(Action::Deny, any(), Side::Inside, By::Apart));
    all.push(Rule::new(Action::Allow, any(), any(), By::Free));
    all
}

/// What rules of the firewall say of all that comes to the host itself. Whom the last one fits the host's other rules decide about, and
/// whether a network is internal.
#[must_use]
pub fn compile_input(orders: &Orders) -> Vec<Rule> {
    let any = || Side::Who(Who::Any);
    let mut all: Vec<Rule> = stated(orders, true).map(|rule| Rule { to: any(), ..rule }).collect();
    all.push(Rule::new(Action::Allow, any(), any(), By::Free));
    all
}

/// What was asked for: what denies before what allows.
fn stated(orders: &Orders, to_host: bool) -> impl Iterator<Item = Rule> {
    [Action::Deny, Action::Allow].into_iter().flat_map(move |action| {
        let fitting = orders
            .statements()
            .filter(move |(_, one)| one.action == action && (one.to == Who::Host) == to_host);
        fitting.map(|(kind, one)| {
            let (from, to) = (Side::Who(one.from.clone()), Side::Who(one.to.clone()));
            let by = By::Statement(kind, one.name.clone());
            Rule { ports: one.ports.clone(), ..Rule::new(one.action, from, to, by) }
        })
    })
}
