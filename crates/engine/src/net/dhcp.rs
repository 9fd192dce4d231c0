//! Addresses by DHCP, where a network has it: dnsmasq as `volt-dhcp@NETWORK.service`. It gives nobody an address but who is connected, and
//! everybody the one that the table of addresses says.

use super::MAX;
use crate::Engine;
use crate::error::{Error, Result};
use std::path::Path;
use std::time::Duration;
use volt_host::files;
use volt_host::systemd::JobKind;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Network, dhcp};

/// Where the units have a folder each to write in, which systemd makes and takes away with them.
const RUNNING: &str = "/run/volt-dhcp";
/// How long a server may take to begin or end.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Refuses DHCP where nobody can serve it.
    pub(super) fn refuse_without_dhcp(&self) -> Result<()> {
        if crate::system::can::program("dnsmasq").is_none() {
            return Err(Error::new(ErrorKind::Dependency, "The program dnsmasq is not installed")
                .hinted("Install it: apt install dnsmasq-base"));
        }
        Ok(())
    }

    /// Has the server of a network's addresses run, where it is to have one.
    pub(super) fn serve_addresses(&self, network: &Network) -> Result<()> {
        if !network.dhcp || !self.can_use_systemd() {
            return Ok(());
        }
        let folder = self.paths().dhcp().join(network.name.as_str());
        files::create_dirs(&folder, 0o755)?;
        let leases = Path::new(RUNNING).join(network.name.as_str()).join("leases");
        let hosts = folder.join("hosts");
        let conf = dhcp::render(network, &hosts, &leases);
        let new = write(&folder.join("conf"), &conf)?;
        let told = write(&hosts, &dhcp::hosts(network, &self.all_attached()?))?;
        let runs = leases.parent().is_some_and(Path::exists);
        let unit = unit(&network.name);
        let done = match (runs, new, told) {
            (true, true, _) => self.systemd().run_job(JobKind::Restart, &unit, PATIENCE).map(drop),
            (true, false, true) => {
                self.systemd().run_job(JobKind::ReloadOrTryRestart, &unit, PATIENCE).map(drop)
            }
            (true, false, false) => Ok(()),
            (false, ..) => self.systemd().run_job(JobKind::Start, &unit, PATIENCE).map(drop),
        };
        if let Err(error) = done {
            tracing::warn!(network = %network.name, %error, "the server of its addresses can't be started");
        }
        Ok(())
    }

    /// Tells the servers of addresses who is connected now.
    pub(super) fn tell_addresses(&self) -> Result<()> {
        let Ok(folders) = std::fs::read_dir(self.paths().dhcp()) else { return Ok(()) };
        for folder in folders.flatten() {
            let name = folder.file_name().to_str().and_then(|name| name.parse::<Name>().ok());
            if let Some(Ok(network)) = name.map(|name| self.network(&name)) {
                self.serve_addresses(&network)?;
            }
        }
        Ok(())
    }

    /// Ends the server of a network that goes.
    pub(super) fn serve_addresses_no_more(&self, network: &Network) {
        let folder = self.paths().dhcp().join(network.name.as_str());
        if !folder.exists() {
            return;
        }
        let gone = self.systemd().run_job(JobKind::Stop, &unit(&network.name), PATIENCE);
        if let Err(error) = gone {
            tracing::warn!(network = %network.name, %error, "the server of its addresses can't be stopped");
        }
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(network = %network.name, %error, "what its server read can't be removed");
        }
    }
}

fn unit(network: &Name) -> String {
    format!("volt-dhcp@{network}.service")
}

/// Writes a text where it is not what is there. Whether it was.
fn write(path: &Path, text: &str) -> Result<bool> {
    if files::read_text(path, MAX).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    files::write_volatile(path, text.as_bytes(), 0o644)?;
    Ok(true)
}
