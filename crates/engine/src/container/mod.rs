//! Containers: one file for each thing that can be asked of one, a folder for each backend.

mod attach;
pub(crate) mod backend;
mod binds;
mod boot;
mod boots;
mod choose;
mod clone;
mod commit;
mod copy;
mod create;
mod delete;
mod disks;
mod ended;
mod exec;
mod exited;
mod export;
mod ids;
mod inspect;
mod kill;
mod layer;
mod prepare;
mod record;
mod release;
mod rename;
mod root;
mod start;
mod still;
mod stop;
#[cfg(test)]
mod tests;
mod told;
mod unit;
mod update;
mod volumes;
mod wait;

pub use commit::Commit;
pub use create::Create;
pub use exec::Exec;
pub use inspect::View;
pub use update::Update;

pub(crate) use backend::{RunState, last_lines};
pub(crate) use create::{merged_environment, no_network_to_share};
pub(crate) use root::tree_of;
pub(crate) use start::refuse;
pub(crate) use unit::link;
