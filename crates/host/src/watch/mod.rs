//! What appears in folders and goes from them, by inotify.

use crate::files::{Context, Error, Result};
use rustix::event::PollFlags;
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Something changed in a watched folder. `folder` is its place among those that are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A name is there that was not, or another file has taken its place.
    Appeared {
        /// Where.
        folder: usize,
        /// The name.
        name: String,
    },
    /// A name is gone.
    Gone {
        /// Where.
        folder: usize,
        /// The name.
        name: String,
    },
    /// A name became another in the same folder.
    Renamed {
        /// Where.
        folder: usize,
        /// The former name.
        from: String,
        /// The name now.
        to: String,
    },
}

/// A watch on folders, not on those in them.
#[derive(Debug)]
pub struct FolderWatch {
    fd: OwnedFd,
    /// The number that the kernel gave each folder.
    numbers: Vec<i32>,
    first: PathBuf,
}

/// An event before two halves of a rename are put together.
struct Raw {
    folder: usize,
    name: String,
    flags: ReadFlags,
    cookie: u32,
}

impl FolderWatch {
    /// Watches these folders, all of which must exist.
    pub fn new(folders: &[&Path]) -> Result<Self> {
        Self::watching(folders, WatchFlags::empty())
    }

    /// Watches these folders for what people write too: a file that was written in its place has appeared.
    pub fn with_writes(folders: &[&Path]) -> Result<Self> {
        Self::watching(folders, WatchFlags::CLOSE_WRITE)
    }

    fn watching(folders: &[&Path], more: WatchFlags) -> Result<Self> {
        let first = folders.first().copied().unwrap_or(Path::new("/")).to_owned();
        let fd = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).on("watch", &first)?;
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR
            | more;
        let number = |folder: &&Path| add_watch(&fd, *folder, flags).on("watch", folder);
        let numbers = folders.iter().map(number).collect::<Result<Vec<i32>>>()?;
        Ok(Self { fd, numbers, first })
    }

    /// What has changed since the last call; waits for a change at most this long. Names that are no UTF-8 are left out.
    pub fn next(&self, wait: Duration) -> Result<Vec<Change>> {
        crate::process::wait_for(self.fd.as_fd(), PollFlags::IN, wait).on("watch", &self.first)?;
        Ok(joined(self.read()?))
    }

    fn read(&self) -> Result<Vec<Raw>> {
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        let mut all = Vec::new();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => return Ok(all),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(Error::new("watch", &self.first, error)),
            };
            let folder = self.numbers.iter().position(|number| *number == event.wd());
            let name = event.file_name().and_then(|name| name.to_str().ok());
            if let (Some(folder), Some(name)) = (folder, name) {
                let name = name.to_owned();
                all.push(Raw { folder, name, flags: event.events(), cookie: event.cookie() });
            }
        }
    }
}

impl AsFd for FolderWatch {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Puts the two halves of each rename together, which the kernel queues next to each other.
fn joined(all: Vec<Raw>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::with_capacity(all.len());
    let mut all = all.into_iter().peekable();
    while let Some(Raw { folder, name, flags, cookie }) = all.next() {
        if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO | ReadFlags::CLOSE_WRITE) {
            changes.push(Change::Appeared { folder, name });
            continue;
        }
        let other_half = all.next_if(|next| {
            flags.contains(ReadFlags::MOVED_FROM)
                && next.flags.contains(ReadFlags::MOVED_TO)
                && (next.cookie, next.folder) == (cookie, folder)
        });
        changes.push(match other_half {
            Some(next) => Change::Renamed { folder, from: name, to: next.name },
            None => Change::Gone { folder, name },
        });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appears_moves_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        let watch = FolderWatch::new(&[&one, &two]).unwrap();
        assert_eq!(watch.next(Duration::ZERO).unwrap(), []);
        std::fs::write(one.join("a"), "").unwrap();
        std::fs::rename(one.join("a"), one.join("b")).unwrap();
        std::fs::rename(one.join("b"), two.join("c")).unwrap();
        std::fs::remove_file(two.join("c")).unwrap();
        let appeared = |folder, name: &str| Change::Appeared { folder, name: name.into() };
        let gone = |folder, name: &str| Change::Gone { folder, name: name.into() };
        assert_eq!(
            watch.next(Duration::from_secs(5)).unwrap(),
            [
                appeared(0, "a"),
                Change::Renamed { folder: 0, from: "a".into(), to: "b".into() },
                gone(0, "b"),
                appeared(1, "c"),
                gone(1, "c"),
            ]
        );
    }

    #[test]
    fn what_is_written_in_its_place_has_appeared() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "1").unwrap();
        let watch = FolderWatch::with_writes(&[dir.path()]).unwrap();
        std::fs::write(dir.path().join("a"), "2").unwrap();
        let appeared = Change::Appeared { folder: 0, name: "a".into() };
        assert_eq!(watch.next(Duration::from_secs(5)).unwrap(), [appeared]);
    }

    #[test]
    fn a_missing_folder_is_told() {
        assert!(FolderWatch::new(&[Path::new("/nonexistent")]).unwrap_err().is_not_found());
    }
}
