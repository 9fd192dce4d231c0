//! The figures of putting another firewall into force, with many published ports and policies.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::clock::{alternate, run, sized, time_command};
use super::volt;
use crate::bench::samples::Samples;
use crate::run::{Context, Result};

const POLICIES: &str = "/etc/volt/network-policies.json";
/// The tables as the kernel shows them, with what takes the old ones away: what nft alone takes for the same.
const TEXT: &str = "/run/bench/tables.nft";
/// How many ports each workload publishes.
const PORTS: usize = 10;

/// Both figures.
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
    write(&names, policies, 0)?;
    run(&["volt", "firewall", "reload"])?;
    let script = "for f in inet bridge ip ip6; do printf 'table %s volt\\ndelete table %s volt\\n' $f $f; nft list table $f volt; done";
    run(&["sh", "-c", &format!("{{ {script}; }} > {TEXT}")])?;
    let mut round = 0;
    let swapped = alternate(
        "swap-nft",
        pairs,
        || {
            round += 1;
            write(&names, policies, round)?;
            time_command(&["volt", "firewall", "reload"])
        },
        || time_command(&["nft", "-f", TEXT]),
    );
    fs::remove_file(Path::new(POLICIES)).context(|| POLICIES.into())?;
    run(&["volt", "firewall", "reload"])?;
    volt::delete(&names)?;
    run(&["volt", "net", "delete", "swap"])?;
    let both = swapped?;
    let alone =
        Samples { figure: "swap".to_owned(), ours: both.ours.clone(), ..Samples::default() };
    Ok(vec![alone, both])
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
