//! Services: plain units of systemd that Volt writes, and those of the host, which it reads.
//!
//! ```text
//! services/NAME/config.json     what was asked for
//! services/NAME/environment     variables with their values, which systemd reads
//! /etc/systemd/system/NAME.service                  rendered from these
//! /etc/systemd/system/NAME.service.d/override.conf  what `service edit` wrote, as `systemctl edit` would
//! ```

mod create;
mod delete;
mod edit;
mod enable;
mod ended;
mod list;
mod profiles;
mod record;
mod show;
mod start;
mod status;
mod stop;

pub use create::Create;
pub(crate) use ended::End;
pub use profiles::Exposure;
pub(crate) use record::names_below;
pub use show::File;

use jiff::Timestamp;
use volt_model::health::Status;
use volt_model::service::Spec;
use volt_model::state::State;

/// A service as it is at this moment: one of Volt's, or of the host's.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What it is called: a name, or for one of the host's its whole unit name.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// What was asked for, of one of Volt's.
    pub spec: Option<Spec>,
    /// In plain words.
    pub state: State,
    /// Whether it is well, of one that runs and has a check.
    pub health: Option<Status>,
    /// What it is for.
    pub description: String,
    /// systemd's word for whether it comes up at boot; empty where it wasn't asked.
    pub enabled: String,
    /// Its main process.
    pub pid: Option<u32>,
    /// When it last began to run.
    pub started: Option<Timestamp>,
    /// How often it was started again by itself.
    pub restarts: u64,
    /// systemd's word for how its last run ended.
    pub result: String,
    /// The exit code of that, 128+n when signal n ended it.
    pub code: Option<i32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Its environment, where the engine's user may read it.
    pub environment: Option<Vec<String>>,
}
