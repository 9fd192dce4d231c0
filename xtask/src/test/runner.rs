//! Runs tests. Each is a process of its own, so that one that hangs or dies is known by its name and harms no other. None is run
//! twice: what fails once has failed.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use serde_json::Value;

use super::report::{Test, Verdict};
use crate::host::state::Process;
use crate::paths;
use crate::run::{Context, Program, Result, fail, program};

/// How many tests run side by side: most wait for the kernel or a host more than they compute.
const THREADS: usize = 4;

/// What a test has in its name that is run by itself, after all others: it measures.
const ALONE: [&str; 3] = ["under_load", "quickly", "are_felt"];

/// How long a test may take, by what its name has in it; the first that fits.
const LIMITS: [(&str, Duration); 5] = [
    // Some hundred kills or power cuts, each with a look at what is left.
    ("::crash", Duration::from_mins(20)),
    ("::cas_power", Duration::from_mins(20)),
    ("::t2_", Duration::from_mins(8)),
    ("::t3_", Duration::from_mins(12)),
    ("", Duration::from_mins(3)),
];

/// A test, and how it is run.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Its package, its target, its path in there.
    pub(crate) name: String,
    /// Its path in its program.
    pub(crate) path: String,
    /// The program it is in.
    pub(crate) program: PathBuf,
    /// Where cargo would run it.
    folder: PathBuf,
}

impl Case {
    /// Runs alone, with its output as it comes.
    pub(crate) fn words(&self) -> [&str; 4] {
        ["--exact", &self.path, "--include-ignored", "--nocapture"]
    }

    fn limit(&self) -> Duration {
        LIMITS.iter().find(|(part, _)| self.name.contains(part)).map_or(Duration::MAX, |l| l.1)
    }

    /// The same, and what a soak is to go on for.
    fn patience(&self) -> Duration {
        let soak = paths::variable("VOLT_SOAK_SECONDS").and_then(|text| text.parse().ok());
        // What is done before and after takes longer too.
        self.limit() * if soak.is_some() { 4 } else { 1 } + Duration::from_secs(soak.unwrap_or(0))
    }
}

/// Builds the tests of the whole workspace, and lists them.
pub(crate) fn build() -> Result<Vec<Case>> {
    let words = ["test", "--workspace", "--no-run", "--quiet"];
    let mut cargo = program("cargo").dir(paths::root()).args(words);
    cargo = cargo.args(["--message-format", "json-render-diagnostics"]);
    cargo.command().stderr(Stdio::inherit());
    let text = cargo.read().or_else(|_| fail("the tests can't be built"))?;
    let mut cases = Vec::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).context(|| "cargo's message".into())?;
        cases.extend(listed(&message)?);
    }
    // The long ones first, so that none is left to run alone at the end.
    cases.sort_by_key(|case| std::cmp::Reverse(case.limit()));
    Ok(cases)
}

/// The tests of the program that cargo says it has built; none where it says something else.
fn listed(message: &Value) -> Result<Vec<Case>> {
    let Some((label, program_path, folder)) = built(message) else { return Ok(Vec::new()) };
    let text = program(&program_path).args(["--list", "--format", "terse"]).read()?;
    let case = |path: &str| Case {
        name: format!("{label} {path}"),
        path: path.to_owned(),
        program: program_path.clone(),
        folder: folder.clone(),
    };
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(case).collect())
}

/// What a person calls a test program, its path, and its package's folder.
fn built(message: &Value) -> Option<(String, PathBuf, PathBuf)> {
    let test = message["profile"]["test"].as_bool()?;
    let file = message["executable"].as_str().filter(|_| test)?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_path_buf();
    let (_, id) = message["package_id"].as_str()?.rsplit_once('/')?;
    // `path+file:///a/volt#0.1.0`, or `…/folder#name@0.1.0` where the folder is called otherwise.
    let (last, version) = id.split_once('#')?;
    let package = version.split_once('@').map_or(last, |(name, _)| name);
    let target = message["target"]["name"].as_str()?;
    let label = match message["target"]["kind"][0].as_str()? {
        "test" => format!("{package}::{target}"),
        _ => package.to_owned(),
    };
    Some((label, PathBuf::from(file), folder))
}

