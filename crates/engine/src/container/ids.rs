//! Ranges of user ids: each container has its own, recorded as a file `ids/BASE` that holds the owner's name.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use volt_host::files;
use volt_model::ids::IdRange;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

impl Engine {
    /// Claims a range for `name`: the one it already has, or the first free one from the place that its name gives.
    pub(crate) fn claim_ids(&self, name: &Name) -> Result<IdRange> {
        let dir = self.paths().ids();
        files::create_dirs(&dir, 0o755)?;
        let foreign = foreign_ranges();
        // A link appears whole or not at all, so no claim is ever without its owner.
        let draft = self.ids_draft(name);
        files::write_atomic(&draft, name.as_str().as_bytes(), 0o644)?;
        for range in IdRange::candidates(name.as_str()) {
            if foreign.iter().any(|(start, length)| range.overlaps(*start, *length)) {
                continue;
            }
            let path = dir.join(range.base().to_string());
            match std::fs::hard_link(&draft, &path) {
                Ok(()) => {
                    remove(&draft)?;
                    files::sync_dir(&dir)?;
                    return Ok(range);
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    if self.ids_owner(range).as_deref() == Some(name.as_str()) {
                        remove(&draft)?;
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
                remove(&self.paths().ids().join(range.base().to_string()))?;
            }
        }
        remove(&self.ids_draft(name))
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
        files::read_text(&self.paths().ids().join(range.base().to_string()), 256).ok()
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(files::Error::new("remove", path, e).into())
        }
        _ => Ok(()),
    }
}

/// Ranges that the administrator gave to users: `/etc/subuid` and `/etc/subgid`, `NAME:START:COUNT`.
fn foreign_ranges() -> Vec<(u64, u64)> {
    ["/etc/subuid", "/etc/subgid"]
        .iter()
        .filter_map(|path| files::read_text(path.as_ref(), 1 << 20).ok())
        .flat_map(|text| text.lines().filter_map(parse_subid).collect::<Vec<_>>())
        .collect()
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
}
