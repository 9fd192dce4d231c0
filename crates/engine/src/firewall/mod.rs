//! The firewall as it is to be, brought into the kernel.
//!
//! `volt_model::net::ruleset` renders it from the networks and from what workloads have of them. When one comes or goes only elements
//! change; where the kernel refuses that, because somebody has flushed the tables or was killed half-way, all is rendered anew.

use crate::Engine;
use crate::error::{Error, Result};
use std::time::Duration;
use volt_host::files::{Lock, LockMode, Wait};
use volt_host::nft::{self, Change};
use volt_model::kind::ErrorKind;
use volt_model::net::{Attached, ruleset};

/// How long a command waits while another changes the firewall.
const PATIENCE: Duration = Duration::from_secs(60);

impl Engine {
    pub(crate) fn lock_firewall(&self) -> Result<Lock> {
        Ok(self.locks().lock("firewall", LockMode::Exclusive, Wait::For(PATIENCE))?)
    }

    /// Refuses networks where there can be none.
    pub(crate) fn refuse_without_networks(&self) -> Result<()> {
        if self.is_rootless() {
            return Err(Error::new(ErrorKind::Dependency, "Networks need root")
                .hinted("As a user alone, a container has the network of its host"));
        }
        if self.paths().root.is_some() {
            let title = "An installation below a folder has no networks: bridges and the firewall are the host's";
            return Err(Error::new(ErrorKind::Dependency, title)
                .hinted("Leave --root out, or use --network none or host"));
        }
        if crate::system::can::program("nft").is_none() {
            return Err(Error::new(ErrorKind::Dependency, "The program nft is not installed")
                .hinted("Install it: apt install nftables"));
        }
        Ok(())
    }

    /// Puts the whole firewall into the kernel, in one transaction.
    pub(crate) fn apply_firewall(&self) -> Result<()> {
        let _lock = self.lock_firewall()?;
        self.render_firewall()
    }

    /// Makes of what a workload had what it has now. The firewall's lock must be held, and the files be as they are to be.
    pub(crate) fn change_firewall(
        &self,
        before: Option<&Attached>,
        now: Option<&Attached>,
    ) -> Result<()> {
        let old = before.map(ruleset::elements).unwrap_or_default();
        let new = now.map(ruleset::elements).unwrap_or_default();
        let gone = old.iter().filter(|element| !new.contains(element)).cloned().map(Change::Remove);
        let come = new.iter().filter(|element| !old.contains(element)).cloned().map(Change::Add);
        let changes: Vec<Change> = gone.chain(come).collect();
        match nft::change(&changes) {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "the firewall is rendered anew");
                self.render_firewall()
            }
        }
    }

    fn render_firewall(&self) -> Result<()> {
        let (networks, attached) = (self.networks()?, self.all_attached()?);
        let text = match networks.is_empty() && attached.is_empty() {
            true => ruleset::NOTHING.to_owned(),
            false => ruleset::render(&networks, &attached),
        };
        Ok(nft::apply(&text)?)
    }
}
