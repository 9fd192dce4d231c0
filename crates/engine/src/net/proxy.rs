//! The ways in by the host's loopback, `volt-proxy@NAME.service`: the kernel can't lead there what published ports lead elsewhere.

use crate::Engine;
use crate::error::{Error, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use volt_host::proxy::{self, Way};
use volt_host::systemd::JobKind;
use volt_model::container::{Spec, unit};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Publish, Published};

/// How long a proxy may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Waits until the proxy of a container that has just been started listens, where it has one.
    pub(crate) fn wait_for_proxy(&self, spec: &Spec) {
        if !spec.publish.iter().any(Publish::by_loopback) {
            return;
        }
        // The container's unit has asked for it: this joins that job.
        let unit = unit::proxy_name(&spec.name);
        if let Err(error) = self.systemd().run_job(JobKind::Start, &unit, PATIENCE) {
            tracing::warn!(name = %spec.name, %error, "the ports of the loopback don't lead in yet");
        }
    }

    /// Passes on what comes to the loopback's ports of a container that runs, until the process ends. `ready` is called when all listen.
    ///
    /// # Errors
    /// `NotFound` for a container that is not connected, `Conflict` for a port that another program has.
    pub fn proxy(&self, name: &Name, ready: &mut dyn FnMut()) -> Result<()> {
        let attached =
            self.attached(name).ok_or_else(|| Error::not_found("connected container", name))?;
        let ways: Vec<Way> = attached.published.iter().flat_map(ways).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|e| Error::new(ErrorKind::General, "The proxy can't run").because(e))?;
        runtime.block_on(proxy::serve(&ways, ready)).map_err(|(way, error)| {
            let title = format!("Nobody can listen on {}", way.from);
            Error::new(ErrorKind::Conflict, title).about(name).because(error)
        })
    }
}

/// The ways in of a published port: by the version that it came by first, then by the other one. Many programs listen on IPv4 alone, and
/// `localhost` is `::1` first.
fn ways(published: &Published) -> Vec<Way> {
    let (ip, ipv6) = (IpAddr::from(published.ip), published.ipv6.map(IpAddr::from));
    let way = |from: IpAddr| {
        let mut to: Vec<IpAddr> = [Some(ip), ipv6].into_iter().flatten().collect();
        if from.is_ipv6() {
            to.reverse();
        }
        Way {
            protocol: published.protocol,
            from: SocketAddr::new(from, published.host),
            to: to.into_iter().map(|to| SocketAddr::new(to, published.container)).collect(),
        }
    };
    match published.address {
        None if has_ipv6_loopback() => {
            vec![way(Ipv4Addr::LOCALHOST.into()), way(Ipv6Addr::LOCALHOST.into())]
        }
        None => vec![way(Ipv4Addr::LOCALHOST.into())],
        Some(address) if address.is_loopback() => vec![way(address)],
        Some(_) => Vec::new(),
    }
}

/// Whether the host has `::1`.
fn has_ipv6_loopback() -> bool {
    std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopbacks_ports_go_by_the_proxy() {
        let published = |address: Option<&str>, ipv6: Option<&str>| Published {
            address: address.map(|ip| ip.parse().unwrap()),
            host: 8080,
            container: 80,
            protocol: volt_model::net::Protocol::Tcp,
            ip: "10.0.0.2".parse().unwrap(),
            ipv6: ipv6.map(|ip| ip.parse().unwrap()),
            expose: false,
        };
        let shown = |address, ipv6| {
            ways(&published(address, ipv6))
                .iter()
                .map(|w| format!("{} {:?}", w.from, w.to))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(Some("127.0.0.3"), None), ["127.0.0.3:8080 [10.0.0.2:80]"]);
        assert_eq!(shown(Some("::1"), None), ["[::1]:8080 [10.0.0.2:80]"]);
        assert_eq!(shown(Some("::1"), Some("fd00::2")), ["[::1]:8080 [[fd00::2]:80, 10.0.0.2:80]"]);
        assert!(shown(Some("192.0.2.1"), Some("fd00::2")).is_empty());
        assert_eq!(shown(None, Some("fd00::2"))[0], "127.0.0.1:8080 [10.0.0.2:80, [fd00::2]:80]");
    }
}
