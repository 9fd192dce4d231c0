//! Whether somebody may reach somebody, and what says so: by the list of rules that the firewall is rendered from.

use crate::Engine;
use crate::error::{Error, Result};
use crate::firewall::of_another;
use std::net::IpAddr;
use volt_host::netlink::Netlink;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::policy::{
    Action, By, Flow, Orders, Party, Ports, Rule, Target, Who, compile, compile_input, decide,
};
use volt_model::net::{Attached, Endpoint, Network, Protocol, Published};

/// One way from one to the other, and whether it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who begins.
    pub from: End,
    /// Whom they want to reach.
    pub to: End,
    /// Whether they may.
    pub allowed: bool,
    /// What says so.
    pub by: String,
}

/// One end of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The workload, or who else.
    pub who: String,
    /// The network by which a workload takes part.
    pub network: Option<Name>,
    /// The address.
    pub ip: Option<IpAddr>,
}

/// Who was asked about: a workload with its connections, by one of its addresses perhaps, or the host itself, or whoever is neither.
enum Asked {
    Workload(Box<Attached>, Option<IpAddr>),
    Host(Option<IpAddr>),
    Outside(Option<IpAddr>),
}

/// What is at one end: a workload with one of its connections, or an address of nobody's.
#[derive(Clone, Copy)]
enum Place<'a> {
    Member(&'a Attached, &'a Endpoint, IpAddr),
    Outside(Option<IpAddr>),
}

impl Engine {
    /// Says of each way from one to the other whether it is open.
    ///
    /// # Errors
    /// `NotFound` for who is not there, `Conflict` for who is not connected, `Usage` for who is many.
    pub fn net_policy_test(&self, from: &Who, to: &Target) -> Result<Vec<Answer>> {
        let (orders, networks) = (self.orders()?, self.networks_or_none()?);
        let from = self.asked(from)?;
        if matches!(from, Asked::Host(_)) {
            return Err(Error::new(ErrorKind::Usage, "What the host itself sends is let through")
                .hinted("Name a workload, another's address, or outside"));
        }
        let whom = self.asked(&to.who)?;
        let led = self.led(&whom, to.carried)?;
        let rules = compile(&orders, &networks);
        let by = |by_ipv6| {
            let sources = from.places(by_ipv6);
            let (whom, carried) = match (&whom, &led) {
                (Asked::Host(ip), None) => {
                    let answer = |place| to_host(&orders, &networks, place, *ip, to.carried);
                    return sources.into_iter().map(answer).collect();
                }
                (_, Some((member, carried))) => (member, Some(*carried)),
                (whom, None) => (whom, to.carried),
            };
            let each = |(from, place): (Place<'_>, Place<'_>)| {
                let is_member = matches!(from, Place::Member(..));
                let straight = || passed(&orders, &rules, from, place, carried);
                let straight = (led.is_none() || !is_member).then(straight);
                [straight, by_the_host(&rules, from, place, carried)]
            };
            let ways = ways(&networks, &sources, &whom.places(by_ipv6));
            ways.into_iter().flat_map(each).flatten().collect::<Vec<Answer>>()
        };
        match from.ip().or(whom.ip()) {
            Some(ip) => Ok(by(ip.is_ipv6())),
            None => Ok(by_both(by(false), by(true))),
        }
    }

    /// To whom a published port of the host leads that was asked about by an address of the host, and what is carried there.
    fn led(&self, whom: &Asked, carried: Option<Ports>) -> Result<Option<(Asked, Ports)>> {
        let Asked::Host(ip) = whom else { return Ok(None) };
        for mut attached in self.all_attached()? {
            let leads = |port: &&Published| {
                let own = Ports::one(port.protocol, port.host);
                let by_it = port.address.is_none_or(|address| Some(address) == *ip);
                let has_it = ip.is_none_or(|ip| ip.is_ipv4()) || port.ipv6.is_some();
                carried == Some(own) && by_it && has_it
            };
            if let Some(port) = attached.published.iter().find(leads).copied() {
                attached.endpoints.retain(|own| own.ip == port.ip);
                let carried = Ports::one(port.protocol, port.container);
                return Ok(Some((Asked::Workload(Box::new(attached), None), carried)));
            }
        }
        Ok(None)
    }

    /// Whether an address is one of the host's own.
    fn is_of_host(&self, ip: IpAddr) -> Result<bool> {
        let own = Netlink::open()?.addresses()?;
        Ok(own.iter().any(|one| one.own.addr() == ip))
    }

