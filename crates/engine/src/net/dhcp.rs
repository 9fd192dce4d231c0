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
use volt_model::net::{Attached, Network, dhcp};

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
        let texts = self.dhcp_texts(network, &self.all_attached()?);
        let [is_new, is_other] = texts.each_ref().map(|text| !is_told(&folder, text));
        let job = match (leases(&network.name).parent().is_some_and(Path::exists), is_new, is_other)
        {
            (true, false, false) => return Ok(()),
            (true, false, true) => JobKind::ReloadOrTryRestart,
            (true, true, _) => JobKind::Restart,
            (false, ..) => JobKind::Start,
        };
        for (name, text) in &texts {
            files::write_volatile(&folder.join(name), text.as_bytes(), 0o644)?;
        }
        if let Err(error) = self.systemd().run_job(job, &unit(&network.name), PATIENCE) {
            tracing::warn!(network = %network.name, %error, "the server of its addresses can't be told");
            return Ok(());
        }
        // Behind that: whoever is killed before, or can't tell it, leaves it to be told again.
        for (name, text) in &texts {
            files::write_volatile(&folder.join(told(name)), text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// What the server of a network reads, by the names of its files.
    fn dhcp_texts(&self, network: &Network, attached: &[Attached]) -> [Text; 2] {
        let hosts = self.dhcp_folder(&network.name).join("hosts");
        let conf = dhcp::render(network, &hosts, &leases(&network.name));
        [("conf", conf), ("hosts", dhcp::hosts(network, attached))]
    }

    /// Whether the server of a network was told all that it is to know.
    pub(crate) fn knows_addresses(&self, network: &Network, attached: &[Attached]) -> bool {
        let folder = self.dhcp_folder(&network.name);
        self.dhcp_texts(network, attached).iter().all(|text| is_told(&folder, text))
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

/// The name of a file that a server reads, and what is to be in it.
type Text = (&'static str, String);

/// Where the server of a network keeps what it gave.
fn leases(network: &Name) -> PathBuf {
    Path::new(RUNNING).join(network.as_str()).join("leases")
}

/// The note of what a server was told last of one of its files.
fn told(name: &str) -> String {
    format!("{name}.told")
}

fn is_told(folder: &Path, (name, text): &Text) -> bool {
    files::read_text(&folder.join(told(name)), MAX).is_ok_and(|noted| noted == *text)
}
