//! `cargo xtask test [FILTER]`: all tiers. Tiers 0 and 1 are the crates' own tests; tiers 2 and 3
//! are the end-to-end tests on test hosts, which are brought up before and taken away after, and
//! shared by the tests.

mod hosted;
mod report;
mod runner;

use std::process::ExitCode;

use self::report::{Report, Test};
use self::runner::Case;
use crate::cache::{self, SUITES};
use crate::host;
use crate::host::state::{self, Kind, State};
use crate::host::up::{self, Wanted};
use crate::install::{self, Build};
use crate::packages;
use crate::paths;
use crate::run::{Context, Outcome, Result, fail};

/// What e2e tests call the hosts they share: `VOLT_E2E_HOSTS` or `e2e`, this, and the suite.
const TIERS: [(&str, &str, Kind, &str); 2] =
    [("2", "::t2_", Kind::Namespaces, "-"), ("3", "::t3_", Kind::Vm, "-vm-")];

/// The packages that do nothing but compute: their own tests are tier 0, those of the others tier 1.
const PURE: [&str; 5] = ["volt-model", "volt-api", "volt-cli", "volt-e2e", "xtask"];

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let filter = match words {
        [] => None,
        [filter] if !filter.starts_with('-') => Some(filter.as_str()),
        _ => return fail("usage: cargo xtask test [FILTER]"),
    };
    // What the crates' own tests run on the machine itself.
    if paths::is_root() {
        packages::need(&[
            ("systemd-socket-activate", "systemd"),
            ("systemd-analyze", "systemd"),
            ("proot", "proot"),
            ("debootstrap", "debootstrap"),
            ("nft", "nftables"),
            ("mkfs.xfs", "xfsprogs"),
            ("fakeroot", "fakeroot"),
            ("curl", "curl"),
            ("fsck.erofs", "erofs-utils"),
            ("docker-registry", "docker-registry"),
            ("openssl", "openssl"),
            ("skopeo", "skopeo"),
            ("umoci", "umoci"),
            ("/bin/busybox", "busybox-static"),
        ])?;
    }
    let wanted = |case: &Case| filter.is_none_or(|filter| case.name.contains(filter));
    let cases: Vec<Case> = runner::build()?.into_iter().filter(wanted).collect();
    let mut report = Report::default();
    let mut broken = Vec::new();
    let own = of(&cases, |name| TIERS.iter().all(|tier| !name.contains(tier.1)));
    match hosted::again(runner::run(&own), &own) {
        Ok(tests) => tests.into_iter().for_each(|test| report.add(tier(&test.name), vec![test])),
        Err(failure) => broken.push(failure.0),
    }
    if let Err(failure) = end_to_end(&cases, &mut report) {
        broken.push(failure.0);
    }
    report.print(&broken);
    let good = broken.is_empty() && report.good(paths::variable("CI").is_some());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tier of a test that is a crate's own, by its package.
fn tier(name: &str) -> &'static str {
    let package = name.split([' ', ':']).next().unwrap_or_default();
    if PURE.contains(&package) { "0" } else { "1" }
}

fn of(cases: &[Case], which: impl Fn(&str) -> bool) -> Vec<Case> {
    cases.iter().filter(|case| which(&case.name)).cloned().collect()
}

fn end_to_end(cases: &[Case], report: &mut Report) -> Result<()> {
    let mut build = None;
    let first = paths::variable("VOLT_E2E_HOSTS").unwrap_or_else(|| "e2e".into());
    for (tier, part, kind, middle) in TIERS {
        let cases = of(cases, |name| name.contains(part));
        if cases.is_empty() {
            continue;
        }
        if !paths::is_root() {
            let skip = |case: &Case| Test::skipped(&case.name, "hosts need root");
            report.add(tier, cases.iter().map(skip).collect());
            continue;
        }
        let build = match &build {
            Some(build) => build,
            None => build.insert(install::build("host")?),
        };
        let hosts = Hosts::up(kind, format!("{first}{middle}"), &cases, build)?;
        report.add(tier, runner::run(&cases));
        drop(hosts);
    }
    Ok(())
}

/// The hosts of a tier; taken away with this.
struct Hosts {
    prefix: String,
    _alone: std::fs::File,
}

impl Hosts {
    /// Brings up a host for each suite that is tested; waits for another run of the tests to end.
    fn up(kind: Kind, prefix: String, cases: &[Case], build: &Build) -> Result<Self> {
        let locks = state::hosts();
        std::fs::create_dir_all(&locks).context(|| locks.display().to_string())?;
        let lock = locks.with_file_name(format!("{prefix}test.lock"));
        let hosts = Self { prefix, _alone: cache::lock(&lock)? };
        hosts.clear();
        let wanted =
            SUITES.iter().filter(|suite| cases.iter().any(|case| case.name.ends_with(*suite)));
        let begin = |suite: &&str| {
            let (name, suite) = (format!("{}{suite}", hosts.prefix), (*suite).to_owned());
            up::up(&Wanted { name, suite, kind, volt: Some(build.clone()) })
        };
        // One after the other: each uses both cores anyway, and failures stay readable.
        let begun: Vec<State> = wanted.map(begin).collect::<Result<_>>()?;
        let list: Vec<&str> = begun.iter().map(|state| state.name.as_str()).collect();
        eprintln!("hosts: {}", list.join(", "));
        Ok(hosts)
    }

    /// Takes away the shared hosts, and those of their tests that were left.
    fn clear(&self) {
        for name in state::names().iter().filter(|name| name.starts_with(&self.prefix)) {
            if let Err(failure) = host::down(name) {
                eprintln!("host {name}: {failure}");
            }
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        if paths::variable("VOLT_XTASK_KEEP").is_none() {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_go_by_packages() {
        for (name, wanted) in [
            ("volt-model size::tests::x", "0"),
            ("xtask run::tests::x", "0"),
            ("volt-host::joined x", "1"),
            ("volt x", "1"),
        ] {
            assert_eq!(tier(name), wanted, "{name}");
        }
    }
}
