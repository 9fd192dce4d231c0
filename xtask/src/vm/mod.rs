//! Test hosts with a kernel of their own (tier 3), under QEMU.

pub(crate) mod client;

use crate::host::state::State;
use crate::host::up::Wanted;
use crate::run::{Result, fail};

/// Brings a VM up.
pub(crate) fn up(_wanted: &Wanted) -> Result<State> {
    fail("not yet")
}

/// Boots it again.
pub(crate) fn reboot(_state: &State) -> Result<()> {
    fail("not yet")
}
