//! What the daemon takes of the machine's memory once it has had some work.

use std::fs;

use super::clock::run;
use super::volt;
use crate::bench::samples::Samples;
use crate::run::{Context, Result, fail, program};

/// The requests of a round; with what follows they are a hundred.
const ASKED: [&[&str]; 8] = [
    &["ps", "-a"],
    &["container", "list"],
    &["container", "inspect", "held"],
    &["image", "list"],
    &["volume", "list"],
    &["workload", "list"],
    &["system", "info"],
    &["config", "show"],
];

/// Its memory after each of `rounds` hundreds of requests.
pub(super) fn memory(rounds: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    run(&["systemctl", "restart", "volt.service"])?;
    let words = ["volt", "container", "create", "--name", "held", "--network", "none"];
    run(&[&words[..], &[volt::IMAGE, "/bin/sleep", "1000"]].concat())?;
    run(&["volt", "container", "start", "held"])?;
    let before = pid()?;
    let sample = |name: &str| Samples { figure: name.to_owned(), ..Samples::default() };
    let (mut resident, mut shared) = (sample("daemon-rss"), sample("daemon-pss"));
    for _ in 0..rounds {
        for number in 0..99 {
            let words = [&["volt"], ASKED[number % ASKED.len()]].concat();
            run(&words)?;
        }
        run(&["volt", "container", "exec", "held", "/bin/true"])?;
        let rollup = fs::read_to_string(format!("/proc/{before}/smaps_rollup"));
        let rollup = rollup.context(|| "the daemon's smaps_rollup".into())?;
        resident.ours.push(field(&rollup, "Rss:")?);
        shared.ours.push(field(&rollup, "Pss:")?);
    }
    if pid()? != before {
        return fail("the daemon was started anew meanwhile");
    }
    volt::delete(&["held".to_owned()])?;
    Ok(vec![resident, shared])
}

fn pid() -> Result<u32> {
    let words = ["show", "--value", "--property", "MainPID", "volt.service"];
    let text = program("systemctl").args(words).read()?;
    text.trim().parse().context(|| "the daemon's pid".into())
}

/// A line of `smaps_rollup`, in MiB.
fn field(rollup: &str, name: &str) -> Result<f64> {
    let value = rollup.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    let Some(value) = value else { return fail(format!("no {name} in smaps_rollup")) };
    Ok(value.trim().parse::<f64>().context(|| name.to_owned())? / 1024.0)
}
