//! `cargo xtask bench NAME`: ours against theirs, in a test host of its own. What is timed is timed
//! inside the host by this same program (`driver`); here the host is made and the samples judged.

mod compose;
mod container;
pub(crate) mod driver;
mod groups;
mod health;
mod host;
mod net;
mod peers;
mod report;
mod samples;
mod stats;
mod store;

use std::process::ExitCode;

use self::report::Measured;
use crate::cache::SUITES;
use crate::paths;
use crate::run::{Outcome, Result, fail};

const HELP: &str = "\
cargo xtask bench NAME [FILTER] [--pairs N] [--json] [--no-build] [--keep]

  FILTER       only figures whose name contains it; BENCHMARKS.md is then left as it is
  --pairs N    pairs a figure (15 where a run is short); 1 only tries whether it works, on little data
  --suite S    the Debian of the test host: trixie or bookworm
  --json       one object a line instead of the table
  --profile P  a build by another of cargo's profiles than release
  --no-build   take the build that is there
  --keep       leave the test host up";

/// A bench: its name, what it is about, and what runs it.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Options) -> Result<Report>,
}

/// Every bench. A new one is its module, and one line here.
const BENCHES: &[Bench] = &[
    Bench {
        name: "container",
        about: "containers against hand-written units and podman",
        run: container::run,
    },
    Bench { name: "compose", about: "stacks against loops of systemctl", run: compose::run },
    Bench {
        name: "store",
        about: "the content-addressed store against cp, b3sum, ostree, casync, restic and borg",
        run: store::run,
    },
    Bench {
        name: "net",
        about: "networks against what is made by hand, names against dnsmasq and unbound",
        run: net::run,
    },
    Bench { name: "health", about: "what looks at the health of workloads", run: health::run },
];

/// What was asked for.
#[derive(Debug, Clone, Default)]
struct Options {
    filter: Option<String>,
    pairs: Option<usize>,
    suite: Option<String>,
    profile: Option<String>,
    json: bool,
    no_build: bool,
    keep: bool,
}

impl Options {
    /// Whether nobody is to believe what is measured.
    fn tries(&self) -> bool {
        self.pairs == Some(1)
    }

    /// Whether the figure of this name is asked for.
    fn wants(&self, figure: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| figure.contains(filter.as_str()))
    }
}

/// What came of a bench.
struct Report {
    /// The test host it ran in, in words.
    host: String,
    /// The figures, in their order.
    figures: Vec<Measured>,
    /// Whether one could not be measured that should have been.
    failed: bool,
}

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let (name, options) = parse(words)?;
    let Some(name) = name else {
        println!("{HELP}\n");
        for bench in BENCHES {
            println!("  {:<12} {}", bench.name, bench.about);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        return fail(format!("there is no bench '{name}'\n\n{HELP}"));
    };
    let report = (bench.run)(&options)?;
    if report.figures.is_empty() {
        return fail("no figure has such a name");
    }
    if options.json {
        for measured in &report.figures {
            println!("{}", measured.json(bench.name));
        }
    } else {
        print!("{}", report::table(&report.figures));
    }
    if options.filter.is_none() && !options.tries() {
        let file = paths::root().join("BENCHMARKS.md");
        report::write(&file, bench.name, &report.host, &report.figures)?;
    }
    Ok(if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parse(words: &[String]) -> Result<(Option<String>, Options)> {
    let (mut name, mut options) = (None, Options::default());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--pairs" => match words.next().and_then(|word| word.parse().ok()) {
                Some(pairs) if pairs > 0 => options.pairs = Some(pairs),
                _ => return fail("--pairs takes a number"),
            },
            "--suite" => match words.next() {
                Some(suite) if SUITES.contains(&suite.as_str()) => {
                    options.suite = Some(suite.clone());
                }
                _ => return fail(format!("--suite is one of: {}", SUITES.join(", "))),
            },
            "--profile" => match words.next() {
                Some(profile) => options.profile = Some(profile.clone()),
                None => return fail("--profile takes a name"),
            },
            "--json" => options.json = true,
            "--no-build" => options.no_build = true,
            "--keep" => options.keep = true,
            word if word.starts_with('-') => {
                return fail(format!("'{word}' is not understood\n\n{HELP}"));
            }
            word if name.is_none() => name = Some(word.to_owned()),
            word if options.filter.is_none() => options.filter = Some(word.to_owned()),
            word => return fail(format!("'{word}' is one word too many\n\n{HELP}")),
        }
    }
    Ok((name, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (name, options) = parse(&words("container --pairs 3 ps --json")).expect("fine");
        assert_eq!(name.as_deref(), Some("container"));
        assert_eq!((options.pairs, options.json), (Some(3), true));
        assert!(options.wants("ps-time") && !options.wants("start"));
        for wrong in ["c --pairs", "c --pairs 0", "c --what", "c a b"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