    fn asked(&self, who: &Who) -> Result<Asked> {
        match who {
            Who::Workload(name) => {
                if !self.is_tap(name)
                    && let Some(why) = of_another(name, &self.spec(name)?.network)
                {
                    return Err(Error::new(ErrorKind::Conflict, why).about(name));
                }
                let attached = self.attached(name).ok_or_else(|| {
                    Error::new(ErrorKind::Conflict, format!("{name} is not connected to a network"))
                        .about(name)
                        .hinted(format!("Start it: volt start {name}"))
                })?;
                Ok(Asked::Workload(Box::new(attached), None))
            }
            Who::Subnet(net) if net.prefix_len() == net.max_prefix_len() => {
                let ip = net.addr();
                let mut all = self.all_attached()?;
                let own = |one: &Attached| one.endpoints.iter().any(|own| has(own, ip));
                Ok(match all.iter().position(own) {
                    Some(at) => {
                        let mut one = all.swap_remove(at);
                        one.endpoints.retain(|own| has(own, ip));
                        Asked::Workload(Box::new(one), Some(ip))
                    }
                    None if ip.is_loopback() => {
                        let title = format!(
                            "What is sent to {ip} leaves nobody: it is everyone's own loopback"
                        );
                        return Err(Error::new(ErrorKind::Usage, title)
                            .hinted("Name the host, or one of its other addresses"));
                    }
                    None if self.is_of_host(ip)? => Asked::Host(Some(ip)),
                    None => Asked::Outside(Some(ip)),
                })
            }
            Who::Host => Ok(Asked::Host(None)),
            Who::Outside => Ok(Asked::Outside(None)),
            other => {
                let title = format!("{other} can't be asked about");
                Err(Error::new(ErrorKind::Usage, title)
                    .hinted("Name a workload, an address, or outside; host behind its name"))
            }
        }
    }
}

/// The ways by IPv4, and those by IPv6 of which something else is to be said.
fn by_both(mut ways: Vec<Answer>, mut by_ipv6: Vec<Answer>) -> Vec<Answer> {
    let same = |one: &Answer| {
        let is_it = |other: &Answer| {
            let ends = |one: &Answer| (one.from.network.clone(), one.to.network.clone());
            ends(one) == ends(other) && (one.allowed, &one.by) == (other.allowed, &other.by)
        };
        ways.iter().any(is_it)
    };
    by_ipv6.retain(|one| !same(one));
    ways.append(&mut by_ipv6);
    ways
}

fn has(endpoint: &Endpoint, ip: IpAddr) -> bool {
    ip == IpAddr::V4(endpoint.ip) || Some(ip) == endpoint.ipv6.map(IpAddr::V6)
}

impl Asked {
    /// The address that was asked about.
    fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Workload(_, ip) | Self::Host(ip) | Self::Outside(ip) => *ip,
        }
    }

    /// Its connections; by their IPv6 addresses, where they have such and that is asked.
    fn places(&self, by_ipv6: bool) -> Vec<Place<'_>> {
        match self {
            Self::Workload(attached, _) => {
                let ip = |own: &Endpoint| match own.ipv6 {
                    Some(ip) if by_ipv6 => ip.into(),
                    _ => own.ip.into(),
                };
                attached.endpoints.iter().map(|own| Place::Member(attached, own, ip(own))).collect()
            }
            Self::Host(ip) | Self::Outside(ip) => vec![Place::Outside(*ip)],
        }
    }
}

impl<'a> Place<'a> {
    fn network(self) -> Option<&'a Name> {
        match self {
            Self::Member(_, endpoint, _) => Some(&endpoint.network),
            Self::Outside(_) => None,
        }
    }

    fn party(self) -> Party<'a> {
        match self {
            Self::Member(attached, endpoint, ip) => Party {
                member: Some((&attached.workload, &attached.labels, &endpoint.network)),
                ip: Some(ip),
            },
            Self::Outside(ip) => Party { member: None, ip },
        }
    }

    fn end(self) -> End {
        match self {
            Self::Member(attached, endpoint, ip) => End {
                who: attached.workload.to_string(),
                network: Some(endpoint.network.clone()),
                ip: Some(ip),
            },
            Self::Outside(ip) => End { who: "outside".to_owned(), network: None, ip },
        }
    }
}

