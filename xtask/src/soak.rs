//! `cargo xtask soak NAME [--minutes N]`: tests with chance in them, which CI runs for seconds, for as long as there is time.

use std::process::ExitCode;

use crate::paths;
use crate::run::{Outcome, fail, program};

/// What can be soaked: its name, the package and the test.
const SOAKS: [(&str, &str, &str); 1] = [("store", "volt-store", "soak")];
/// How long it goes on where nothing is said.
const MINUTES: u64 = 60;

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, minutes) = match words[..] {
        [name] => (name, Some(MINUTES)),
        [name, "--minutes", minutes] => (name, minutes.parse().ok()),
        _ => ("", None),
    };
    let found = SOAKS.iter().find(|(known, ..)| *known == name);
    let (Some((_, package, test)), Some(minutes)) = (found, minutes) else {
        let names = SOAKS.map(|(name, ..)| name).join("|");
        return fail(format!("usage: cargo xtask soak {names} [--minutes N]"));
    };
    program("cargo")
        .args(["test", "--quiet", "--package", package, "--test", test, "--", "--nocapture"])
        .env("VOLT_SOAK_SECONDS", (minutes * 60).to_string())
        .dir(paths::root())
        .run()?;
    Ok(ExitCode::SUCCESS)
}
