//! Wire types by noun. What goes in refuses unknown fields; what comes out may grow.

mod cas;
mod compose;
mod container;
mod firewall;
mod health;
mod image;
mod net;
mod registry;
mod secret;
mod service;
mod snapshot;
mod system;
mod task;
mod volume;
mod workload;

pub use cas::*;
pub use compose::*;
pub use container::*;
pub use firewall::*;
pub use health::*;
pub use image::*;
pub use net::*;
pub use registry::*;
pub use secret::*;
pub use service::*;
pub use snapshot::*;
pub use system::*;
pub use task::*;
pub use volume::*;
pub use workload::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No parameters, no body, or nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nothing {}

/// One line of a long operation's answer; the last is `done` or `problem`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Progress<T> {
    /// A step began; one sentence.
    Step(String),
    /// Something worth telling that stops nothing.
    Warning(String),
    /// How far the step is, in bytes.
    Bytes {
        /// So many are done.
        done: u64,
        /// Of so many, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// It is done.
    Done(T),
    /// It failed.
    Problem(crate::Problem),
}

/// One line of an answer that is a list without an end, such as logs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Line<T> {
    /// The next item.
    Item(T),
    /// Why there are no more.
    Problem(crate::Problem),
}

/// Several names at once, or the name of the one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// What it is called.
    pub name: String,
}