/// The ways from one to the other: by the networks that both are on; where there is none, by what the first goes out by.
fn ways<'a>(
    networks: &[Network],
    from: &[Place<'a>],
    to: &[Place<'a>],
) -> Vec<(Place<'a>, Place<'a>)> {
    // Between members nothing leads from IPv4 to IPv6, nor back.
    let is_one_kind = |from: &Place<'a>, to: &Place<'a>| match (from, to) {
        (Place::Member(_, _, from), Place::Member(_, _, to)) => from.is_ipv4() == to.is_ipv4(),
        _ => true,
    };
    let each = |from: &Place<'a>| {
        let all = to.iter().filter(|to| is_one_kind(from, to));
        all.map(|to| (*from, *to)).collect::<Vec<_>>()
    };
    let all: Vec<_> = from.iter().flat_map(each).collect();
    let same = |(from, to): &&(Place<'a>, Place<'a>)| {
        from.network().is_some() && from.network() == to.network()
    };
    let shared: Vec<_> = all.iter().filter(same).copied().collect();
    if !shared.is_empty() {
        return shared;
    }
    let leads_out = |place: &&Place<'a>| {
        let own = |network: &&Network| Some(&network.name) == place.network();
        networks.iter().find(own).is_none_or(|network| !network.internal)
    };
    from.iter().find(leads_out).or(from.first()).map(each).unwrap_or_default()
}

fn passed(
    orders: &Orders,
    rules: &[Rule],
    from: Place<'_>,
    to: Place<'_>,
    carried: Option<Ports>,
) -> Answer {
    let leads = published(to, carried).filter(|_| matches!(from, Place::Outside(_)));
    // What is not exposed comes to the host first, for which its rules hold.
    if let Some(port) = leads.filter(|port| !port.expose) {
        let carried = Some(Ports::one(port.protocol, port.host));
        let answer = to_host(orders, &[], from, None, carried);
        if !answer.allowed {
            return Answer { to: to.end(), ..answer };
        }
    }
    let published = leads.is_some();
    let flow = Flow { from: from.party(), to: to.party(), carried, published };
    let rule = decide(rules, &flow);
    Answer {
        from: from.end(),
        to: to.end(),
        allowed: rule.action == Action::Allow,
        by: rule.by.to_string(),
    }
}

/// The way from one member to another by a published port, which is a second one.
fn by_the_host(
    rules: &[Rule],
    from: Place<'_>,
    to: Place<'_>,
    carried: Option<Ports>,
) -> Option<Answer> {
    if matches!(from, Place::Outside(_)) {
        return None;
    }
    let port = published(to, carried)?;
    let flow = Flow { from: from.party(), to: to.party(), carried, published: true };
    let rule = decide(rules, &flow);
    Some(Answer {
        from: from.end(),
        to: End { ip: None, ..to.end() },
        allowed: rule.action == Action::Allow,
        by: format!("{}, by the host's port {}/{}", rule.by, port.host, port.protocol),
    })
}

/// The port of the host by which somebody reaches a member who is not of the host himself.
fn published(to: Place<'_>, carried: Option<Ports>) -> Option<Published> {
    let Place::Member(attached, endpoint, _) = to else { return None };
    let leads = |port: &&Published| {
        let own = Ports::one(port.protocol, port.container);
        let by_loopback = port.address.is_some_and(|address| address.is_loopback());
        port.ip == endpoint.ip && carried == Some(own) && !by_loopback
    };
    attached.published.iter().find(leads).copied()
}

/// The same of what comes to the host itself. From an internal network that is names and pings, unless a rule says more.
fn to_host(
    orders: &Orders,
    networks: &[Network],
    from: Place<'_>,
    ip: Option<IpAddr>,
    carried: Option<Ports>,
) -> Answer {
    let nobody = Party { member: None, ip: None };
    let flow = Flow { from: from.party(), to: nobody, carried, published: false };
    let rules = compile_input(orders);
    let rule = decide(&rules, &flow);
    let own = networks.iter().find(|network| Some(&network.name) == from.network());
    let serves = |network: &Network| match carried {
        Some(Ports::Row(_, 53, 53)) => network.dns,
        Some(Ports::Row(Protocol::Udp, 67, 67) | Ports::Row(Protocol::Udp, 547, 547)) => {
            network.dhcp
        }
        _ => false,
    };
    let (allowed, by) = match (&rule.by, own) {
        (_, Some(network)) if serves(network) => {
            (true, "names and addresses are told to members".to_owned())
        }
        (By::Free, Some(network)) if network.internal && carried != Some(Ports::Ping) => {
            (false, By::Internal(network.name.clone()).to_string())
        }
        (By::Free, _) => (true, "no rule of Volt's closes it".to_owned()),
        (by, _) => (rule.action == Action::Allow, by.to_string()),
    };
    let to = End { who: "host".to_owned(), network: None, ip };
    Answer { from: from.end(), to, allowed, by }
}
