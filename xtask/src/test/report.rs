//! What tests came to, added up by tier.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passed.
    Passed,
    /// It failed, in this way.
    Failed(String),
    /// It did not run, for this reason.
    Skipped(String),
}

/// A test that was to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    /// Its full name.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// How long it took.
    pub(crate) took: Duration,
    /// Whether it took much of the time that it may take.
    pub(crate) slow: bool,
}

impl Test {
    /// A test that was run: it may say in its output that it skipped itself.
    pub(crate) fn ended(name: &str, failure: Option<String>, output: &str, took: Duration) -> Self {
        let reason = output.lines().find_map(|line| line.split_once("SKIPPED: "));
        let verdict = match (failure, reason) {
            (Some(failure), _) => Verdict::Failed(failure),
            (None, Some((_, reason))) => Verdict::Skipped(reason.trim().to_owned()),
            (None, None) => Verdict::Passed,
        };
        Self { name: name.to_owned(), verdict, took, slow: false }
    }

    /// A test that is not run for this reason.
    pub(crate) fn skipped(name: &str, reason: &str) -> Self {
        let verdict = Verdict::Skipped(reason.to_owned());
        Self { name: name.to_owned(), verdict, took: Duration::ZERO, slow: false }
    }
}

/// All tests, by tier.
#[derive(Debug, Default)]
pub(crate) struct Report {
    tiers: BTreeMap<String, Vec<Test>>,
}

impl Report {
    /// Adds tests to a tier.
    pub(crate) fn add(&mut self, tier: &str, tests: Vec<Test>) {
        self.tiers.entry(tier.to_owned()).or_default().extend(tests);
    }

    /// What kept tests from running, the skipped with their reasons, the slow, the failed, a line
    /// per tier, and one over all at the end.
    pub(crate) fn print(&self, broken: &[String]) {
        let all: Vec<&Test> = self.tiers.values().flatten().collect();
        println!();
        for reason in broken {
            println!("broken: {reason}");
        }
        for test in &all {
            if let Verdict::Skipped(reason) = &test.verdict {
                println!("skipped {}: {reason}", test.name);
            }
        }
        for test in all.iter().filter(|test| test.slow) {
            println!("slow {}: {:.0} s", test.name, test.took.as_secs_f64());
        }
        for test in &all {
            if let Verdict::Failed(reason) = &test.verdict {
                println!("failed {}: {reason}", test.name);
            }
        }
        for (tier, tests) in &self.tiers {
            println!("tier {tier}: {}", Self::counted(&tests.iter().collect::<Vec<_>>()));
        }
        println!("{}", Self::counted(&all));
    }

    fn counted(tests: &[&Test]) -> String {
        let (passed, failed, skipped) = Self::counts(tests);
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }

    fn counts(tests: &[&Test]) -> (usize, usize, usize) {
        let passed = tests.iter().filter(|test| test.verdict == Verdict::Passed).count();
        let failed = tests.iter().filter(|test| matches!(test.verdict, Verdict::Failed(_))).count();
        (passed, failed, tests.len() - passed - failed)
    }

    /// Whether the run is good: nothing failed, and where every tier is required, nothing skipped.
    pub(crate) fn good(&self, all_required: bool) -> bool {
        let all: Vec<&Test> = self.tiers.values().flatten().collect();
        let (_, failed, skipped) = Self::counts(&all);
        failed == 0 && !(all_required && skipped > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_that_it_skipped_itself() {
        let ended = |failure: Option<&str>, output| {
            Test::ended("a", failure.map(str::to_owned), output, Duration::ZERO).verdict
        };
        let skipped = Verdict::Skipped("no root".into());
        // With one thread libtest begins the line.
        assert_eq!(ended(None, "test a ... SKIPPED: no root\nok\n"), skipped);
        assert_eq!(ended(None, "it goes on\n"), Verdict::Passed);
        assert_eq!(ended(Some("died"), "SKIPPED: no root"), Verdict::Failed("died".into()));
    }

    #[test]
    fn a_skip_is_no_pass_where_all_is_required() {
        let mut report = Report::default();
        report.add("2", vec![Test::skipped("a", "x")]);
        assert!(report.good(false) && !report.good(true));
    }
}
