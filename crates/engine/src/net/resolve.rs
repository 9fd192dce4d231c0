//! The files by which programs in a container find names: `hosts` and `resolv.conf`.

use crate::Engine;
use crate::error::Result;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use volt_host::files;
use volt_model::container::{Network, Spec};
use volt_model::net::Attached;

/// The host's servers, and those that systemd-resolved speaks to where the host's is that on its loopback.
const RESOLV_CONF: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

impl Engine {
    /// What a container's `/etc/hosts` says.
    pub(crate) fn hosts_file(&self, spec: &Spec, attached: Option<&Attached>) -> String {
        let names = spec.around.own_names(&spec.hostname);
        if spec.network == Network::Host {
            let mut text = files::read_text("/etc/hosts".as_ref(), 1 << 20).unwrap_or_default();
            if spec.around.domain.is_some() {
                let _ = writeln!(text, "127.0.1.1 {names}");
            }
            return text + &spec.around.hosts_lines(Some(Ipv4Addr::LOCALHOST.into()));
        }
        let mut out = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
        let own: Vec<IpAddr> = attached
            .and_then(|attached| attached.endpoints.first())
            .map(|first| [Some(first.ip.into()), first.ipv6.map(IpAddr::V6)])
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        if own.is_empty() {
            let _ = writeln!(out, "127.0.1.1 {names}");
        }
        for ip in own {
            let _ = writeln!(out, "{ip} {names}");
        }
        let gateway = attached.and_then(|attached| self.host_of(attached));
        out + &spec.around.hosts_lines(gateway)
    }

    /// The host's address in the first network of a container.
    fn host_of(&self, attached: &Attached) -> Option<IpAddr> {
        let network = &attached.endpoints.first()?.network;
        let network = self.network(network).ok()?;
        Some(network.gateway().into())
    }

    /// What its `/etc/resolv.conf` says.
    pub(crate) fn resolv_file(&self, spec: &Spec, attached: Option<&Attached>) -> Result<String> {
        Ok(spec.around.resolv(&self.resolvers(spec, attached)?))
    }

    fn resolvers(&self, spec: &Spec, attached: Option<&Attached>) -> Result<String> {
        let asked_for = &spec.around.dns;
        let servers = self.config()?.container.dns;
        if !servers.is_empty() && asked_for.is_empty() {
            return Ok(name_servers(&servers));
        }
        if spec.network == Network::Host && !asked_for.is_empty() {
            return Ok(name_servers(asked_for));
        }
        if spec.network == Network::Host {
            return Ok(files::read_text(RESOLV_CONF[0].as_ref(), 1 << 16).unwrap_or_default());
        }
        if spec.networks.is_empty() {
            return Ok(String::new());
        }
        let own = attached.map(|attached| self.name_servers(attached)).transpose()?;
        if let Some(own) = own.filter(|own| !own.is_empty()) {
            // Volt's server passes on what is not Volt's to whom the container asks.
            return Ok(name_servers(&own));
        }
        if !asked_for.is_empty() {
            return Ok(name_servers(asked_for));
        }
        Ok(upstream(
            &RESOLV_CONF.map(|path| files::read_text(path.as_ref(), 1 << 16).unwrap_or_default()),
        ))
    }
}

fn name_servers(all: &[impl std::fmt::Display]) -> String {
    all.iter().map(|server| format!("nameserver {server}\n")).collect()
}

/// The first of these texts that names servers which can be reached from elsewhere than the host itself, with those alone.
fn upstream(texts: &[String]) -> String {
    let reachable = |line: &&str| {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("nameserver"), Some(server)) => {
                let server = server.split('%').next().unwrap_or_default();
                server.parse().is_ok_and(|ip: IpAddr| !ip.is_loopback())
            }
            (Some("search" | "options" | "domain"), _) => true,
            _ => false,
        }
    };
    let kept = texts.iter().map(|text| {
        text.lines().filter(reachable).fold(String::new(), |all, line| all + line + "\n")
    });
    kept.into_iter().find(|text| text.contains("nameserver")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_on_the_hosts_loopback_are_nobody_elses() {
        let stub = "# a comment\nnameserver 127.0.0.53\nsearch lan\n".to_owned();
        let real = "nameserver 192.0.2.1\nnameserver ::1\nnameserver fe80::1%eth0\nsearch lan\n"
            .to_owned();
        let kept = "nameserver 192.0.2.1\nnameserver fe80::1%eth0\nsearch lan\n";
        assert_eq!(upstream(&[stub.clone(), real.clone()]), kept);
        assert_eq!(upstream(&[real, stub.clone()]), kept);
        assert_eq!(upstream(&[stub, String::new()]), "");
    }
}
