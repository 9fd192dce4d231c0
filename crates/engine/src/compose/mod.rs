//! Stacks: containers, networks and volumes that belong together, as one document wants them.
//!
//! ```text
//! var/lib/volt/stacks/NAME/stack.json            the document that was brought up last, and where it came from
//! var/lib/volt/stacks/NAME/configs/HASH          files of configuration that its containers have (`configs`)
//! var/lib/volt/stacks/NAME/secrets.json          which secrets are its own, and the key of its hashes (`secrets`)
//! etc/systemd/system/volt-compose@NAME.target.d  what starts and stops with the stack (`units`)
//! ```
//! What there is of a stack is told by labels of containers, networks and volumes (`found`); what is to be done is a pure function of
//! that and of the document (`volt_compose::plan`); its steps are done here, several at a time (`steps`, `act`), and undone where one
//! fails (`undo`). So a command that was killed leaves nothing to be remembered: the next one plans from what is there.
//! Locks, in their order: `stack-NAME`, then whatever the steps take.

mod act;
mod check;
mod configs;
mod down;
mod found;
mod hooks;
mod kinds;
mod list;
mod plan;
mod reopen;
mod run;
mod secrets;
mod steps;
mod system;
mod turn;
mod undo;
mod units;
mod unready;
mod up;
mod volumes;

pub(crate) use act::is_set_aside;
pub(crate) use found::stack_of;
pub use list::View;
pub use run::Run;
pub(crate) use units::stack_of_target;
pub use up::Up;

use turn::no_service;

use crate::Engine;
use crate::Progress;
use crate::error::{Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use volt_compose::{Request, Stack};
use volt_host::files::{self, Lock, LockError, LockMode, Wait};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

pub use volt_compose::plan::{Action, Kind, Options, Plan, Step};

/// The most a record may hold, in bytes: the document at its largest, with every sign of it escaped, and what stands around it.
const MAX: usize = 8 << 20;
/// How often somebody who waits for another command on the stack looks whether anybody still waits for him.
const LOOK: Duration = Duration::from_millis(200);

/// What `stack.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The format: 1.
    version: u32,
    /// What the stack is called.
    name: Name,
    /// The stack as one file of Compose's form that needs no other.
    document: String,
    /// The files that it was made of.
    #[serde(default)]
    files: Vec<String>,
    /// Services that these files have and no profile that was active.
    #[serde(default)]
    disabled: BTreeSet<String>,
    /// When it was first brought up.
    created: Timestamp,
}

impl Engine {
    fn stack_dir(&self, name: &Name) -> PathBuf {
        self.paths().stacks().join(name.as_str())
    }

    /// What is kept of a stack; none where there is nothing.
    pub(crate) fn stack_record(&self, name: &Name) -> Result<Option<Record>> {
        match files::read_json::<Record>(&self.stack_dir(name).join("stack.json"), MAX) {
            Ok(record) if record.version == 1 && record.name == *name => Ok(Some(record)),
            Ok(_) => Err(unreadable(name)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(Error::from(e).about(name))
            }
            Err(e) => Err(unreadable(name).because(e)),
        }
    }

    /// Writes down what is wanted. Variables of containers are in it, so it is not for everybody.
    fn save_stack(&self, record: &Record) -> Result<()> {
        let dir = self.stack_dir(&record.name);
        files::create_dirs(&dir, 0o755)?;
        files::sweep_drafts(&dir)?;
        let path = dir.join("stack.json");
        files::write_json(&path, record, 0o640)?;
        Ok(files::share_with_group(&path, crate::GROUP)?)
    }

    fn forget_stack(&self, name: &Name) -> Result<()> {
        Ok(files::remove_tree(&self.stack_dir(name))?)
    }

    /// The stack that was brought up last; an empty one where nothing is kept of it.
    fn kept_stack(&self, name: &Name) -> Result<Option<Stack>> {
        self.stack_record(name)?.map(|record| read(name, &record.document)).transpose()
    }

    /// Locks a stack where nobody else has it.
    fn try_lock_stack(&self, name: &Name) -> std::result::Result<Lock, LockError> {
        self.locks().lock(&format!("stack-{name}"), LockMode::Exclusive, Wait::No)
    }

    /// Locks a stack. Another command at work on it is waited for, and that is said.
    fn lock_stack(&self, name: &Name, progress: &dyn Progress) -> Result<Lock> {
        let word = format!("stack-{name}");
        match self.try_lock_stack(name) {
            Err(LockError::Held { .. }) => {}
            other => return Ok(other?),
        }
        progress.step(&format!("Waiting for another command on the stack {name}"));
        loop {
            match self.locks().lock(&word, LockMode::Exclusive, Wait::For(LOOK)) {
                Err(LockError::Held { .. }) if progress.cancelled() => {
                    let title = format!("Another command is still at work on the stack {name}");
                    return Err(Error::new(ErrorKind::Interrupted, title).about(name));
                }
                Err(LockError::Held { .. }) => {}
                other => return Ok(other?),
            }
        }
    }
}

fn unreadable(name: &Name) -> Error {
    let title = format!("What is kept of the stack {name} can't be read");
    Error::new(ErrorKind::InvalidConfig, title)
        .about(name)
        .hinted("`volt compose up` writes it anew")
}

/// The stack of a document that came from outside: read and checked like any file.
fn read(name: &Name, document: &str) -> Result<Stack> {
    let path = PathBuf::from("/compose.yaml");
    let request = Request {
        folder: "/".into(),
        files: vec![path.clone()],
        // What nobody wanted was left out before.
        profiles: vec!["*".to_owned()],
        ..Request::default()
    };
    let wrong = |why: String| {
        let title = format!("The document of the stack {name} is wrong");
        Error::new(ErrorKind::InvalidConfig, title).about(name).because(why)
    };
    let files = BTreeMap::from([(path, document.to_owned())]);
    let loaded =
        volt_compose::load(&files, &request).map_err(|report| wrong(report.to_string()))?;
    if loaded.stack.name != *name {
        return Err(wrong(format!("it is that of the stack {}", loaded.stack.name)));
    }
    Ok(loaded.stack)
}

/// An empty stack, for what is left of one that nothing is kept of.
fn empty(name: &Name) -> Stack {
    Stack {
        name: name.clone(),
        description: None,
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        configs: BTreeMap::new(),
        secrets: BTreeMap::new(),
    }
}

fn no_stack(name: &Name) -> Error {
    Error::not_found("stack", name).hinted("`volt compose ls` lists all there are")
}
