//! Tasks: commands that timers of systemd start, on the host or in containers, and how their runs ended.
//!
//! ```text
//! tasks/NAME/config.json     what was asked for
//! tasks/NAME/environment     variables with their values
//! tasks/NAME/history.json    how the newest runs ended; written when one ends, with no daemon
//! /etc/systemd/system/volt-task-NAME.{timer,service}     rendered from the first two
//! ```

mod create;
mod delete;
mod enable;
mod ended;
mod history;
mod list;
mod record;
mod run;

pub use create::Create;
pub use ended::Ended;

use jiff::Timestamp;
use volt_model::state::State;
use volt_model::task::{Run, Spec};

/// A task as it is at this moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What was asked for.
    pub spec: Spec,
    /// In plain words: running while a run of it is, failed when the last one did.
    pub state: State,
    /// Whether its timer starts it.
    pub enabled: bool,
    /// When it is started next.
    pub next: Option<Timestamp>,
    /// When the run that is under way began.
    pub started: Option<Timestamp>,
    /// How its last run ended.
    pub last: Option<Run>,
}
