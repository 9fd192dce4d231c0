//! What of Volt's own state is amiss: left by a crash, lost, or contradicting itself.
//!
//! Looking changes nothing. Nothing is found fault with while a command is busy with the same name, which its lock tells,
//! or while systemd is. Each finding knows how it is mended; what holds a user's data is never removed.

mod cas;
mod containers;
mod images;
mod leftovers;
mod networks;
mod plain;
mod running;
mod snapshots;
mod volumes;

use crate::Engine;
use crate::error::{Error, Result};
use crate::net::Held;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::files;
use volt_host::systemd::{ActiveState, JobKind, UnitSummary};
use volt_model::container::unit;
use volt_model::name::Name;

/// How long a unit may take that is started.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something amiss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, a path or a name.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// Whether it was mended just now.
    pub repaired: bool,
}

/// How a finding is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mend {
    /// By nobody but the user.
    Nothing,
    /// The change under way is finished or undone.
    Recover(Name),
    /// systemd reads all unit files again.
    ReadUnits,
    /// systemd forgets that a unit failed.
    ForgetFailure(String),
    /// What a run needed is taken away.
    Release(Name),
    /// What systemd knows of a container that is gone is removed.
    RemoveUnits(Name),
    /// What systemd knows of a stack that is gone is removed.
    RemoveStackUnits(Name),
    /// What systemd must know of a container is written anew.
    Install(Name),
    /// Units of a service or task are made what the record says, or removed.
    Settle(Name),
    /// The ids of a container that is gone are given back.
    ReleaseIds(Name),
    /// A container's claim to its ids is written anew.
    ClaimIds(Name),
    /// A folder or file is removed.
    Remove(PathBuf),
    /// A volume's metadata are written anew.
    WriteVolume(Name),
    /// A ref that can't be read is moved to quarantine.
    MoveAway(PathBuf),
    /// Bridges, ports and the firewall are made what they are to be.
    Networks,
    /// A unit of Volt's is started; where it is for a container, as long as that still runs.
    Start(String, Option<Name>),
    /// What a container has of networks without a network namespace is taken away.
    PlugOut(Name),
    /// A container that runs is connected as its record says.
    Reconnect(Name),
    /// An interface is removed.
    RemoveLink(String),
    /// The address that a workload has in a network, the second, is given back.
    GiveAddressBack(Name, Name),
    /// The number that a workload has in a network is written down again.
    WriteAddress(Held),
    /// Drafts in a folder that nobody holds are removed.
    SweepDrafts(PathBuf),
    /// The image store mends it.
    Images,
    /// The content-addressed store mends it.
    Cas,
}

/// A finding with its mend.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) mend: Mend,
}

impl Found {
    fn new(subject: &impl ToString, problem: impl Into<String>, mend: Mend) -> Self {
        let finding =
            Finding { subject: subject.to_string(), problem: problem.into(), repaired: false };
        Self { finding, mend }
    }

    fn path(path: &Path, problem: impl Into<String>, mend: Mend) -> Self {
        Self::new(&path.display(), problem, mend)
    }

    /// Notes how mending it went.
    pub(super) fn note(&mut self, mended: Result<(), &Error>) {
        match mended {
            Ok(()) => self.finding.repaired = true,
            Err(error) => {
                let why = error.chain().join(": ");
                self.finding.problem =
                    format!("{}; it could not be mended: {why}", self.finding.problem);
            }
        }
    }
}

/// What there is, looked up once.
struct Facts {
    /// All containers that have a record, whether or not it can be read.
    containers: BTreeSet<Name>,
    /// Those whose units systemd is busy with.
    up: BTreeSet<Name>,
    /// Volt's units that are loaded.
    units: Vec<UnitSummary>,
}

impl Engine {
    /// All that is amiss. What can't be looked at is left out.
    pub(super) fn findings(&self) -> Vec<Found> {
        let units = self.loaded_units();
        let facts = Facts {
            containers: self.container_names().unwrap_or_default().into_iter().collect(),
            up: names_up(&units),
            units,
        };
        let mut all = self.intent_findings();
        all.extend(self.container_findings(&facts));
        all.extend(self.unit_findings(&facts));
        all.extend(self.plain_findings());
        all.extend(self.stack_unit_findings());
        all.extend(self.running_findings(&facts));
        all.extend(self.config_finding());
        all.extend(self.health_findings());
        all.extend(self.id_findings(&facts));
        all.extend(self.run_findings(&facts));
        all.extend(self.volume_findings());
        all.extend(self.image_findings());
        all.extend(self.cas_findings());
        all.extend(self.snapshot_findings(&facts));
        all.extend(self.network_findings(&facts));
        all.extend(self.draft_findings());
        all
    }

