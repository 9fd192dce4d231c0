//! No file has more production lines than a reader can hold. Tests are not counted.

use super::Finding;
use super::repository::Repository;
use crate::run::Result;

/// Lines, without the bodies of `#[cfg(test)]`.
const LIMIT: usize = 600;

/// Files that may be longer, each with its reason.
const LONGER: &[(&str, &str)] = &[];

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, text) in repository.texts(".rs") {
        if is_test(path) || LONGER.iter().any(|(longer, _)| *longer == path) {
            continue;
        }
        let lines = production_lines(&text);
        if lines > LIMIT {
            let text = format!("{lines} lines, {LIMIT} at most; split it by what it owns");
            findings.push(Finding::new(path, LIMIT, text));
        }
    }
    for (path, _) in LONGER {
        if !repository.files.iter().any(|file| file == path) {
            let text =
                format!("{path} is excused from the limit but is gone; remove it from LONGER");
            findings.push(Finding::new("xtask/src/tidy/lengths.rs", 1, text));
        }
    }
    Ok(findings)
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|folder| folder == "tests")
}

/// Counts lines up to the end of the file, leaving out each module that stands under `#[cfg(test)]`. rustfmt puts its closing
/// brace in the column in which it began.
fn production_lines(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            count += 1;
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        // Further attributes, then the item; `mod tests;` has no body.
        for line in lines.by_ref() {
            let one_line = line.ends_with(';') && line.starts_with(&format!("{indent}mod "));
            if line == end || one_line {
                break;
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_not_counted() {
        let text = "a\n#[cfg(test)]\nmod tests;\nb\nmod inner {\n    #[cfg(test)]\n    mod t {\n        x\n    }\n}\n#[cfg(test)]\nmod u {\n    y\n}\nc\n";
        assert_eq!(production_lines(text), 5);
        assert!(is_test("crates/host/tests/a.rs") && is_test("crates/host/src/x/tests.rs"));
        assert!(!is_test("crates/host/src/contests.rs"));
    }
}
