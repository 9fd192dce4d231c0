//! Runs tests, by nextest where it is installed, else by cargo's own harness, and reads what they
//! came to.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::report::{self, Test};
use crate::paths;
use crate::run::{Context, Program, Result, fail, program};

/// Who runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// cargo-nextest: each test is a process of its own, and there is a report.
    Nextest,
    /// What comes with Rust.
    Libtest,
}

/// Which tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection<'a> {
    /// Of this package; of all but the end-to-end tests where none is given.
    pub(crate) package: Option<&'a str>,
    /// Whose name contains this, as the person asked.
    pub(crate) filter: Option<&'a str>,
    /// Whose name contains this too; `-` for those that belong to no tier of hosts.
    pub(crate) part: &'a str,
}

impl Selection<'_> {
    fn packages(&self) -> Vec<&str> {
        match self.package {
            Some(package) => vec!["--package", package],
            None => vec!["--workspace", "--exclude", "volt-e2e"],
        }
    }

    fn profile(&self) -> &'static str {
        if self.package.is_some() { "e2e" } else { "default" }
    }

    /// As nextest's filter expression.
    fn expression(&self) -> String {
        let filter = self.filter.map_or("all()".to_owned(), |text| format!("test(~{text})"));
        match self.part {
            "" => filter,
            "-" => format!("{filter} - test(~::t2_) - test(~::t3_)"),
            part => format!("{filter} & test(~{part})"),
        }
    }

    fn matches(&self, name: &str) -> bool {
        let part = match self.part {
            "-" => !name.contains("::t2_") && !name.contains("::t3_"),
            part => name.contains(part),
        };
        part && self.filter.is_none_or(|filter| name.contains(filter))
    }
}

impl Runner {
    /// nextest, if it is there.
    pub(crate) fn find() -> Self {
        let nextest = program("cargo").args(["nextest", "--version"]).succeeds();
        if nextest { Self::Nextest } else { Self::Libtest }
    }

    /// The names of these tests.
    pub(crate) fn list(self, selection: &Selection<'_>) -> Result<Vec<String>> {
        let text = match self {
            Self::Nextest => cargo(["nextest", "list"], selection)
                .args(["--message-format", "oneline", "--filterset", &selection.expression()])
                .read()?,
            Self::Libtest => cargo(["test", "--quiet"], selection).args(["--", "--list"]).read()?,
        };
        let names = text.lines().filter_map(|line| match self {
            Self::Nextest => line.split_whitespace().last(),
            Self::Libtest => line.strip_suffix(": test"),
        });
        Ok(names.filter(|name| selection.matches(name)).map(str::to_owned).collect())
    }

    /// Runs these tests. Fails when they can't be built or run, not when one of them fails.
    pub(crate) fn run(self, selection: &Selection<'_>) -> Result<Vec<Test>> {
        match self {
            Self::Nextest => nextest(selection),
            Self::Libtest => libtest(selection),
        }
    }
}

fn cargo(words: [&str; 2], selection: &Selection<'_>) -> Program {
    let own = std::env::current_exe().unwrap_or_default();
    let cargo = program("cargo").dir(paths::root()).args(words).args(selection.packages());
    cargo.env("VOLT_XTASK", own)
}

fn nextest(selection: &Selection<'_>) -> Result<Vec<Test>> {
    let profile = selection.profile();
    // nextest keeps its reports below the workspace, wherever cargo builds into.
    let file = paths::root().join("target/nextest").join(profile).join("junit.xml");
    crate::cache::remove(&file)?;
    let run = cargo(["nextest", "run"], selection);
    let run = run.args(["--profile", profile, "--no-tests", "pass", "--filterset"]);
    let status = run.arg(selection.expression()).status()?;
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        // Nothing matched, so there is no report.
        Err(_) if status.success() => return Ok(Vec::new()),
        Err(_) => return fail("the tests could not be built or run"),
    };
    let tests = report::junit(&text);
    if !status.success() && tests.iter().all(|test| test.verdict != report::Verdict::Failed) {
        return fail(format!("nextest failed ({status}), though no test did"));
    }
    Ok(tests)
}

fn libtest(selection: &Selection<'_>) -> Result<Vec<Test>> {
    let all = Runner::Libtest.list(selection)?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut run = cargo(["test", "--no-fail-fast"], selection).args(["--", "--show-output"]);
    // It knows only "contains"; the exact names say the same for every way to select.
    if !selection.part.is_empty() || selection.filter.is_some() {
        run = run.arg("--exact").args(&all);
    }
    run.command().stdout(Stdio::piped());
    let mut child = run.spawn()?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.context(|| "cargo test".into())?;
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait().context(|| "cargo test".into())?;
    let tests = report::libtest(&text);
    if !status.success() && tests.iter().all(|test| test.verdict != report::Verdict::Failed) {
        return fail("the tests could not be built or run");
    }
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_become_expressions() {
        let expression = |filter, part| Selection { package: None, filter, part }.expression();
        assert_eq!(expression(None, ""), "all()");
        assert_eq!(expression(Some("image_"), "::t2_"), "test(~image_) & test(~::t2_)");
        assert_eq!(expression(None, "-"), "all() - test(~::t2_) - test(~::t3_)");
    }
}
