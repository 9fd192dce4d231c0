//! Tests of a crate that need systemd as PID 1, where this machine has another: they are run once
//! more in a test host, and what they come to there counts.

use super::report::{Test, Verdict};
use super::runner::{self, Case};
use crate::cache::SUITES;
use crate::host;
use crate::host::state::{self, Kind};
use crate::host::up::{self, Wanted};
use crate::paths;
use crate::run::{Result, fail, program};

/// How these tests say that they can't run here.
const REASON: &str = "systemd is not PID 1 here";

/// The same tests, with those that were skipped for want of systemd run in a host.
pub(crate) fn again(tests: Vec<Test>, cases: &[Case]) -> Result<Vec<Test>> {
    let waits = |test: &Test| matches!(&test.verdict, Verdict::Skipped(why) if why == REASON);
    let (again, mut all): (Vec<Test>, Vec<Test>) = tests.into_iter().partition(waits);
    if again.is_empty() || !paths::is_root() {
        all.extend(again);
        return Ok(all);
    }
    let names: Vec<&str> = again.iter().map(|test| test.name.as_str()).collect();
    let wanted = cases.iter().filter(|case| names.contains(&case.name.as_str()));
    let name = state::own("unit");
    host::down(&name)?;
    let suite = SUITES[0].to_owned();
    up::up(&Wanted { name: name.clone(), suite, kind: Kind::Namespaces, volt: None })?;
    let run = run(&name, &wanted.cloned().collect::<Vec<_>>());
    host::down(&name)?;
    all.extend(run?);
    Ok(all)
}

fn run(host: &str, cases: &[Case]) -> Result<Vec<Test>> {
    let own = || program("/proc/self/exe");
    let mut programs: Vec<&str> = Vec::new();
    for case in cases {
        let Some(file) = case.program.to_str() else { return fail("a path that is no text") };
        if !programs.contains(&file) {
            own().args(["host", "copy", file, &format!("{host}:{}", place(case))]).read()?;
            programs.push(file);
        }
    }
    let begin = |case: &Case| own().args(["host", "exec", host, "--"]).arg(place(case));
    Ok(runner::each(cases, |case| begin(case).args(case.words())))
}

/// Where a test's program is in the host.
fn place(case: &Case) -> String {
    let name = case.program.file_name().unwrap_or_default().to_string_lossy();
    format!("/root/{name}")
}
