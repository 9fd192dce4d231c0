//! Addresses by DHCP, where a network has it: dnsmasq as `volt-dhcp@NETWORK.service`. It gives nobody an address but who is connected, and
//! everybody the one that the table of addresses says.

use super::{MAX, is_in_use};
use crate::Engine;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::files::{self, Lock, LockMode, Wait};
use volt_host::systemd::JobKind;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Network, dhcp};

/// Where the units have a folder each to write in, which systemd makes and takes away with them.
const RUNNING: &str = "/run/volt-dhcp";
/// How long a server may take to begin or end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long whoever tells them waits while others do.
const TURN: Duration = Duration::from_secs(60);

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
        let _lock = self.lock_servers()?;
        self.serve(network)
    }

    /// Whoever comes last has read what all before have written, and nobody begins what another one ends.
    fn lock_servers(&self) -> Result<Lock> {
        Ok(self.locks().lock("dhcp", LockMode::Exclusive, Wait::For(TURN))?)
    }

    /// The lock of the servers must be held.
    fn serve(&self, network: &Network) -> Result<()> {
        let folder = self.dhcp_folder(&network.name);
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

    /// Tells the servers of addresses who is connected now, and has those run that do not and are to.
    pub(super) fn tell_addresses(&self) -> Result<()> {
        let networks = || Ok::<_, Error>(self.networks()?.into_iter().filter(|one| one.dhcp));
        if networks()?.next().is_none() || !self.can_use_systemd() {
            return Ok(());
        }
        let _lock = self.lock_servers()?;
        let attached = self.all_attached()?;
        for network in networks()? {
            // One in which nobody is may be about to go, and then its folder is gone already.
            if is_in_use(&network.name, &attached) || self.dhcp_folder(&network.name).exists() {
                self.serve(&network)?;
            }
        }
        Ok(())
    }

    fn dhcp_folder(&self, network: &Name) -> PathBuf {
        self.paths().dhcp().join(network.as_str())
    }

    /// Ends the server of a network that goes.
    pub(super) fn serve_addresses_no_more(&self, network: &Network) {
        let folder = self.dhcp_folder(&network.name);
        if !folder.exists() {
            return;
        }
        // Without it too: whoever has it does not have it for long.
        let _lock = self.lock_servers();
        let gone = self.systemd().run_job(JobKind::Stop, &unit(&network.name), PATIENCE);
        if let Err(error) = gone {
            tracing::warn!(network = %network.name, %error, "the server of its addresses can't be stopped");
        }
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(network = %network.name, %error, "what its server read can't be removed");
        }
    }
}

/// The server of a network.
pub(crate) fn unit(network: &Name) -> String {
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
