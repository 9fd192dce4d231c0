//! What a container finds around it that is neither a file nor a network: names that it alone knows, how it looks others up, and
//! what is set in its network namespace.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The word for the host itself, as a container reaches it.
const GATEWAY: &str = "host-gateway";

/// What a container finds around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Around {
    /// The domain of its own name, in its `/etc/hosts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Names with their addresses, in its `/etc/hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<ExtraHost>,
    /// Whom it asks for names that are not Volt's, in the place of those whom the host asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
    /// Domains in which names are looked up, in its `/etc/resolv.conf`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_search: Vec<String>,
    /// Options of that file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_options: Vec<String>,
    /// What is set below `net.` in its network namespace.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
}

/// A name and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// Where it leads.
    pub address: HostAddress,
}

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAddress {
    /// To an address.
    Ip(IpAddr),
    /// To the host, at the gateway of the container's first network.
    Gateway,
}

/// Why something of it can't be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AroundError {
    /// No address.
    #[error("`{0}` is no address: write one, or {GATEWAY}")]
    Address(String),
    /// No name.
    #[error("`{0}` is no name of a host")]
    Name(String),
    /// A word that would be more than one.
    #[error("`{0}` is no single word")]
    Word(String),
    /// A name server that is another one for each who asks.
    #[error("{0} can't be asked for names: for Volt it is the host itself")]
    Server(IpAddr),
    /// A setting that is not the namespace's.
    #[error("only what is below net. can be set for a container alone, which {0} is not")]
    Setting(String),
    /// A value of several lines.
    #[error("the value of {0} has more than one line")]
    Value(String),
}

impl Around {
    /// Checks all of it.
    ///
    /// # Errors
    /// When a file would say something else than what is meant, or a setting is not the container's own.
    pub fn validate(&self) -> Result<(), AroundError> {
        let names = self.hosts.iter().map(|host| &host.name);
        names.chain(&self.domain).try_for_each(|name| check_name(name))?;
        let words = self.dns_search.iter().chain(&self.dns_options);
        for word in words {
            if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(AroundError::Word(shown(word)));
            }
        }
        let is_own =
            |ip: &IpAddr| ip.to_canonical().is_loopback() || ip.to_canonical().is_unspecified();
        let mut own = self.dns.iter().filter(|ip| is_own(ip));
        if let Some(own) = own.next() {
            return Err(AroundError::Server(*own));
        }
        for (key, value) in &self.sysctls {
            sysctl_path(key)?;
            if value.contains(['\n', '\0']) {
                return Err(AroundError::Value(shown(key)));
            }
        }
        Ok(())
    }

    /// Whether it says how names are found.
    #[must_use]
    pub fn has_names(&self) -> bool {
        let told = [self.dns_search.is_empty(), self.dns_options.is_empty(), self.dns.is_empty()];
        !self.hosts.is_empty() || told.contains(&false) || self.domain.is_some()
    }

    /// What `/etc/hosts` calls it that is called so: its whole name first, which `hostname -f` says.
    #[must_use]
    pub fn own_names(&self, hostname: &str) -> String {
        match &self.domain {
            Some(domain) => format!("{hostname}.{domain} {hostname}"),
            None => hostname.to_owned(),
        }
    }

    /// What of it `/etc/hosts` says; `gateway` is the host's address, where it has one for the container.
    #[must_use]
    pub fn hosts_lines(&self, gateway: Option<IpAddr>) -> String {
        let line = |host: &ExtraHost| {
            let ip = match host.address {
                HostAddress::Ip(ip) => ip,
                HostAddress::Gateway => gateway?,
            };
            Some(format!("{ip} {}\n", host.name))
        };
        self.hosts.iter().filter_map(line).collect()
    }

    /// What of it `/etc/resolv.conf` says, in place of what the host's file says of that.
    #[must_use]
    pub fn resolv(&self, text: &str) -> String {
        let mut out = String::new();
        for (word, own) in [("search", &self.dns_search), ("options", &self.dns_options)] {
            if !own.is_empty() {
                out += &format!("{word} {}\n", own.join(" "));
            }
        }
        let first = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
        let is_replaced = |line: &str| match first(line).as_str() {
            "search" | "domain" => !self.dns_search.is_empty(),
            "options" => !self.dns_options.is_empty(),
            _ => false,
        };
        let kept = text.lines().filter(|line| !is_replaced(line));
        kept.map(|line| format!("{line}\n")).collect::<String>() + &out
    }

    /// The settings by their paths below `/proc/sys`.
    pub fn settings(&self) -> impl Iterator<Item = (String, &str)> {
        self.sysctls
            .iter()
            .filter_map(|(key, value)| Some((sysctl_path(key).ok()?, value.as_str())))
    }
}

