//! What tests came to: read from the runner's report, added up by tier.

use std::collections::BTreeMap;

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
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
}

impl Test {
    /// A test that was not skipped by its runner: it may say in its output that it skipped itself.
    fn ended(name: &str, failed: bool, output: &str) -> Self {
        let reason = output.lines().find_map(|line| line.trim().strip_prefix("SKIPPED: "));
        let verdict = match (failed, reason) {
            (true, _) => Verdict::Failed,
            (false, Some(reason)) => Verdict::Skipped(reason.to_owned()),
            (false, None) => Verdict::Passed,
        };
        Self { name: name.to_owned(), verdict }
    }
}

/// The tests of a JUnit report, as nextest writes it.
pub(crate) fn junit(text: &str) -> Vec<Test> {
    let cases = text.split("<testcase ").skip(1);
    let tests = cases.filter_map(|case| {
        let (head, body) = case.split_once('>')?;
        let whole = if head.ends_with('/') { "" } else { body.split("</testcase>").next()? };
        let attribute = |name: &str| {
            let (_, rest) = head.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| unescape(value))
        };
        let name = format!("{} {}", attribute("classname").unwrap_or_default(), attribute("name")?);
        let failed = whole.contains("<failure") || whole.contains("<error");
        let output = whole.split_once("<system-out>").map_or("", |(_, rest)| rest);
        let output = output.split("</system-out>").next().unwrap_or_default();
        Some(Test::ended(&name, failed, &unescape(output)))
    });
    tests.collect()
}

fn unescape(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The tests of libtest's own output with `--show-output`.
pub(crate) fn libtest(text: &str) -> Vec<Test> {
    let output = |name: &str| {
        let (_, rest) = text.split_once(&format!("---- {name} stdout ----"))?;
        rest.split("\n----").next()
    };
    let tests = text.lines().filter_map(|line| {
        let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        if verdict.starts_with("ignored") {
            let verdict = Verdict::Skipped("ignored".to_owned());
            return Some(Test { name: name.to_owned(), verdict });
        }
        Some(Test::ended(name, verdict != "ok", output(name).unwrap_or_default()))
    });
    tests.collect()
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

    /// What kept tests from running, the skipped with their reasons, the failed, a line per tier,
    /// and one over all at the end.
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
        for test in all.iter().filter(|test| test.verdict == Verdict::Failed) {
            println!("failed {}", test.name);
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
        let failed = tests.iter().filter(|test| test.verdict == Verdict::Failed).count();
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

    fn verdicts(tests: &[Test]) -> Vec<(&str, &Verdict)> {
        tests.iter().map(|test| (test.name.as_str(), &test.verdict)).collect()
    }

    #[test]
    fn junit_is_read() {
        let text = r#"<testsuites><testsuite name="x::e2e">
            <testcase name="a::t2_x" classname="x::e2e" time="0.1"/>
            <testcase name="b" classname="x"><failure type="test failure">SKIPPED: no</failure></testcase>
            <testcase name="c" classname="x"><system-out>
SKIPPED: no &lt;kvm&gt;
</system-out></testcase></testsuite></testsuites>"#;
        let tests = junit(text);
        let skipped = Verdict::Skipped("no <kvm>".to_owned());
        let wanted =
            [("x::e2e a::t2_x", &Verdict::Passed), ("x b", &Verdict::Failed), ("x c", &skipped)];
        assert_eq!(verdicts(&tests), wanted);
    }

    #[test]
    fn libtest_is_read() {
        let text = "test a ... ok\ntest b ... FAILED\ntest c ... ok\ntest d ... ignored, later\n\
            \nsuccesses:\n\n---- a stdout ----\nfine\n\n---- c stdout ----\nSKIPPED: no root\n\n";
        let tests = libtest(text);
        let skipped = [Verdict::Skipped("no root".into()), Verdict::Skipped("ignored".into())];
        let wanted = [
            ("a", &Verdict::Passed),
            ("b", &Verdict::Failed),
            ("c", &skipped[0]),
            ("d", &skipped[1]),
        ];
        assert_eq!(verdicts(&tests), wanted);
    }

    #[test]
    fn a_skip_is_no_pass_where_all_is_required() {
        let mut report = Report::default();
        report.add("2", vec![Test { name: "a".into(), verdict: Verdict::Skipped("x".into()) }]);
        assert!(report.good(false) && !report.good(true));
    }
}
