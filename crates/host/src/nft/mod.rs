//! The kernel's packet filter: whole rulesets through `nft`, single elements of sets and maps by netlink; what the kernel has of both, and
//! what it remembers of connections.
//!
//! Either is one transaction: all of it or nothing. To start a program for one element would take several times as long as all
//! else that connects a workload.

mod chains;
mod conntrack;
mod dump;
mod elements;
mod encode;
mod held;
#[cfg(test)]
mod tests;

pub use chains::{Closed, closed};
pub use conntrack::forget_datagrams;
pub use elements::{Change, change, has_table};
pub use held::{Rules, comment, flows, has_elements, rules, settle};

use crate::command::{self, Command};
use std::time::Duration;

/// How long nft may take for thousands of rules.
const LIMIT: Duration = Duration::from_secs(60);

/// Has the kernel do what this text says, or nothing of it.
///
/// # Errors
/// `Missing` where nft is not installed; what nft said of the text.
pub fn apply(ruleset: &str) -> Result<(), command::Error> {
    Command::new("nft")
        .args(["-f", "-"])
        .input(ruleset.as_bytes().to_vec())
        .time_limit(LIMIT)
        .run()?;
    Ok(())
}
