//! Nothing in the repository names the machine it was written on: neither its folders nor the mirrors and registries that it is
//! set up with.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::Finding;
use super::repository::Repository;
use crate::cache::sources;
use crate::paths;
use crate::run::Result;

/// Hosts that everybody knows: naming them says nothing of a machine.
const PUBLIC: [&str; 8] = [
    "deb.debian.org",
    "security.debian.org",
    "github.com",
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    "localhost",
    "127.0.0.1",
];

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let folders = folders();
    let hosts = hosts();
    let mut findings = Vec::new();
    for path in repository.files.iter().filter(|path| *path != "Cargo.lock") {
        let Some(text) = repository.text(path) else { continue };
        for (index, line) in text.lines().enumerate() {
            let mut add = |text: String| findings.push(Finding::new(path, index + 1, text));
            for folder in folders.iter().filter(|folder| begins_path(line, folder)) {
                add(format!("{folder} is a folder of one machine; take it from the outside"));
            }
            for host in hosts.iter().filter(|host| line.contains(host.as_str())) {
                add(format!(
                    "{host} is this machine's mirror or registry; take it from the outside"
                ));
            }
        }
    }
    Ok(findings)
}

/// Folders that only this machine has: where the repository lies, and what is hidden in a home.
fn folders() -> Vec<String> {
    let above = paths::root().parent().map(|folder| format!("{}/", folder.display()));
    // Built, so that this file does not find itself.
    let usual = ["work/", "root/."].map(|name| format!("/{name}"));
    above.into_iter().filter(|folder| folder.len() > 2).chain(usual).collect()
}

/// Whether a path begins with `folder` somewhere in the line; `/proc/1/root/x` is another matter.
fn begins_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}*/)".contains(c))
    })
}

/// The hosts in the machine's own settings of apt and cargo.
fn hosts() -> BTreeSet<String> {
    let home = paths::variable("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| paths::variable("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let config = home.and_then(|home| fs::read_to_string(home.join("config.toml")).ok());
    let texts = [sources::mirror(), config];
    let found = texts.iter().flatten().flat_map(|text| hosts_in(text));
    found.filter(|host| !PUBLIC.contains(&host.as_str())).collect()
}

fn hosts_in(text: &str) -> Vec<String> {
    let after = text.split("://").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-.@".contains(c)));
        rest[..end.unwrap_or(rest.len())].rsplit('@').next().unwrap_or_default().to_owned()
    });
    after.filter(|host| host.contains('.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_settings() {
        let text = "[source.m]\nregistry = \"sparse+https://user@crates.example.net:8080/x/\"\n# http://deb.example.org/debian";
        assert_eq!(hosts_in(text), ["crates.example.net", "deb.example.org"]);
        assert!(begins_path("cd /srv/x", "/srv/") && !begins_path("/mnt/srv/x", "/srv/"));
    }
}
