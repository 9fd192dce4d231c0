//! Names: the table that the server of names answers from, that server, and the host's own resolver.
//!
//! The table follows from the networks and from what is connected, and is written whole whenever either changes. The server is a unit of
//! its own: it reads the table, and needs nothing of this while it runs.

use crate::Engine;
use crate::error::{Error, Result};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use volt_host::command::Command;
use volt_host::files::{self, LockMode, Wait};
use volt_host::systemd::JobKind;
use volt_model::dns::{self, MAX_TABLE, Table, ZONE};
use volt_model::kind::ErrorKind;
use volt_model::net::{Attached, Network};

/// The server.
pub(crate) const UNIT: &str = "volt-dns.service";
/// Its runtime folder, which systemd makes and takes away with it.
const RUNNING: &str = "/run/volt-dns";
/// How long it may take to begin, and others to write.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where systemd-resolved listens when it runs (its other files stay when it is stopped), and where it keeps what it was told of links.
const RESOLVED: &str = "/run/systemd/resolve/io.systemd.Resolve";
const RESOLVED_LINKS: &str = "/run/systemd/resolve/netif";
/// A subnet whose reverse lookup is in more zones than this is left to others by the host.
const MOST_ZONES: usize = 16;
/// As many name servers as a resolv.conf may have.
const MOST_SERVERS: usize = 3;

impl Engine {
    /// Writes the table anew where it is no longer true.
    pub(super) fn tell_names(&self) -> Result<()> {
        // Whoever comes last has read what all before have written.
        let _lock = self.locks().lock("names", LockMode::Exclusive, Wait::For(PATIENCE))?;
        let path = self.paths().dns_table();
        let old: Table = files::read_json(&path, MAX_TABLE).unwrap_or_default();
        let networks = self.networks_of_names(old.networks.clone())?;
        if networks == old.networks {
            return Ok(());
        }
        let table = Table { generation: old.generation + 1, networks };
        let bytes = serde_json::to_vec(&table).map_err(|e| {
            Error::new(ErrorKind::General, "The table of names can't be written").because(e)
        })?;
        Ok(files::write_volatile(&path, &bytes, 0o644)?)
    }

    /// Whether the table is true. There needs to be none where nobody is connected.
    pub(crate) fn has_told_names(&self) -> Result<bool> {
        let _lock = self.locks().lock("names", LockMode::Exclusive, Wait::For(PATIENCE))?;
        let told: Table =
            files::read_json(&self.paths().dns_table(), MAX_TABLE).unwrap_or_default();
        let unneeded = told.networks.is_empty() && self.all_attached()?.is_empty();
        Ok(unneeded || told.networks == self.networks_of_names(told.networks.clone())?)
    }

    /// The networks as names are told there. Of one whose record can't be read that stays as it was, so that its members go on having names.
    fn networks_of_names(&self, mut before: Vec<dns::Network>) -> Result<Vec<dns::Network>> {
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        for name in self.network_names()? {
            match self.network(&name) {
                Ok(network) => read.push(network),
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => {
                    let error = error.chain().join(": ");
                    tracing::warn!(error, "names of a network stay as they were");
                    unread.push(name);
                }
            }
        }
        before.retain(|network| unread.contains(&network.name));
        let mut networks = dns::networks(&read, &self.all_attached()?);
        networks.extend(before);
        networks.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(networks)
    }

    /// Where a workload asks for names: the gateways of its networks that have names; none where it has no such network.
    pub(crate) fn name_servers(&self, attached: &Attached) -> Result<Vec<IpAddr>> {
        let mut servers = Vec::new();
        for endpoint in &attached.endpoints {
            let network = self.network(&endpoint.network)?;
            if network.dns {
                servers.push(network.gateway().into());
            }
        }
        // Programs ask no more than these.
        servers.truncate(MOST_SERVERS);
        Ok(servers)
    }

    /// Has the server run where somebody is to ask it. A container starts without it too.
    pub(super) fn serve_names(&self, attached: &Attached) -> Result<()> {
        if Path::new(RUNNING).exists()
            || self.name_servers(attached)?.is_empty()
            || !self.can_use_systemd()
        {
            return Ok(());
        }
        if let Err(error) = self.systemd().run_job(JobKind::Start, UNIT, PATIENCE) {
            tracing::warn!(%error, "the server of names can't be started");
        }
        Ok(())
    }

    /// Ends the server where no network has names any more.
    pub(super) fn serve_names_no_more(&self) {
        let table: Table =
            files::read_json(&self.paths().dns_table(), MAX_TABLE).unwrap_or_default();
        if !table.networks.is_empty() || !Path::new(RUNNING).exists() || !self.can_use_systemd() {
            return;
        }
        // Waited for: whoever makes the next network must not find it on its way down.
        if let Err(error) = self.systemd().run_job(JobKind::Stop, UNIT, PATIENCE) {
            tracing::warn!(%error, "the server of names can't be stopped");
        }
    }

    /// Tells systemd-resolved, where that runs, to ask the gateway for Volt's names, and for nothing else. What it was told it keeps for as
    /// long as it has the link; it is told again where it has forgotten, or where something else is to be told.
    pub(super) fn tell_resolved(&self, network: &Network, link: u32) {
        if !network.dns || UnixStream::connect(RESOLVED).is_err() {
            return;
        }
        let words = told(network);
        let lines = words.iter().map(|(verb, words)| format!("{verb} {}\n", words.join(" ")));
        let note = format!("{link}\n{}", lines.collect::<String>());
        let bridge = network.bridge();
        let path = self.paths().run.join("resolved").join(&bridge);
        let knows = Path::new(RESOLVED_LINKS).join(link.to_string()).exists();
        if knows && files::read_text(&path, 1 << 16).is_ok_and(|told| told == note) {
            return;
        }
        for (verb, words) in words {
            let done = Command::new("resolvectl").arg(verb).arg(&bridge).args(words).run();
            if let Err(error) = done {
                tracing::warn!(%bridge, %error, "systemd-resolved can't be told of a network");
                return;
            }
        }
        let noted = path.parent().map_or(Ok(()), |folder| files::create_dirs(folder, 0o755));
        if let Err(error) =
            noted.and_then(|()| files::write_volatile(&path, note.as_bytes(), 0o644))
        {
            tracing::warn!(%bridge, %error, "what systemd-resolved was told can't be noted");
        }
    }
}

/// What systemd-resolved is told of a network. The server there speaks plain DNS and signs nothing, whatever the host asks of others; and nobody
/// is to be looked for by other ways.
fn told(network: &Network) -> [(&'static str, Vec<String>); 7] {
    let gateways: Vec<String> =
        [Some(network.gateway().to_string()), network.gateway_ipv6().map(|ip| ip.to_string())]
            .into_iter()
            .flatten()
            .collect();
    let subnets = [Some(network.subnet.into()), network.ipv6.map(Into::into)];
    let reverse = subnets.into_iter().flatten().map(dns::reverse_zones);
    let zones = reverse.filter(|zones| zones.len() <= MOST_ZONES).flatten();
    let zones: Vec<String> =
        [ZONE.to_owned()].into_iter().chain(zones).map(|zone| format!("~{zone}")).collect();
    let no = || vec!["no".to_owned()];
    [
        ("default-route", no()),
        ("dnsovertls", no()),
        ("dnssec", no()),
        ("llmnr", no()),
        ("mdns", no()),
        ("domain", zones),
        ("dns", gateways),
    ]
}
