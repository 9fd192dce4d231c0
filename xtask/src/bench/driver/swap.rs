//! Putting another firewall into force, with many published ports and policies.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::clock::{run, sized, time_command};
use super::volt;
use crate::bench::samples::Samples;
use crate::run::{Context, Result};

const POLICIES: &str = "/etc/volt/network-policies.json";
/// How many ports each workload publishes.
const PORTS: usize = 10;

/// The figure.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    let (workloads, policies) = sized(pairs, (100, 500), (3, 6));
    volt::ready()?;
    run(&["volt", "net", "create", "--subnet", "10.253.0.0/16", "swap"])?;
    let names: Vec<String> = (0..workloads).map(|number| format!("swap{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let first = 20000 + number * PORTS;
        let ports = format!("{first}-{}:80-{}", first + PORTS - 1, 80 + PORTS - 1);
        let words = ["volt", "run", "-d", "--name", name, "--network", "swap", "-p", &ports];
        run(&[&words[..], &[volt::IMAGE, "sleep", "100000"]].concat())?;
    }
    fs::create_dir_all("/etc/volt").context(|| "/etc/volt".into())?;
    write(&names, policies, 0)?;
    run(&["volt", "firewall", "reload"])?;
    let mut swapped = Samples { figure: "swap".to_owned(), ..Samples::default() };
    for round in 1..=pairs {
        write(&names, policies, round)?;
        swapped.ours.push(time_command(&["volt", "firewall", "reload"])?);
    }
    fs::remove_file(Path::new(POLICIES)).context(|| POLICIES.into())?;
    run(&["volt", "firewall", "reload"])?;
    volt::delete(&names)?;
    run(&["volt", "net", "delete", "swap"])?;
    Ok(vec![swapped])
}

/// Policies from workload to workload by name, each with a port; other ones each round.
fn write(names: &[String], count: usize, round: usize) -> Result<()> {
    let mut text = String::from("{\"version\": 1, \"policies\": [");
    for number in 0..count {
        let (from, to) =
            (number % names.len(), (number * 7 + number / names.len() + 1) % names.len());
        let port = 1000 + (number + round) % 60000;
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma}\n{{\"name\": \"p{number}\", \"action\": \"deny\", \"from\": \"{}\", \"to\": \"{}\", \"ports\": [\"{port}\"]}}",
            names[from], names[to]
        );
    }
    text.push_str("]}\n");
    fs::write(POLICIES, text).context(|| POLICIES.into())
}
