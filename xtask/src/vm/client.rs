//! Speaks to the agent in a VM.

use crate::host::exec::Request;
use crate::host::state::State;
use crate::run::{Outcome, Result, fail};

/// Runs a command.
pub(crate) fn run(_state: &State, _request: &Request) -> Outcome {
    fail("not yet")
}

/// Runs a command and returns its output.
pub(crate) fn read(_state: &State, _request: &Request) -> Result<String> {
    fail("not yet")
}
