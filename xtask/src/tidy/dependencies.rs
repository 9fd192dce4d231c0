//! The packages that the lock file brings in: none that is banned, and each under a licence that suits. `deny.toml` says the same to
//! `cargo deny`, which is asked too where it is installed.

use super::Finding;
use super::repository::{Repository, line_of};
use crate::run::{Result, program};

const LOCK: &str = "Cargo.lock";

/// What must not come in, and why.
const BANNED: &[(&str, &str)] = &[
    ("ring", "one implementation of each algorithm; use sha2 and blake3"),
    ("openssl-sys", "the binary is to run on any Debian without its OpenSSL"),
    ("native-tls", "it brings OpenSSL"),
    ("serde_yaml", "no longer maintained; use serde-saphyr"),
    ("libz-ng-sys", "C code where zlib-rs does"),
];

/// Licences that go with Apache-2.0.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let lock = repository.text(LOCK).unwrap_or_default();
    let mut findings = Vec::new();
    for package in repository.packages() {
        let name = package["name"].as_str().unwrap_or_default();
        let line = line_of(&lock, &format!("name = \"{name}\""));
        if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            findings.push(Finding::new(LOCK, line, format!("{name} is banned: {reason}")));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !suits(licence) {
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

/// Whether an SPDX expression can be met from the list. `OR` binds loosest, `/` is its old spelling.
fn suits(expression: &str) -> bool {
    let text = expression.replace('/', " OR ");
    let text = text.trim();
    if text.is_empty() {
        return false;
    }
    either(text)
}

fn either(text: &str) -> bool {
    split(text, " OR ").iter().any(|part| split(part, " AND ").iter().all(|one| single(one)))
}

fn single(text: &str) -> bool {
    let text = text.trim();
    match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => either(inner),
        None => LICENCES.contains(&text),
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
            assert_eq!(suits(text), wanted, "{text}");
        }
    }
}
