//! The packages that the lock file brings in: none that `deny.toml` bans, and each under a licence that it allows. `cargo deny` is
//! asked too where it is installed; the lists hold without it.

use std::collections::HashSet;

use super::Finding;
use super::repository::{Repository, line_of};
use crate::run::{Result, program};

const LOCK: &str = "Cargo.lock";
const LISTS: &str = "deny.toml";

/// What the lists say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lists {
    /// Package and reason.
    banned: Vec<(String, String)>,
    licences: Vec<String>,
}

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let lock = repository.text(LOCK).unwrap_or_default();
    let lists = read(&repository.text(LISTS).unwrap_or_default());
    if lists.banned.is_empty() || lists.licences.is_empty() {
        return Ok(vec![Finding::new(LISTS, 1, "its lists were not found; one entry a line")]);
    }
    let mut findings = Vec::new();
    let used = used(repository)?;
    for package in repository.packages() {
        let name = package["name"].as_str().unwrap_or_default();
        if !used.contains(name) {
            continue;
        }
        let line = line_of(&lock, &format!("name = \"{name}\""));
        if let Some((_, reason)) = lists.banned.iter().find(|(banned, _)| banned == name) {
            findings.push(Finding::new(LOCK, line, format!("{name} is banned: {reason}")));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !suits(licence, &lists.licences) {
            let text = format!(
                "{name} has the licence '{licence}', which is not on the list; leave the package out"
            );
            findings.push(Finding::new(LOCK, line, text));
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| {
            !source.starts_with("registry+") && !source.starts_with("sparse+")
        }) {
            let text = format!("{name} does not come from the registry; take a released version");
            findings.push(Finding::new(LOCK, line, text));
        }
    }
    findings.extend(deny(repository)?);
    Ok(findings)
}

/// The packages that are built for a Linux host. The lock file also names what others would need, and what nobody turned on.
fn used(repository: &Repository) -> Result<HashSet<String>> {
    let words = ["tree", "--workspace", "--locked", "--edges", "all", "--prefix", "none"];
    let target = ["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"];
    let text = program("cargo").args(words).args(target).dir(repository.path("")).read()?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn deny(repository: &Repository) -> Result<Vec<Finding>> {
    if !program("cargo").args(["deny", "--version"]).succeeds() {
        eprintln!(
            "tidy dependencies: cargo-deny is not installed; advisories are not looked up, the rest is checked here"
        );
        return Ok(Vec::new());
    }
    let status = program("cargo")
        .args(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])
        .dir(repository.path(""))
        .quiet()
        .status()?;
    if status.success() {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new("deny.toml", 1, "cargo deny is not content, see above")])
}

/// Reads the two lists, which are written with one entry a line.
fn read(text: &str) -> Lists {
    let quoted = |line: &str, after: &str| {
        let rest = line.split_once(after)?.1.split_once('"')?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let mut lists = Lists::default();
    let mut section = "";
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim();
        } else if line.starts_with("  ") && section == "[bans]" {
            let name = quoted(line, "crate =");
            lists.banned.extend(name.zip(quoted(line, "reason =")));
        } else if line.starts_with("  ") && section == "[licenses]" {
            lists.licences.extend(quoted(line, " "));
        }
    }
    lists
}

/// Whether an SPDX expression can be met from the list. `OR` binds loosest, `/` is its old spelling.
fn suits(expression: &str, allowed: &[String]) -> bool {
    let text = expression.replace('/', " OR ");
    let all = |part: &str| split(part, " AND ").iter().all(|one| single(one, allowed));
    split(text.trim(), " OR ").into_iter().any(all)
}

fn single(text: &str, allowed: &[String]) -> bool {
    let text = text.trim();
    match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => suits(inner, allowed),
        None => allowed.iter().any(|licence| licence == text),
    }
}

/// Splits at `word` outside of parentheses.
fn split<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut begun) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 && text[at..].starts_with(word) => {
                parts.push(&text[begun..at]);
                begun = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&text[begun..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences() {
        let text = "[bans]\ndeny = [\n  { crate = \"ring\", reason = \"because\" },\n]\n[licenses]\nallow = [\n  \"MIT\",\n  \
             \"Apache-2.0\",\n  \"Apache-2.0 WITH LLVM-exception\",\n  \"Unicode-3.0\",\n]\n[sources]\n";
        let lists = read(text);
        assert_eq!(lists.banned, [("ring".to_owned(), "because".to_owned())]);
        for (text, wanted) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(GPL-2.0 OR Apache-2.0) AND GPL-3.0", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-1.0", true),
            ("", false),
        ] {
            assert_eq!(suits(text, &lists.licences), wanted, "{text}");
        }
    }
}