/// Runs these tests, and tells of what failed or took its time as it ends.
pub(crate) fn run(cases: &[Case]) -> Vec<Test> {
    let own = std::env::current_exe().unwrap_or_default();
    each(cases, |case| {
        let run = program(&case.program).args(case.words()).dir(&case.folder);
        run.env("VOLT_XTASK", &own).env("CARGO_MANIFEST_DIR", &case.folder)
    })
}

/// Runs each test by the program that `begin` makes of it.
pub(crate) fn each(cases: &[Case], begin: impl Fn(&Case) -> Program + Sync) -> Vec<Test> {
    let (alone, others): (Vec<&Case>, Vec<&Case>) =
        cases.iter().partition(|case| ALONE.iter().any(|part| case.name.contains(part)));
    let mut tests = side_by_side(&others, &begin);
    tests.extend(alone.into_iter().map(|case| one(case, begin(case))));
    tests
}

fn side_by_side(cases: &[&Case], begin: &(impl Fn(&Case) -> Program + Sync)) -> Vec<Test> {
    let queue = Mutex::new(cases.iter());
    let done = Mutex::new(Vec::new());
    let next = || queue.lock().expect("nobody panics with it").next();
    let work = || {
        while let Some(case) = next() {
            let test = one(case, begin(case));
            done.lock().expect("nobody panics with it").push(test);
        }
    };
    scope(|threads| {
        for _ in 0..THREADS.min(cases.len()) {
            threads.spawn(work);
        }
    });
    done.into_inner().expect("nobody panicked with it")
}

fn one(case: &Case, run: Program) -> Test {
    let begun = Instant::now();
    let (failure, output) = match watched(case, run) {
        Ok((failure, output)) => (failure, output),
        Err(failure) => (Some(failure.0), String::new()),
    };
    let took = begun.elapsed();
    let test = Test::ended(&case.name, failure, &output, took);
    match &test.verdict {
        Verdict::Failed(why) => println!("\n--- {}\n{output}--- failed: {why}\n", case.name),
        Verdict::Passed if took > Duration::from_secs(1) => {
            println!("passed {:>6.1} s  {}", took.as_secs_f64(), case.name);
            output
                .lines()
                .filter(|line| line.starts_with("soaked: "))
                .for_each(|l| println!("{l}"));
        }
        Verdict::Passed | Verdict::Skipped(_) => {}
    }
    Test { slow: took > case.limit() / 6, ..test }
}

/// Runs a test to its end or to its limit. Returns why it failed, if it did, and what it wrote.
fn watched(case: &Case, mut run: Program) -> Result<(Option<String>, String)> {
    // Not a pipe: what a test leaves running may hold it, and nobody is to wait for that.
    let trouble = || "the file for a test's output".to_owned();
    let mut output =
        File::from(rustix::fs::memfd_create("output", MemfdFlags::CLOEXEC).context(trouble)?);
    let (out, err) = (output.try_clone().context(trouble)?, output.try_clone().context(trouble)?);
    run.command().stdin(Stdio::null()).stdout(out).stderr(err);
    let ended = wait(run.spawn()?, &case.name, case.patience())?;
    let mut bytes = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut bytes)).context(trouble)?;
    let failure = match ended {
        Some(status) if status.success() => None,
        Some(status) => Some(crate::run::ended(status)),
        None => Some(format!("ended because it took more than {} s", case.patience().as_secs())),
    };
    Ok((failure, String::from_utf8_lossy(&bytes).into_owned()))
}

