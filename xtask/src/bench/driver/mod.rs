//! `xtask bench-driver GROUP PAIRS`: runs inside the test host, where it sets up both sides of a
//! group of figures, times them, cleans up, and prints a line of JSON a figure.

mod attach;
mod clock;
mod compose;
mod dedup;
mod first;
mod health;
mod images;
mod large;
mod lists;
mod memory;
mod names;
mod peer;
mod podman;
mod runs;
mod starts;
mod stores;
mod swap;
mod traffic;
mod tree;
mod volt;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::samples::Samples;
use crate::run::{Context, Outcome, Result, fail};

/// A group of figures that share what must be set up.
struct Group {
    name: &'static str,
    run: fn(usize) -> Result<Vec<Samples>>,
}

const GROUPS: &[Group] = &[
    Group { name: "memory", run: memory::memory },
    Group { name: "version", run: lists::version },
    Group { name: "start", run: starts::one },
    Group { name: "start-50", run: starts::fifty },
    Group { name: "run", run: runs::by_hand },
    Group { name: "run-podman", run: runs::podman },
    Group { name: "create", run: runs::create },
    Group { name: "ps", run: lists::ps },
    Group { name: "store-root", run: stores::root },
    Group { name: "store-large", run: stores::large },
    Group { name: "store-small", run: stores::small },
    Group { name: "store-images", run: images::all },
    Group { name: "store-dedup", run: dedup::all },
    Group { name: "dns", run: names::all },
    Group { name: "attach", run: attach::all },
    Group { name: "throughput", run: traffic::all },
    Group { name: "swap", run: swap::all },
    Group { name: "health", run: health::all },
    Group { name: "compose", run: compose::all },
    Group { name: "compose-podman", run: compose::podman },
];

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let [name, pairs] = words else { return fail("for internal use") };
    // It makes units, mounts and namespaces that nobody would want on a machine.
    if !Path::new("/root/xtask").exists() {
        return fail("this runs in a test host only");
    }
    let pairs = pairs.parse().context(|| pairs.clone())?;
    let Some(group) = GROUPS.iter().find(|group| group.name == name) else {
        return fail(format!("there is no group {name}"));
    };
    fs::create_dir_all("/run/bench").context(|| "/run/bench".into())?;
    for samples in (group.run)(pairs)? {
        println!("{}", serde_json::to_string(&samples).context(|| name.clone())?);
    }
    Ok(ExitCode::SUCCESS)
}
