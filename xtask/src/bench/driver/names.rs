//! Servers of names, each at an address of the loopback, asked by dnsperf from another: ours, dnsmasq and unbound, with the same
//! names of their own and the same resolver for all others.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::clock::{alternate, run};
use crate::bench::samples::Samples;
use crate::bench::stats::median;
use crate::run::{Context, Result, fail, program};

/// Where the peers' packages are.
const PACKAGES: &str = "/root/names";
/// Where all of it is.
const PLACE: &str = "/run/bench/names";
/// Who asks, and who knows the names of others.
const ASKER: &str = "127.77.1.2";
const RESOLVER: &str = "127.77.9.9";
/// How many names each server has of its own, and how many there are of others.
const LOCAL: usize = 500;
const OTHERS: usize = 2000;
/// How many queries a second are asked where the time of each counts.
const RATE: &str = "10000";

/// The cores of whoever asks and of whoever answers, where the time of each answer counts.
const ASKING: &str = "0";
const ANSWERING: &str = "1";

/// A server: the unit that it is, and where it listens.
#[derive(Clone, Copy)]
struct Server {
    unit: &'static str,
    address: &'static str,
}

const OURS: Server = Server { unit: "volt-dns.service", address: "127.77.1.1" };
const DNSMASQ: Server = Server { unit: "bench-dnsmasq.service", address: "127.77.2.1" };
const UNBOUND: Server = Server { unit: "bench-unbound.service", address: "127.77.3.1" };

/// All figures.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    begin()?;
    // The slowest answers are the machine's whims: many short rounds tell more than a few long ones.
    let seconds = "1";
    let mut all = Vec::new();
    for (queries, figure) in [("local", "dns-local"), ("others", "dns-kept")] {
        let rate = |server: Server| move || per_second(server, queries, seconds);
        let time = |server: Server| move || slowest(server, queries, seconds);
        // Once for all that is kept from then on.
        for server in [OURS, DNSMASQ, UNBOUND] {
            per_second(server, queries, "1")?;
        }
        all.push(alternate(figure, pairs, rate(OURS), rate(DNSMASQ))?);
        all.push(alternate(&format!("{figure}-p99"), pairs, time(OURS), time(DNSMASQ))?);
        let unbound = format!("{figure}-unbound");
        all.push(alternate(&unbound, pairs, rate(OURS), rate(UNBOUND))?);
        let unbound = format!("{unbound}-p99");
        all.push(alternate(&unbound, pairs, time(OURS), time(UNBOUND))?);
    }
    let memory = Samples {
        figure: "dns-memory".into(),
        ours: vec![resident(OURS, "VmRSS")?],
        note: format!(
            "dnsmasq has {:.1} MiB, unbound {:.1} MiB; without the pages of programs, which all of their processes share: ours {:.1} MiB, \
             dnsmasq {:.1} MiB, unbound {:.1} MiB",
            resident(DNSMASQ, "VmRSS")?,
            resident(UNBOUND, "VmRSS")?,
            resident(OURS, "RssAnon")?,
            resident(DNSMASQ, "RssAnon")?,
            resident(UNBOUND, "RssAnon")?,
        ),
        ..Samples::default()
    };
    all.push(memory);
    for unit in [OURS.unit, DNSMASQ.unit, UNBOUND.unit, "bench-resolver.service"] {
        run(&["systemctl", "stop", unit])?;
    }
    Ok(all)
}

