//! Takes a host away, whatever state it is in: up, half up, killed.

use std::time::{Duration, Instant};

use super::state::{self, Kind, State};
use super::{cgroup, exec, loops, up};
use crate::cache;
use crate::run::Result;

/// Ends a host cleanly if it is up, and removes all that is left of it.
pub(crate) fn down(name: &str) -> Result<()> {
    let _lock = state::lock(name)?;
    if let Some(state) = State::load(name)
        && state.alive()
        && answers(&state)
    {
        poweroff(&state);
    }
    clean(name)
}

/// Whether the host has come up so far, and lives so much, that it can end by itself.
fn answers(state: &State) -> bool {
    match state.kind {
        Kind::Namespaces => up::listens(state),
        Kind::Vm => {
            let long = Duration::from_secs(2);
            !crate::vm::panicked(state) && crate::vm::client::answers(state, long).is_ok()
        }
    }
}

/// Removes all that is left of a host; the caller holds its lock.
pub(crate) fn clean(name: &str) -> Result<()> {
    if let Some(state) = State::load(name) {
        // The keeper first: it would take a killed PID 1 for an end, and write while we remove.
        state.keeper.kill();
        state.leader.kill();
        wait(&state, Duration::from_secs(5));
    }
    cgroup::remove(name)?;
    loops::detach(&state::disk(name))?;
    cache::remove(&state::folder(name))?;
    cache::remove(&state::disk(name))
}

/// Asks a host to power off and waits for it, for a while.
pub(crate) fn poweroff(state: &State) {
    match state.kind {
        // SIGRTMIN+4: poweroff, without asking D-Bus.
        Kind::Namespaces => signal(state, 34 + 4),
        Kind::Vm => {
            let words = ["systemctl", "--no-block", "poweroff"];
            let _ended_meanwhile = exec::read_within(state, &words, Duration::from_secs(10));
        }
    }
    wait(state, Duration::from_secs(20));
}

/// Sends a signal (by number, since these have no name) to PID 1 of a host.
pub(crate) fn signal(state: &State, number: i32) {
    if state.leader.alive() {
        let words = [format!("-{number}"), state.leader.pid.to_string()];
        let _gone = crate::run::program("kill").args(words).succeeds();
    }
}

/// Waits until neither the keeper nor PID 1 is left.
fn wait(state: &State, long: Duration) {
    let end = Instant::now() + long;
    while (state.keeper.alive() || state.leader.alive()) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(3));
    }
}
