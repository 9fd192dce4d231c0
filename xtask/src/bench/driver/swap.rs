//! Putting another firewall into force, with many published ports and policies.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::clock::{run, sized, time_command};
use super::volt;
use crate::bench::samples::Samples;
use crate::run::{Context, Result, fail, program};

const POLICIES: &str = "/etc/volt/network-policies.json";
/// How many ports each workload publishes.
const PORTS: usize = 10;
/// The port that the first policy is about, before the first round: from the first workload to the second.
const FIRST: usize = 1000;

/// In how many groups the workloads are, by a label.
const GROUPS: usize = 20;

/// The figures.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    let (workloads, policies) = sized(pairs, (100, 500), (3, 6));
    volt::ready()?;
    run(&["volt", "net", "create", "--subnet", "10.253.0.0/16", "swap"])?;
    let names: Vec<String> = (0..workloads).map(|number| format!("swap{number}")).collect();
    let groups: Vec<String> = (0..workloads.min(GROUPS)).map(|n| format!("group={n}")).collect();
    for (number, name) in names.iter().enumerate() {
        let first = 20000 + number * PORTS;
        let ports = format!("{first}-{}:80-{}", first + PORTS - 1, 80 + PORTS - 1);
        let label = &groups[number % groups.len()];
        let words = [
            "volt",
            "run",
            "-d",
            "--name",
            name,
            "--network",
            "swap",
            "--label",
            label,
            "-p",
            &ports,
        ];
        run(&[&words[..], &[volt::IMAGE, "sleep", "100000"]].concat())?;
    }
    fs::create_dir_all("/etc/volt").context(|| "/etc/volt".into())?;
    // Of pairs the kernel has elements of sets; of groups it has rules.
    let many = [groups, vec!["net:swap".to_owned()]].concat();
    let figures = [("swap", &names), ("swap-rules", &many)];
    let mut all: Vec<_> =
        figures.map(|(figure, ends)| swapped(figure, ends, policies, pairs)).into();
    all.insert(1, rendered(&names, policies, pairs));
    fs::remove_file(Path::new(POLICIES)).context(|| POLICIES.into())?;
    run(&["volt", "firewall", "reload"])?;
    volt::delete(&names)?;
    run(&["volt", "net", "delete", "swap"])?;
    all.into_iter().collect()
}

/// How long it takes to put other policies between these in the place of those that are in force.
fn swapped(figure: &str, ends: &[String], policies: usize, rounds: usize) -> Result<Samples> {
    write(ends, policies, 0)?;
    run(&["volt", "firewall", "reload"])?;
    let mut swapped = Samples { figure: figure.to_owned(), ..Samples::default() };
    for round in 1..=rounds {
        write(ends, policies, round)?;
        swapped.ours.push(time_command(&["volt", "firewall", "reload"])?);
        is_swapped(round)?;
    }
    Ok(swapped)
}

/// How long it takes to put all tables with all that is in them in the place of those that are in force: what is asked for although it is in
/// force already is rendered whole.
fn rendered(ends: &[String], policies: usize, rounds: usize) -> Result<Samples> {
    write(ends, policies, 0)?;
    run(&["volt", "firewall", "reload"])?;
    let mut rendered = Samples { figure: "swap-whole".to_owned(), ..Samples::default() };
    for _ in 0..rounds {
        let before = tables()?;
        rendered.ours.push(time_command(&["volt", "firewall", "reload"])?);
        if tables()? == before {
            return fail("the tables are the same as before a reload");
        }
        is_swapped(0)?;
    }
    Ok(rendered)
}

/// The tables of the kernel with their handles: those that are swapped have other ones.
fn tables() -> Result<String> {
    program("nft").args(["-a", "list", "tables"]).read()
}

/// Fails unless the kernel holds to the policies of this round, and no longer to those of the one before.
fn is_swapped(round: usize) -> Result<()> {
    match (answers(FIRST + round - 1), answers(FIRST + round)) {
        (true, false) => Ok(()),
        _ => fail(format!("the policies of round {round} were taken and are not in force")),
    }
}

/// Whether the second workload answers the first one at this port. Nobody listens there, so a refusal is what it says.
fn answers(port: usize) -> bool {
    let asked = run(&["volt", "exec", "swap0", "nc", "-w", "1", "swap1", &port.to_string()]);
    asked.is_err_and(|failure| failure.0.contains("refused"))
}

/// Policies from one of these to another, each with a port; other ones each round.
fn write(names: &[String], count: usize, round: usize) -> Result<()> {
    let mut text = String::from("{\"version\": 1, \"policies\": [");
    for number in 0..count {
        let (from, to) =
            (number % names.len(), (number * 7 + number / names.len() + 1) % names.len());
        let port = FIRST + (number + round) % 60000;
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
