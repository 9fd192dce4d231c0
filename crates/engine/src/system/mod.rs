//! The host and Volt on it: what it can do, what of Volt's state is amiss, what takes space, installing.

pub(crate) mod can;
mod check;
mod df;
mod findings;
mod info;
mod install;
pub(crate) mod measure;
mod prune;
mod repair;
mod shipped;
mod uninstall;
mod version;

pub use check::{Check, Row};
pub use df::Usage;
pub use findings::Finding;
pub use info::Info;
pub use install::InstallOptions;
pub use prune::{PruneOptions, Pruned};
pub use uninstall::UninstallOptions;
pub use version::Version;

#[cfg(test)]
pub(crate) mod tests;