    /// Mends one finding, all but those of images.
    pub(super) fn mend(&self, mend: &Mend) -> Result<()> {
        match mend {
            Mend::Nothing | Mend::Images => Ok(()),
            Mend::ReadUnits => self.reload_units(),
            Mend::ForgetFailure(unit) => Ok(self.systemd().reset_failed(unit)?),
            Mend::Recover(name) => self.lock_name(name).map(drop),
            Mend::Release(name) => {
                let _lock = self.lock_name(name)?;
                self.release(name)
            }
            Mend::RemoveUnits(name) => {
                let _lock = self.lock_name(name)?;
                self.remove_units(name)
            }
            Mend::RemoveStackUnits(name) => self.remove_stack_units(name),
            Mend::Install(name) => {
                let _lock = self.lock_name(name)?;
                let spec = self.spec(name)?;
                self.backend_of(&spec).install(self, &spec)
            }
            Mend::Settle(name) => {
                let _lock = self.lock_name(name)?;
                self.settle_units(name)
            }
            Mend::ReleaseIds(name) => {
                let _lock = self.lock_name(name)?;
                self.release_ids(name)
            }
            Mend::ClaimIds(name) => {
                let _lock = self.lock_name(name)?;
                match self.spec(name)?.ids {
                    Some(ids) => self.pass_ids(ids, name),
                    None => Ok(()),
                }
            }
            Mend::Remove(path) => Ok(files::remove_tree(path)?),
            Mend::MoveAway(path) => Ok(self.cas().move_ref_away(path)?),
            Mend::WriteVolume(name) => self.rewrite_volume(name),
            Mend::Networks => self.networks_up(),
            Mend::Start(helper, name) => {
                let runs = |name| self.systemd().unit_status(&unit::name(name));
                let is_over = match name {
                    Some(name) => runs(name)?.active != ActiveState::Active,
                    None => false,
                };
                if !is_over {
                    self.systemd().run_job(JobKind::Start, helper, PATIENCE)?;
                }
                Ok(())
            }
            Mend::PlugOut(name) => self.plug_out_lost(name),
            Mend::Reconnect(name) => {
                let _lock = self.lock_name(name)?;
                self.reconnect(&self.spec(name)?)
            }
            Mend::RemoveLink(name) => self.remove_link(name),
            Mend::GiveAddressBack(name, network) => self.give_address_back(name, network),
            Mend::WriteAddress(own) => self.write_address(own),
            Mend::SweepDrafts(folder) => Ok(files::sweep_drafts(folder)?),
            Mend::Cas => Ok(self.cas().tidy(&|| self.wanted_trees())?),
        }
    }

    /// Volt's units that systemd has loaded.
    fn loaded_units(&self) -> Vec<UnitSummary> {
        if !self.can_use_systemd_to_look() {
            return Vec::new();
        }
        let ours = [
            "volt.service",
            "volt.socket",
            "volt-boot.service",
            "volt-dhcp@*.service",
            "volt-dns.service",
            "volt-health.service",
            "volt-network.service",
            "volt-scrub.service",
            "volt-container@*.service",
            "volt-prepare@*.service",
            "volt-exited@*.service",
            "volt-proxy@*.service",
        ];
        self.systemd().list_units(&ours).unwrap_or_default()
    }
}

/// The container to which one of its units belongs.
fn container_of_unit(unit: &str) -> Option<Name> {
    let helped = unit.strip_prefix("volt-prepare@").or_else(|| unit.strip_prefix("volt-exited@"));
    let helped = helped.and_then(|rest| rest.strip_suffix(".service"));
    unit::container_of(unit).or_else(|| helped?.parse().ok())
}

/// The names whose container or preparation is up, coming up or going down.
fn names_up(units: &[UnitSummary]) -> BTreeSet<Name> {
    units
        .iter()
        .filter(|unit| unit.active.is_up() || unit.job.is_some())
        .filter_map(|unit| container_of_unit(&unit.name))
        .collect()
}

/// The names in a folder; none where it can't be read.
fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}
