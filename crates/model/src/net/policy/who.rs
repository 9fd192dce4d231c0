//! Whom a policy or a rule is about.

use super::Ports;
use crate::name::Name;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Whom a statement is about, on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Everybody but the host: members of networks and what is outside.
    #[default]
    Any,
    /// Whoever is no member of a network.
    Outside,
    /// The host itself.
    Host,
    /// One workload.
    Workload(Name),
    /// All workloads with a label.
    Label(String, String),
    /// All members of a network, by their addresses in it.
    Network(Name),
    /// Addresses.
    Subnet(IpNet),
}

impl Who {
    /// Whether it stands for workloads that come and go, so that the kernel has a set of their addresses.
    #[must_use]
    pub const fn is_group(&self) -> bool {
        matches!(self, Self::Workload(_) | Self::Label(..) | Self::Network(_))
    }

    /// Whether a party is meant: a workload with its labels by its connection to a network, or whoever has the address alone.
    #[must_use]
    pub fn is(
        &self,
        member: Option<(&Name, &BTreeMap<String, String>, &Name)>,
        ip: Option<IpAddr>,
    ) -> bool {
        match self {
            Self::Any => true,
            Self::Outside => member.is_none(),
            Self::Host => false,
            Self::Workload(name) => member.is_some_and(|(own, _, _)| own == name),
            Self::Label(key, value) => {
                member.is_some_and(|(_, labels, _)| labels.get(key) == Some(value))
            }
            Self::Network(name) => member.is_some_and(|(_, _, network)| network == name),
            Self::Subnet(net) => ip.is_some_and(|ip| net.contains(&ip)),
        }
    }
}

/// A text that means nobody.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is nobody: {reason}")]
pub struct WhoError {
    text: String,
    reason: String,
}

/// What workloads can't be called without saying that it is a name: these words mean something else.
const WORDS: [&str; 3] = ["any", "outside", "host"];

impl FromStr for Who {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        let wrong = |reason: &dyn fmt::Display| WhoError {
            text: text.chars().take(80).collect(),
            reason: reason.to_string(),
        };
        let name = |text: &str| text.parse::<Name>().map_err(|e| wrong(&e));
        match text {
            "any" => return Ok(Self::Any),
            "outside" => return Ok(Self::Outside),
            "host" => return Ok(Self::Host),
            _ => {}
        }
        if let Some(rest) = text.strip_prefix("name:") {
            return name(rest).map(Self::Workload);
        }
        if let Some(rest) = text.strip_prefix("net:") {
            return name(rest).map(Self::Network);
        }
        if let Some((key, value)) = text.split_once('=') {
            let plain = |text: &str| !text.chars().any(char::is_control) && text.len() <= 256;
            return match !key.is_empty() && plain(key) && plain(value) {
                true => Ok(Self::Label(key.to_owned(), value.to_owned())),
                false => Err(wrong(&"a label is KEY=VALUE, at most 256 characters each")),
            };
        }
        if text.contains(['.', ':', '/']) {
            return subnet(text).map(Self::Subnet).map_err(|reason| wrong(&reason));
        }
        name(text).map(Self::Workload)
    }
}

/// `ADDRESS` or `ADDRESS/PREFIX`.
fn subnet(text: &str) -> Result<IpNet, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(ip.into());
    }
    let net: IpNet = text.parse().map_err(|_| {
        "write a workload, KEY=VALUE, net:NETWORK, an address, a subnet, any, outside or host"
            .to_owned()
    })?;
    match net == net.trunc() {
        true => Ok(net),
        false => Err(format!("it is an address in {}, not a subnet", net.trunc())),
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Outside => f.write_str("outside"),
            Self::Host => f.write_str("host"),
            Self::Workload(name) if WORDS.contains(&name.as_str()) => write!(f, "name:{name}"),
            Self::Workload(name) => f.write_str(name.as_str()),
            Self::Label(key, value) => write!(f, "{key}={value}"),
            Self::Network(name) => write!(f, "net:{name}"),
            Self::Subnet(net) => net.fmt(f),
        }
    }
}

crate::serde_by_text!(Who);

/// Whom somebody wants to reach, and by what: `web:80`, `web:53/udp`, `[fd00::2]:80`, `host:icmp`, or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whom.
    pub who: Who,
    /// By which port.
    pub carried: Option<Ports>,
}

impl FromStr for Target {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        let wrong = |reason: String| WhoError { text: text.chars().take(80).collect(), reason };
        let plain = || Ok(Self { who: text.parse()?, carried: None });
        let (who, port) = match text.rsplit_once(':') {
            None => return plain(),
            // A colon of an IPv6 address, or of `name:` and `net:`.
            Some((before, _)) if before.contains(':') && !before.ends_with(']') => {
                return plain();
            }
            Some(("name" | "net", _)) => return plain(),
            Some(parts) => parts,
        };
        let carried: Ports = port.parse().map_err(|e: super::PortsError| wrong(e.to_string()))?;
        if matches!(carried, Ports::Row(_, first, last) if first != last) {
            return Err(wrong("ask for one port".to_owned()));
        }
        let inner = who.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        Ok(Self { who: inner.unwrap_or(who).parse()?, carried: Some(carried) })
    }
}