/// `net.core.somaxconn` as `net/core/somaxconn`; as in sysctl(8) the first separator that is used is the one.
fn sysctl_path(key: &str) -> Result<String, AroundError> {
    let wrong = || AroundError::Setting(shown(key));
    let slashes = key.find(['.', '/']).is_some_and(|at| key[at..].starts_with('/'));
    let path: String = if slashes {
        key.to_owned()
    } else {
        let swapped = |c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        };
        key.chars().map(swapped).collect()
    };
    let fits = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:@".contains(c);
        !part.is_empty() && part != "." && part != ".." && part.chars().all(plain)
    };
    let parts: Vec<&str> = path.split('/').collect();
    match parts.first() {
        Some(&"net") if parts.len() > 1 && parts.iter().all(|part| fits(part)) => Ok(path),
        _ => Err(wrong()),
    }
}

fn check_name(name: &str) -> Result<(), AroundError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
        return Err(AroundError::Name(shown(name)));
    }
    Ok(())
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

impl FromStr for HostAddress {
    type Err = AroundError;

    fn from_str(text: &str) -> Result<Self, AroundError> {
        if text == GATEWAY {
            return Ok(Self::Gateway);
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(Self::Ip).map_err(|_| AroundError::Address(shown(text)))
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Gateway => f.pad(GATEWAY),
        }
    }
}

impl FromStr for ExtraHost {
    type Err = AroundError;

    fn from_str(text: &str) -> Result<Self, AroundError> {
        let split = text.split_once('=').or_else(|| text.split_once(':'));
        let (name, address) = split.ok_or_else(|| AroundError::Address(shown(text)))?;
        check_name(name)?;
        Ok(Self { name: name.to_owned(), address: address.parse()? })
    }
}

impl fmt::Display for ExtraHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.address)
    }
}

crate::serde_by_text!(ExtraHost);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_and_written() {
        for (text, shown) in [
            ("db=10.0.0.5", "db=10.0.0.5"),
            ("db:10.0.0.5", "db=10.0.0.5"),
            ("six:::1", "six=::1"),
            ("six=[::2]", "six=::2"),
            ("host.docker.internal:host-gateway", "host.docker.internal=host-gateway"),
        ] {
            let host: ExtraHost = text.parse().unwrap();
            assert_eq!((host.to_string().as_str(), host.to_string().parse()), (shown, Ok(host)));
        }
        for text in ["db", "db=x", "=1.2.3.4", "a b=1.2.3.4", "a\n1.2.3.4 b=1.2.3.4"] {
            assert!(text.parse::<ExtraHost>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn files_say_what_is_meant() {
        let around = Around {
            domain: Some("lan.example".into()),
            hosts: ["a=1.2.3.4", "b=host-gateway"].map(|text| text.parse().unwrap()).into(),
            dns: Vec::new(),
            dns_search: vec!["one.example".into(), "two".into()],
            dns_options: vec!["ndots:2".into()],
            sysctls: BTreeMap::new(),
        };
        assert_eq!(around.validate(), Ok(()));
        assert_eq!(around.own_names("web"), "web.lan.example web");
        assert_eq!(Around::default().own_names("web"), "web");
        assert_eq!(around.hosts_lines(None), "1.2.3.4 a\n");
        let gateway = Some("10.0.0.1".parse().unwrap());
        assert_eq!(around.hosts_lines(gateway), "1.2.3.4 a\n10.0.0.1 b\n");
        let text = "nameserver 10.0.0.1\nsearch lan\noptions edns0\n";
        let wanted = "nameserver 10.0.0.1\nsearch one.example two\noptions ndots:2\n";
        assert_eq!(around.resolv(text), wanted);
        assert_eq!(Around::default().resolv(text), text);
        let own = Around { dns: vec!["127.0.0.53".parse().unwrap()], ..Around::default() };
        assert!(matches!(own.validate(), Err(AroundError::Server(_))));
        let several = Around { dns_search: vec!["a\nnameserver".into()], ..Around::default() };
        assert!(several.validate().is_err());
        let several = Around { domain: Some("a\n1.2.3.4 b".into()), ..Around::default() };
        assert!(several.validate().is_err());
    }

    #[test]
    fn only_settings_of_the_namespace() {
        let of = |key: &str, value: &str| Around {
            sysctls: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            ..Around::default()
        };
        for (key, path) in [
            ("net.core.somaxconn", "net/core/somaxconn"),
            ("net/ipv4/conf/eth0.5/forwarding", "net/ipv4/conf/eth0.5/forwarding"),
            ("net.ipv4.conf.eth0/5.forwarding", "net/ipv4/conf/eth0.5/forwarding"),
        ] {
            let around = of(key, "1");
            assert_eq!(around.validate(), Ok(()));
            assert_eq!(around.settings().next(), Some((path.to_owned(), "1")));
        }
        for key in ["kernel.shmmax", "net", "net/../kernel/x", "net..x", "", "/net/x"] {
            assert!(of(key, "1").validate().is_err(), "{key}");
        }
        assert!(of("net.core.x", "1\n2").validate().is_err());
    }
}
