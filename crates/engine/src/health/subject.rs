//! Whose health is looked at: a container, or a service of systemd that Volt wrote.

use crate::Engine;
use crate::error::Result;
use crate::workload::Kind;
use jiff::Timestamp;
use std::net::Ipv4Addr;
use volt_host::process::Identity;
use volt_host::reach::Place;
use volt_model::container;
use volt_model::health::Check;
use volt_model::name::{Name, Target};
use volt_model::service;
use volt_model::state::State;

/// A workload that may have a check.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Container(Box<container::Spec>),
    Service(Box<service::Spec>),
}

/// A run of it that is up.
pub(super) struct Run {
    /// What tells it from others.
    pub(super) id: String,
    pub(super) started: Timestamp,
    /// Where its ports are.
    pub(super) place: Place,
}

impl Subject {
    pub(crate) fn name(&self) -> &Name {
        match self {
            Self::Container(spec) => &spec.name,
            Self::Service(spec) => &spec.name,
        }
    }

    /// The check of its record.
    pub(super) fn own_check(&self) -> Option<&Check> {
        match self {
            Self::Container(spec) => spec.health.as_ref(),
            Self::Service(spec) => spec.health.as_ref(),
        }
    }

    /// What people call it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Container(_) => "container",
            Self::Service(_) => "service",
        }
    }

    pub(super) fn unit(&self) -> String {
        match self {
            Self::Container(spec) => spec.unit(),
            Self::Service(spec) => spec.unit(),
        }
    }

    /// Whether there is somebody who could look at it.
    pub(super) fn is_systemds(&self) -> bool {
        match self {
            Self::Container(spec) => spec.backend.is_systemds(),
            Self::Service(_) => true,
        }
    }
}

impl Engine {
    /// The workload of that name, if it is one that may have a check.
    pub(crate) fn subject(&self, name: &Name) -> Result<Subject> {
        match self.kind_of(name) {
            Kind::Service => Ok(Subject::Service(Box::new(self.service_spec(name)?))),
            Kind::Container | Kind::Task => Ok(Subject::Container(Box::new(self.spec(name)?))),
        }
    }

    /// All such workloads.
    pub(super) fn subjects(&self) -> Result<Vec<Subject>> {
        let containers = self.specs()?.into_iter().map(|spec| Subject::Container(Box::new(spec)));
        let services = self.service_specs()?.into_iter();
        Ok(containers.chain(services.map(|spec| Subject::Service(Box::new(spec)))).collect())
    }

    pub(super) fn subject_exists(&self, name: &Name) -> bool {
        self.container_exists(name) || self.service_exists(name)
    }

    pub(super) fn subject_state(&self, subject: &Subject) -> Result<State> {
        match subject {
            Subject::Container(spec) => Ok(self.run_state(spec)?.state),
            Subject::Service(spec) => {
                Ok(self.service_status(&Target::Workload(spec.name.clone()))?.state)
            }
        }
    }

    /// The run that is up.
    pub(super) fn subject_run(&self, subject: &Subject) -> Option<Run> {
        let name = subject.name();
        match subject {
            Subject::Container(spec) => Some(Run {
                id: self.run_of(name)?,
                started: self.started_at(name)?,
                place: self.place_of(spec),
            }),
            Subject::Service(_) => {
                let (main, started) = self.main_process(name)?;
                let place = Place::At(Ipv4Addr::LOCALHOST.into());
                Some(Run { id: id_of(main), started, place })
            }
        }
    }

    /// What tells the run of a workload that is up from others.
    pub(super) fn run_of(&self, name: &Name) -> Option<String> {
        if let Some(leader) = self.leader_identity(name) {
            return Some(id_of(leader));
        }
        self.service_exists(name).then(|| self.main_process(name))?.map(|(main, _)| id_of(main))
    }

    /// The main process of a service, and since when it runs.
    fn main_process(&self, name: &Name) -> Option<(Identity, Timestamp)> {
        if !self.can_use_systemd_to_look() {
            return None;
        }
        let status = self.systemd().unit_status(&service::unit::name(name)).ok()?;
        let main = Identity::of(status.main_pid?).ok()?;
        Some((main, Timestamp::try_from(status.main_started?).ok()?))
    }
}

fn id_of(process: Identity) -> String {
    format!("{} {}", process.pid, process.start)
}
