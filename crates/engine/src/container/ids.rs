//! Ranges of user ids: each container has its own, recorded as a file `ids/BASE` that holds the owner's name.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::command::{Command, Status};
use volt_host::files;
use volt_model::ids::IdRange;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How long a user database may take to answer.
const NSS_LIMIT: Duration = Duration::from_secs(5);

impl Engine {
    /// Claims a range for `name`: the one it already has, or the first free one from the place that its name gives.
    pub(crate) fn claim_ids(&self, name: &Name) -> Result<IdRange> {
        let dir = self.paths().ids();
        files::create_dirs(&dir, 0o755)?;
        let foreign = foreign_ranges(Path::new("/"));
        // A link appears whole or not at all, so no claim is ever without its owner.
        let draft = self.ids_draft(name);
        files::write_atomic(&draft, name.as_str().as_bytes(), 0o644)?;
        for range in IdRange::candidates(name.as_str()) {
            if foreign.iter().any(|(start, length)| range.overlaps(*start, *length)) {
                continue;
            }
            let path = dir.join(range.base().to_string());
            if !path.exists() && is_known_user(range) {
                continue;
            }
            match std::fs::hard_link(&draft, &path) {
                Ok(()) => {
                    files::remove_file(&draft)?;
                    files::sync_dir(&dir)?;
                    return Ok(range);
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    if self.ids_owner(range).as_deref() == Some(name.as_str()) {
                        files::remove_file(&draft)?;
                        return Ok(range);
                    }
                }
                Err(e) => return Err(files::Error::new("claim", &path, e).into()),
            }
        }
        Err(Error::new(ErrorKind::Resource, "All ranges of user ids are taken")
            .hinted("`volt system check --repair` gives back those of containers that are gone"))
    }

    /// Gives back every range that `name` owns.
    pub(crate) fn release_ids(&self, name: &Name) -> Result<()> {
        for (range, owner) in self.id_claims() {
            if owner == name.as_str() {
                files::remove_file(&self.paths().ids().join(range.base().to_string()))?;
            }
        }
        files::remove_file(&self.ids_draft(name))?;
        Ok(())
    }

    fn ids_draft(&self, name: &Name) -> PathBuf {
        self.paths().ids().join(format!(".{name}"))
    }

    /// Writes a new owner into a range's claim.
    pub(crate) fn pass_ids(&self, range: IdRange, to: &Name) -> Result<()> {
        let path = self.paths().ids().join(range.base().to_string());
        Ok(files::write_atomic(&path, to.as_str().as_bytes(), 0o644)?)
    }

    /// All claims with their owners.
    pub(crate) fn id_claims(&self) -> Vec<(IdRange, String)> {
        let Ok(entries) = std::fs::read_dir(self.paths().ids()) else { return Vec::new() };
        let range = |e: std::fs::DirEntry| IdRange::new(e.file_name().to_str()?.parse().ok()?);
        entries
            .flatten()
            .filter_map(range)
            .filter_map(|range| Some((range, self.ids_owner(range)?)))
            .collect()
    }

    fn ids_owner(&self, range: IdRange) -> Option<String> {
        let text =
            files::read_text(&self.paths().ids().join(range.base().to_string()), 256).ok()?;
        Some(text.trim().to_owned())
    }
}

/// Host ids that are others' already, as start and length, by what lies below `root`:
/// those that the administrator gave to users (`/etc/subuid`, `/etc/subgid`), those of users and groups, those that nspawn
/// chose for itself (`-U`, running or kept as a tree's owner) and those that systemd gave out.
fn foreign_ranges(root: &Path) -> Vec<(u64, u64)> {
    let whole = |base: u64| (base, u64::from(IdRange::SIZE));
    let lines = |file: &str, parse: fn(&str) -> Option<(u64, u64)>| -> Vec<(u64, u64)> {
        let text = files::read_text(&root.join(file), 16 << 20).unwrap_or_default();
        text.lines().filter_map(parse).collect()
    };
    let entries = |dir: &str| std::fs::read_dir(root.join(dir)).into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().ok();
    let mut all: Vec<(u64, u64)> = ["etc/subuid", "etc/subgid"]
        .iter()
        .flat_map(|file| lines(file, parse_subid))
        .chain(["etc/passwd", "etc/group"].iter().flat_map(|file| lines(file, parse_user)))
        .collect();
    // nspawn names its lock by the first id; systemd's nsresourced its record `u` and that.
    let locks = entries("run/systemd/nspawn-uid").filter_map(name);
    let records = entries("run/systemd/nsresource/registry").filter_map(name).filter_map(|file| {
        file.strip_prefix('u').and_then(|file| file.strip_suffix(".userns")).map(str::to_owned)
    });
    all.extend(locks.chain(records).filter_map(|base| base.parse().ok()).map(whole));
    let owners = entries("var/lib/machines").filter_map(|tree| {
        let owner = std::os::unix::fs::MetadataExt::uid(&tree.metadata().ok()?);
        Some(whole(u64::from(owner & 0xFFFF_0000))).filter(|_| owner >= IdRange::FIRST)
    });
    all.extend(owners);
    all
}

/// Whether a user database beyond the host's files knows the first id of a range, which is what nspawn asks too. Those that only
/// tell of the files and of systemd's own ids are not asked.
fn is_known_user(range: IdRange) -> bool {
    let text = files::read_text("/etc/nsswitch.conf".as_ref(), 1 << 16).unwrap_or_default();
    let sources = |base: &str| {
        let own = ["files", "compat", "systemd", "mymachines"];
        text.lines()
            .filter_map(|line| line.trim().strip_prefix(base)?.strip_prefix(':'))
            .flat_map(str::split_whitespace)
            .any(|word| !word.starts_with('[') && !own.contains(&word))
    };
    ["passwd", "group"].into_iter().filter(|base| sources(base)).any(|base| {
        let asked = Command::new("getent")
            .args([base, &range.base().to_string()])
            .time_limit(NSS_LIMIT)
            .output_any_status();
        asked.is_ok_and(|answer| answer.status == Status::Code(0))
    })
}

/// `NAME:PASSWORD:ID:…`, of `/etc/passwd` and `/etc/group`.
fn parse_user(line: &str) -> Option<(u64, u64)> {
    Some((line.split(':').nth(2)?.parse().ok()?, 1))
}

fn parse_subid(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subid_lines() {
        assert_eq!(parse_subid("karl:100000:65536"), Some((100_000, 65_536)));
        assert_eq!(parse_subid("# comment"), None);
        assert_eq!(parse_subid("karl:x:y"), None);
    }

    #[test]
    fn ids_of_others_are_seen() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("etc/subuid", "karl:100000:65536\n");
        write("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:600000:100::/:/bin/sh\n");
        write("etc/group", "staff:x:700000:ann\n");
        write("run/systemd/nspawn-uid/786432", "");
        write("run/systemd/nsresource/registry/u851968.userns", "{}");
        write("run/systemd/nsresource/registry/i12.userns", "{}");
        let found = foreign_ranges(root.path());
        for expected in
            [(100_000, 65_536), (600_000, 1), (700_000, 1), (786_432, 65_536), (851_968, 65_536)]
        {
            assert!(found.contains(&expected), "{expected:?} is missing in {found:?}");
        }
        assert_eq!(found.len(), 6, "{found:?}");
        let tree = root.path().join("var/lib/machines/web");
        std::fs::create_dir_all(&tree).unwrap();
        if std::os::unix::fs::chown(&tree, Some(917_504), Some(917_504)).is_ok() {
            assert!(foreign_ranges(root.path()).contains(&(917_504, 65_536)));
        }
    }
}
