//! `cargo xtask soak NAME [--minutes N]`: tests with chance in them, which CI runs for seconds, for as long as there is time.

use std::process::ExitCode;

use crate::paths;
use crate::run::{Outcome, fail, program};

/// What can be soaked: its name, and the words by which its test is run: cargo's, or those of `cargo xtask test`.
const SOAKS: [(&str, &str, &[&str]); 5] = [
    (
        "store",
        "cargo",
        &["test", "--quiet", "--package", "volt-store", "--test", "soak", "--", "--nocapture"],
    ),
    ("net", "/proc/self/exe", &["test", "net_churn"]),
    ("net-kills", "/proc/self/exe", &["test", "net_survives_a_kill"]),
    ("stacks", "/proc/self/exe", &["test", "compose_brings_up_what_people_publish"]),
    ("stack-kills", "/proc/self/exe", &["test", "compose_survives_a_kill"]),
];
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
    let (Some((_, runner, words)), Some(minutes)) = (found, minutes) else {
        let names = SOAKS.map(|(name, ..)| name).join("|");
        return fail(format!("usage: cargo xtask soak {names} [--minutes N]"));
    };
    program(runner)
        .args(*words)
        .env("VOLT_SOAK_SECONDS", (minutes * 60).to_string())
        .dir(paths::root())
        .run()?;
    Ok(ExitCode::SUCCESS)
}
