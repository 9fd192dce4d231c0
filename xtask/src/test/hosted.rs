//! Tests of a crate that need systemd as PID 1, where this machine has another: they are run once
//! more in a test host, and what they come to there counts.

use super::report::{self, Test, Verdict};
use crate::cache::SUITES;
use crate::host;
use crate::host::exec;
use crate::host::state::{Kind, State};
use crate::host::up::{self, Wanted};
use crate::paths;
use crate::run::{Result, fail, program};

/// How these tests say that they can't run here.
const REASON: &str = "systemd is not PID 1 here";

/// The test programs that say so: package and test target.
const PROGRAMS: [(&str, &str); 1] = [("volt-host", "systemd")];

const HOST: &str = "e2e-unit";

/// The same tests, with those that were skipped for want of systemd run in a host.
pub(crate) fn again(tests: Vec<Test>, filter: Option<&str>) -> Result<Vec<Test>> {
    let skipped = Verdict::Skipped(REASON.to_owned());
    if !paths::is_root() || tests.iter().all(|test| test.verdict != skipped) {
        return Ok(tests);
    }
    host::down(HOST)?;
    let suite = SUITES[0].to_owned();
    let wanted = Wanted { name: HOST.into(), suite, kind: Kind::Namespaces, volt: None };
    let state = up::up(&wanted)?;
    let run: Result<Vec<Test>> = PROGRAMS
        .iter()
        .map(|which| run(&state, *which, filter))
        .collect::<Result<Vec<_>>>()
        .map(|lists| lists.concat());
    host::down(HOST)?;
    let mut all: Vec<Test> = tests.into_iter().filter(|test| test.verdict != skipped).collect();
    all.extend(run?);
    Ok(all)
}

fn run(state: &State, (package, target): (&str, &str), filter: Option<&str>) -> Result<Vec<Test>> {
    let place = format!("/root/{target}");
    let binary = build(package, target)?;
    let to = format!("{}:{place}", state.name);
    program("/proc/self/exe").args(["host", "copy", &binary, &to]).read()?;
    let line = format!("{place} --show-output {}; true", filter.unwrap_or_default());
    let text = exec::read(state, &["sh", "-c", &line])?;
    let tests = report::libtest(&text);
    if tests.iter().any(|test| test.verdict == Verdict::Failed) {
        println!("{text}");
    }
    let named = |test: Test| Test { name: format!("{package}::{target} {}", test.name), ..test };
    Ok(tests.into_iter().map(named).collect())
}

/// The path of the test program, built as the tests before it were.
fn build(package: &str, target: &str) -> Result<String> {
    let words = ["test", "--quiet", "--no-run", "--message-format", "json"];
    let cargo = program("cargo").dir(paths::root()).args(words);
    let text = cargo.args(["--package", package, "--test", target]).read()?;
    let found = text.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let own = message["target"]["name"] == target;
        own.then(|| message["executable"].as_str().map(str::to_owned)).flatten()
    });
    found.map_or_else(|| fail(format!("cargo built no test {target} of {package}")), Ok)
}