/// Writes what each server answers from, and starts them.
fn begin() -> Result<()> {
    if !Path::new(PACKAGES).exists() {
        return fail("the peers' packages could not be fetched");
    }
    // Unbound's own service is not wanted.
    run(&["systemctl", "mask", "unbound.service"])?;
    run(&["sh", "-c", &format!("dpkg --install --force-confold {PACKAGES}/*.deb")])?;
    let (mut members, mut hosts, mut data) = (Vec::new(), String::new(), String::new());
    let (mut local, mut others, mut known) = (String::new(), String::new(), String::new());
    for number in 0..LOCAL {
        let address = format!("127.77.{}.{}", 100 + number / 250, number % 250);
        members.push(format!(r#"{{"name":"w{number}","addresses":["{address}"]}}"#));
        let _ = writeln!(hosts, "{address} w{number}.volt");
        let _ = writeln!(data, "  local-data: \"w{number}.volt. 0 A {address}\"");
        let _ = writeln!(local, "w{number}.volt A");
    }
    for number in 0..OTHERS {
        let _ = writeln!(known, "192.0.2.{} h{number}.example", number % 250);
        let _ = writeln!(others, "h{number}.example A");
    }
    let table = format!(
        r#"{{"generation":1,"networks":[{{"name":"bench","gateways":["{}"],"subnets":["127.77.0.0/16"],"forwards":true,"members":[{{"name":"asker","addresses":["{ASKER}"]}},{}]}}]}}"#,
        OURS.address,
        members.join(",")
    );
    let unbound = format!(
        "server:\n  interface: {}\n  access-control: 127.0.0.0/8 allow\n  do-daemonize: no\n  username: \"\"\n  chroot: \"\"\n  \
         pidfile: \"\"\n  use-syslog: no\n  module-config: \"iterator\"\n  do-not-query-localhost: no\n  \
         local-zone: \"volt.\" static\n{data}forward-zone:\n  name: \".\"\n  forward-addr: {RESOLVER}\n",
        UNBOUND.address
    );
    for (file, text) in [
        ("local", &local),
        ("others", &others),
        ("hosts", &hosts),
        ("known", &known),
        ("unbound.conf", &unbound),
    ] {
        crate::cache::write(&Path::new(PLACE).join(file), text)?;
    }
    crate::cache::write(Path::new("/etc/resolv.conf"), format!("nameserver {RESOLVER}\n"))?;
    crate::cache::write(Path::new("/run/volt/dns.json"), table)?;
    dnsmasq(
        "bench-resolver",
        RESOLVER,
        &format!("--addn-hosts={PLACE}/known"),
        "--local-ttl=3600",
    )?;
    let resolver = format!("--server={RESOLVER}");
    dnsmasq("bench-dnsmasq", DNSMASQ.address, &format!("--addn-hosts={PLACE}/hosts"), &resolver)?;
    let conf = format!("{PLACE}/unbound.conf");
    run(&["systemd-run", "--unit=bench-unbound", "unbound", "-d", "-c", &conf])?;
    run(&["systemctl", "restart", OURS.unit])
}

fn dnsmasq(unit: &str, address: &str, hosts: &str, option: &str) -> Result<()> {
    let (unit, listen) = (format!("--unit={unit}"), format!("--listen-address={address}"));
    let words = ["systemd-run", &unit, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"];
    let same = ["--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root", "--pid-file="];
    // As many as it is asked for at a time, and room for all that there is.
    let more = ["--dns-forward-max=10000", "--cache-size=10000", &listen, hosts, option];
    run(&[&words[..], &same, &more].concat())
}

/// How many queries a second it answers.
fn per_second(server: Server, queries: &str, seconds: &str) -> Result<f64> {
    let said = dnsperf(&[], server, queries, &["-l", seconds, "-c", "8"])?;
    let value = said.lines().find_map(|line| line.trim().strip_prefix("Queries per second:"));
    let Some(value) = value else { return fail(format!("dnsperf says no rate: {said}")) };
    value.trim().parse().context(|| "the rate".into())
}

/// The time in which 99 of 100 are answered, in milliseconds.
fn slowest(server: Server, queries: &str, seconds: &str) -> Result<f64> {
    // A core for whoever asks and one for whoever answers: what is measured is the server, and not who else the scheduler lets run.
    let pid = main_process(server)?;
    let keep = |cores: &str| run(&["taskset", "--all-tasks", "--cpu-list", "--pid", cores, &pid]);
    keep(ANSWERING)?;
    let asking = ["taskset", "--cpu-list", ASKING];
    let said = dnsperf(&asking, server, queries, &["-l", seconds, "-Q", RATE, "-v"]);
    // Other figures have all of them, also where this one failed.
    let cores = std::thread::available_parallelism().context(|| "the cores".into())?;
    keep(&format!("0-{}", cores.get() - 1))?;
    let said = said?;
    let lines = said.lines().filter(|line| line.starts_with("> "));
    let mut all: Vec<f64> =
        lines.filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect();
    all.sort_by(f64::total_cmp);
    match all.get(all.len() * 99 / 100) {
        Some(time) if median(&all).is_some() => Ok(time * 1000.0),
        _ => fail(format!("dnsperf says no times: {said}")),
    }
}

/// Runs it by these words; every query must have been answered with an address.
fn dnsperf(by: &[&str], server: Server, queries: &str, options: &[&str]) -> Result<String> {
    let file = format!("{PLACE}/{queries}");
    let words = ["-s", server.address, "-a", ASKER, "-d", &file];
    // Nobody reads along, which would take one of the cores from those who are measured.
    let told = format!("{PLACE}/told");
    let asking = r#"exec dnsperf "$@" > "$0""#;
    run(&[by, &["sh", "-c", asking, &told], &words, options].concat())?;
    let said = fs::read_to_string(&told).context(|| told)?;
    let codes = said.lines().find(|line| line.contains("Response codes:")).unwrap_or_default();
    if !codes.contains("NOERROR") || !codes.contains("(100.00%)") {
        return fail(format!("{}: {said}", server.unit));
    }
    Ok(said)
}

fn main_process(server: Server) -> Result<String> {
    let words = ["show", "--value", "--property", "MainPID", server.unit];
    Ok(program("systemctl").args(words).read()?.trim().to_owned())
}

/// Its memory, in MiB: all of it by `VmRSS`, or what no file backs by `RssAnon` (proc(5)).
fn resident(server: Server, which: &str) -> Result<f64> {
    let path = format!("/proc/{}/status", main_process(server)?);
    let text = fs::read_to_string(&path).context(|| path.clone())?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(which)?.strip_prefix(':')?.trim().strip_suffix(" kB"));
    let Some(line) = line else { return fail(format!("no {which} in {path}")) };
    Ok(line.trim().parse::<f64>().context(|| path.clone())? / 1024.0)
}