/// How it ended; none where it had to be killed, with all that it had started.
fn wait(mut child: Child, name: &str, limit: Duration) -> Result<Option<ExitStatus>> {
    let begun = Instant::now();
    let (mut pause, mut told) = (Duration::from_millis(1), false);
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait().context(|| name.to_owned())? {
            return Ok(Some(status));
        }
        if begun.elapsed() > limit / 6 && !told {
            println!("slow: {name} runs since {} s", begun.elapsed().as_secs());
            told = true;
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    for process in family(child.id()) {
        process.kill();
    }
    child.wait().context(|| name.to_owned())?;
    Ok(None)
}

/// A process and all that came of it, the oldest first.
fn family(pid: u32) -> Vec<Process> {
    let mut found: Vec<u32> = vec![pid];
    let mut index = 0;
    while let Some(pid) = found.get(index) {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        let lists = threads.flatten().map(|thread| thread.path().join("children"));
        let text: Vec<String> = lists.filter_map(|l| std::fs::read_to_string(l).ok()).collect();
        found.extend(text.join(" ").split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        index += 1;
    }
    let processes = found.into_iter().filter_map(|pid| Process::of(i32::try_from(pid).ok()?));
    processes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str) -> Case {
        let empty = PathBuf::new();
        Case { name: name.into(), path: name.into(), program: empty.clone(), folder: empty }
    }

    #[test]
    fn what_hangs_is_ended_with_all_it_started() {
        let mut run = program("sh").args(["-c", "sleep 1007 & sleep 1007; true"]);
        run.command().stdout(Stdio::null());
        let child = run.spawn().expect("there is a shell");
        while family(child.id()).len() < 3 {
            sleep(Duration::from_millis(5));
        }
        let all = family(child.id());
        let ended = wait(child, "hangs", Duration::from_millis(50)).expect("it was ours");
        assert!(ended.is_none());
        let end = Instant::now() + Duration::from_secs(10);
        while all.iter().any(|process| process.alive()) {
            assert!(Instant::now() < end, "something is left");
            sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn tests_come_to_what_their_programs_do() {
        let lines = ["echo fine", "echo SKIPPED: no root", "echo why; exit 3", "kill -9 $$"];
        let cases: Vec<Case> = lines.iter().map(|line| case(line)).collect();
        let mut tests = each(&cases, |case| program("sh").args(["-c", &case.path]));
        tests.sort_by_key(|test| lines.iter().position(|line| *line == test.name));
        let verdicts: Vec<Verdict> = tests.into_iter().map(|test| test.verdict).collect();
        let wanted = [
            Verdict::Passed,
            Verdict::Skipped("no root".into()),
            Verdict::Failed("exit code 3".into()),
            Verdict::Failed("killed by signal 9".into()),
        ];
        assert_eq!(verdicts, wanted);
    }

    #[test]
    fn limits_go_by_names() {
        for (name, minutes) in [("a::suite::crash_more::x::t2_y", 20), ("b::t3_y", 12), ("c", 3)] {
            assert_eq!(case(name).limit(), Duration::from_mins(minutes), "{name}");
        }
    }

    #[test]
    fn what_cargo_built_is_found() {
        let message = |id: &str, kind: &str| {
            serde_json::json!({
                "package_id": id, "manifest_path": "/a/host/Cargo.toml", "executable": "/t/x-1",
                "target": {"name": "x", "kind": [kind]}, "profile": {"test": true},
            })
        };
        let label = |id, kind| built(&message(id, kind)).expect("it is a test program").0;
        assert_eq!(label("path+file:///a/host#volt-host@0.1.0", "lib"), "volt-host");
        assert_eq!(label("path+file:///a/xtask#0.1.0", "bin"), "xtask");
        assert_eq!(label("path+file:///a/host#volt-host@0.1.0", "test"), "volt-host::x");
        assert!(built(&serde_json::json!({"reason": "build-finished"})).is_none());
    }
}
