//! What to do so that what is there becomes what the file wants: a pure function from both to steps.
//!
//! A step says which steps must be done before it; what none of them names may be done at the same time. A second plan of what
//! the first one made is empty.

mod down;
mod hold;
#[cfg(test)]
mod tests;
mod turn;
mod up;

pub use down::down;
pub use hold::Hold;
pub use turn::turn;
pub use up::{chosen, up};

use crate::stack::{Condition, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is there of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Have {
    /// Networks by their name on the host, with the hash of their configuration.
    pub networks: BTreeMap<String, String>,
    /// Volumes, likewise.
    pub volumes: BTreeMap<String, String>,
    /// Secrets, with what tells their content.
    pub secrets: BTreeMap<String, String>,
    /// Workloads by their name on the host.
    pub workloads: BTreeMap<String, Existing>,
}

/// What is to be there, as far as only the caller knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// Of services, where they are to be others than [`hash::of_service`](crate::hash::of_service) gives, because of images and files.
    pub services: BTreeMap<String, String>,
    /// What tells the content of secrets, by key; those that have none stay as they are.
    pub secrets: BTreeMap<String, String>,
}

/// A workload that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// The service that it belongs to.
    pub service: String,
    /// Which one of it, from 1.
    pub replica: u32,
    /// The hash of its configuration.
    pub hash: String,
    /// How it stands.
    pub state: State,
    /// What others can't have while it has it.
    pub holds: Vec<Hold>,
}

/// How a workload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was never started, or was stopped.
    Stopped,
    /// It ended by itself.
    Ended {
        /// Whether it ended well.
        well: bool,
    },
    /// It is on its way up, by a command that was killed, maybe: nobody waits for the end of that.
    Starting,
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
}

impl State {
    /// Whether it has to be stopped before it is down.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }
}

/// How a plan is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// These services alone, and what they depend on; all where there are none.
    pub services: Vec<String>,
    /// Without what they depend on.
    pub no_dependencies: bool,
    /// What is as it should be is made anew too.
    pub force: bool,
    /// What is there is never made anew.
    pub keep: bool,
    /// What the file doesn't have any more is removed.
    pub remove_orphans: bool,
    /// Services that the file has and no active profile: what there is of them is left alone, and goes when all of the stack does.
    pub disabled: BTreeSet<String>,
    /// Nothing is started.
    pub no_start: bool,
    /// All that this service needs, and not itself.
    pub before: Option<String>,
    /// Down: volumes are removed.
    pub volumes: bool,
}

/// What kind of thing a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// A secret.
    Secret,
    /// A workload.
    Workload,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Secret => "secret",
            Self::Workload => "workload",
        })
    }
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is made.
    Create,
    /// It is made anew: what is there is stopped and removed.
    Recreate,
    /// It is started.
    Start,
    /// It goes on.
    Unpause,
    /// It is stopped and started.
    Restart,
    /// It is stopped.
    Stop,
    /// It is removed; stopped before, if it runs.
    Remove,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "create",
            Self::Recreate => "recreate",
            Self::Start => "start",
            Self::Unpause => "unpause",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Remove => "remove",
        })
    }
}

/// What must have come about before something is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The service that is waited for.
    pub service: String,
    /// How far it must have come.
    pub condition: Condition,
    /// Whether nothing goes without it.
    pub required: bool,
}

/// What must have come about before a service is started, besides that others were.
fn waits(service: &Service) -> impl Iterator<Item = Wait> {
    let more = service
        .depends_on
        .iter()
        .filter(|(_, dependency)| dependency.condition != Condition::ServiceStarted);
    more.map(|(other, dependency)| Wait {
        service: other.clone(),
        condition: dependency.condition,
        required: dependency.required,
    })
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With what kind of thing.
    pub kind: Kind,
    /// Its name on the host.
    pub name: String,
    /// Its key in the file; of a workload, its service's.
    pub key: String,
    /// Which one of its service; 0 of what has no number.
    pub replica: u32,
    /// Why, for people.
    pub why: String,
    /// The steps that must be done before, by their number.
    pub after: BTreeSet<usize>,
    /// What is waited for besides: dependencies that must be healthy, or done.
    pub waits: Vec<Wait>,
}

/// Steps, each after all that it names, and what can't be done by steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }
}

impl Step {
    fn of(
        action: Action,
        kind: Kind,
        name: impl Into<String>,
        key: &str,
        why: impl Into<String>,
    ) -> Self {
        Self {
            action,
            kind,
            name: name.into(),
            key: key.to_owned(),
            replica: 0,
            why: why.into(),
            after: BTreeSet::new(),
            waits: Vec::new(),
        }
    }
}
