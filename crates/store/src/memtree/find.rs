//! From names to entries, as whoever has the tree for a root sees them.

use super::{Kind, MemTree, Number, ROOT};

/// How many symbolic links are followed on the way to one entry: as many as the kernel does.
const LINKS: usize = 40;

/// A folder that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: Number,
    /// Whether a link on the way would have led out of the tree.
    pub(super) strayed: bool,
}

/// Why no folder was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// There is nothing of that name.
    Nothing,
    /// Something on the way, or at its end, is no folder.
    NoFolder,
    /// The links on the way lead in circles.
    Circles,
}

impl MemTree {
    /// The folder at a path; links are followed, also at its end.
    pub(super) fn find_folder(&self, path: &[u8]) -> Result<Found, Missing> {
        self.find_from(Found { number: ROOT, strayed: false }, path)
    }

    pub(super) fn find_from(&self, from: Found, path: &[u8]) -> Result<Found, Missing> {
        let mut at = from;
        let mut links = 0;
        // What is still to go, the next part at the end.
        let mut rest: Vec<&[u8]> = parts(path).collect();
        while let Some(part) = rest.pop() {
            let folder = self.folder(at.number).ok_or(Missing::NoFolder)?;
            if part == b".." {
                at.strayed |= at.number == ROOT;
                at.number = folder.above;
                continue;
            }
            let number = folder.names.get(part).ok_or(Missing::Nothing)?.number;
            let Kind::Symlink(target) = &self.inode(number).kind else {
                at.number = number;
                continue;
            };
            links += 1;
            if links > LINKS {
                return Err(Missing::Circles);
            }
            if target.starts_with(b"/") {
                at = Found { number: ROOT, strayed: true };
            }
            rest.extend(parts(target));
        }
        match self.folder(at.number) {
            Some(_) => Ok(at),
            None => Err(Missing::NoFolder),
        }
    }
}

/// The parts of a path that lead anywhere, the last first.
fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.rsplit(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."))
}
