//! `cargo xtask tidy`: the conventions of the house, as checks. Each check is a file and a line in [`CHECKS`]; all are run,
//! and every finding says where, what, and what to do about it.

mod changelog;
mod compose_fields;
mod dependencies;
mod documents;
mod fuzz;
mod layers;
mod lengths;
mod machine;
mod module_docs;
mod operations;
mod repository;
mod scripts;
mod suites;
mod toolchain;
mod units;

use std::fmt;
use std::process::ExitCode;
use std::time::Instant;

use self::repository::Repository;
use crate::run::{Outcome, Result, fail};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl Finding {
    /// In this file, from the root of the repository; `line` counts from 1.
    fn new(path: impl Into<String>, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.into(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

type Check = fn(&Repository) -> Result<Vec<Finding>>;

/// Every check, the quick ones first.
const CHECKS: &[(&str, Check)] = &[
    ("layers", layers::check),
    ("module-docs", module_docs::check),
    ("lengths", lengths::check),
    ("operations", operations::check),
    ("suites", suites::check),
    ("compose-fields", compose_fields::check),
    ("scripts", scripts::check),
    ("machine", machine::check),
    ("changelog", changelog::check),
    ("dependencies", dependencies::check),
    ("units", units::check),
    ("format", toolchain::format),
    ("documents", documents::check),
    ("clippy", toolchain::clippy),
    ("fuzz", fuzz::check),
];

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let chosen: Vec<_> = match words {
        [] => CHECKS.iter().collect(),
        words => CHECKS.iter().filter(|(name, _)| words.iter().any(|word| word == name)).collect(),
    };
    if chosen.len() < words.len() {
        let names: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
        return fail(format!("usage: cargo xtask tidy [CHECK…]\nchecks: {}", names.join(" ")));
    }
    let repository = Repository::read()?;
    let mut found = 0;
    for (name, check) in &chosen {
        let begun = Instant::now();
        let findings = check(&repository)?;
        for finding in &findings {
            println!("{finding}");
        }
        found += findings.len();
        eprintln!(
            "tidy {name}: {} ({:.1} s)",
            count(findings.len()),
            begun.elapsed().as_secs_f64()
        );
    }
    println!("{} checks, {}", chosen.len(), count(found));
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(findings: usize) -> String {
    match findings {
        0 => "nothing to do".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    }
}
