//! Where files come from: the disk, or a map in tests. What is read is bounded.

use crate::yaml::MAX_BYTES;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// Reads files by path.
pub trait Files {
    /// The text of a file; nothing where there is none.
    ///
    /// # Errors
    /// When it is there and can't be read.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;

    /// The bytes of a file, whatever they are, and no more than `most` and one.
    ///
    /// # Errors
    /// When it is there and can't be read.
    fn read_bytes(&self, path: &Path, most: usize) -> io::Result<Option<Vec<u8>>>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        let Some(bytes) = self.read_bytes(path, MAX_BYTES)? else { return Ok(None) };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
    }

    fn read_bytes(&self, path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // One byte more than is taken, so that what is too large is seen to be.
        let limit = u64::try_from(most.saturating_add(1)).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// Files that are only in memory.
impl Files for BTreeMap<PathBuf, String> {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        Ok(self.get(path).cloned())
    }

    fn read_bytes(&self, path: &Path, _: usize) -> io::Result<Option<Vec<u8>>> {
        Ok(self.get(path).map(|text| text.clone().into_bytes()))
    }
}

/// `path` as it stands in a file below `folder`: absolute where the folder is, without `.` and `..`; `~` is left to the shell.
#[must_use]
pub fn resolve(folder: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                let up = matches!(whole.components().next_back(), Some(Component::Normal(_)));
                if up {
                    whole.pop();
                } else if !whole.has_root() {
                    whole.push("..");
                }
            }
            part => whole.push(part),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_plain() {
        for (folder, path, wanted) in [
            ("/srv/app", "./x", "/srv/app/x"),
            ("/srv/app", "../y/./z", "/srv/y/z"),
            ("/srv/app", "/etc/z", "/etc/z"),
            ("/", "../..", "/"),
            ("a", "../../b", "../b"),
        ] {
            assert_eq!(resolve(Path::new(folder), path), Path::new(wanted));
        }
    }
}
