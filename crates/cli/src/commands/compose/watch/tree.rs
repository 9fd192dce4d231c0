//! Folders that are watched, by inotify, and the files in them.
//!
//! What the kernel tells is taken for a sign that something changed, and no more: what did is seen by comparing what is there with what
//! was. So nothing is missed where events are lost, or a folder was not watched yet when its first file came.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use volt_compose::develop::Rule;

/// So long nothing more must change: an editor or `git checkout` does much in a moment.
const REST: Duration = Duration::from_millis(150);
/// But somebody who never pauses isn't waited for.
const MOST: Duration = Duration::from_secs(2);

/// What tells a file from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The files that count, by their paths from what is watched.
pub(super) type Files = BTreeMap<String, Stamp>;

/// What is watched.
#[derive(Debug)]
pub(super) struct Tree {
    notes: Arc<OwnedFd>,
    woken: Receiver<io::Result<()>>,
}

impl Tree {
    /// Nothing yet.
    pub(super) fn new() -> io::Result<Self> {
        let notes = Arc::new(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        let (wake, woken) = channel(1);
        let heard = Arc::clone(&notes);
        std::thread::Builder::new().name("watch".into()).spawn(move || listen(&heard, &wake))?;
        Ok(Self { notes, woken })
    }

    /// The files that a rule is about. Their folders are watched from now on.
    ///
    /// # Errors
    /// With the path that can't be looked at.
    pub(super) fn look(&self, rule: &Rule<'_>) -> io::Result<Files> {
        let path = Path::new(&rule.watch.path);
        let mut files = Files::new();
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.walk(rule, path, "", &mut files)?,
            Ok(metadata) => {
                self.watch(path.parent().unwrap_or(path))?;
                if rule.counts("") {
                    files.insert(String::new(), Stamp::of(&metadata));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // It may come.
                let above = path.ancestors().skip(1).find(|above| above.is_dir());
                self.watch(above.unwrap_or(Path::new("/")))?;
            }
            Err(e) => return Err(named(path, &e)),
        }
        Ok(files)
    }

    fn walk(&self, rule: &Rule<'_>, folder: &Path, below: &str, to: &mut Files) -> io::Result<()> {
        // Before it is read: what comes afterwards wakes us.
        self.watch(folder)?;
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(named(folder, &e)),
        };
        for entry in entries {
            let entry = entry.map_err(|e| named(folder, &e))?;
            // No pattern fits other names.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Gone meanwhile, which wakes us.
            let Ok(metadata) = entry.metadata() else { continue };
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let kind = metadata.file_type();
            if kind.is_dir() && !rule.passes_over(&path) {
                self.walk(rule, &entry.path(), &path, to)?;
            } else if (kind.is_file() || kind.is_symlink()) && rule.counts(&path) {
                to.insert(path, Stamp::of(&metadata));
            }
        }
        Ok(())
    }

    /// A folder that is watched already stays so.
    fn watch(&self, folder: &Path) -> io::Result<()> {
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVE_SELF
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        match add_watch(&self.notes, folder, flags) {
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(Errno::NOSPC) => Err(io::Error::other(format!(
                "{}: no more folders can be watched; `sysctl fs.inotify.max_user_watches` says how many, `ignore` makes them fewer",
                folder.display()
            ))),
            Err(e) => Err(named(folder, &e.into())),
        }
    }

    /// Returns when something has changed, and nothing more for a moment.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        self.woken().await?;
        let first = Instant::now();
        while first.elapsed() < MOST {
            match tokio::time::timeout(REST, self.woken()).await {
                Ok(woken) => woken?,
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    async fn woken(&mut self) -> io::Result<()> {
        self.woken.recv().await.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }
}

/// Takes all that the kernel tells, and wakes whoever waits, until nobody is left who could.
fn listen(notes: &OwnedFd, wake: &Sender<io::Result<()>>) {
    let mut buffer = [0; 4096];
    while !wake.is_closed() {
        let look = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };
        let ready = poll(&mut [PollFd::new(notes, PollFlags::IN)], Some(&look));
        let read = match ready {
            Ok(0) => continue,
            Ok(_) => rustix::io::read(notes, &mut buffer),
            Err(e) => Err(e),
        };
        let news = match read {
            Ok(_) => Ok(()),
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(e) => Err(e.into()),
        };
        let is_last = news.is_err();
        // Whoever is to be woken already sees this too.
        drop(wake.try_send(news));
        if is_last {
            return;
        }
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_compose::develop::Changed;
    use volt_compose::stack::{Watch, WatchAction};

    fn watch(path: &Path) -> Watch {
        Watch {
            path: path.to_str().unwrap().to_owned(),
            action: WatchAction::Sync,
            target: Some("/app".into()),
            ignore: vec!["skip".into()],
            include: Vec::new(),
            exec: None,
            initial_sync: false,
        }
    }

    #[tokio::test]
    async fn what_changes_wakes_and_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("src");
        let said = watch(&path);
        let rule = Rule::new("web", &said, None);
        let mut tree = Tree::new().unwrap();
        let mut before = tree.look(&rule).unwrap();
        assert!(before.is_empty(), "it is not there yet");
        let write = |name: &str, text: &str| {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        type Step<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str], &'a [&'a str]);
        let steps: [Step<'_>; 5] = [
            (
                "the first files",
                &|| (write("a", "1"), write("sub/deep/b", "1")).0,
                &["a", "sub/deep/b"],
                &[],
            ),
            ("one in a folder that was new", &|| write("sub/deep/c", "1"), &["sub/deep/c"], &[]),
            ("the same size", &|| write("a", "2"), &["a"], &[]),
            (
                "a folder under another name",
                &|| fs::rename(path.join("sub"), path.join("other")).unwrap(),
                &["other/deep/b", "other/deep/c"],
                &["sub/deep/b", "sub/deep/c"],
            ),
            (
                "all of it",
                &|| fs::remove_dir_all(&path).unwrap(),
                &[],
                &["a", "other/deep/b", "other/deep/c"],
            ),
        ];
        for (what, act, there, gone) in steps {
            act();
            tokio::time::timeout(Duration::from_secs(20), tree.changed())
                .await
                .expect(what)
                .unwrap();
            let after = tree.look(&rule).unwrap();
            let changed = Changed::between(&rule, &before, &after).expect(what);
            assert_eq!((changed.there, changed.gone), (words(there), words(gone)), "{what}");
            before = after;
        }
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_is_ignored_wakes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("skip")).unwrap();
        let said = watch(folder.path());
        let rule = Rule::new("web", &said, None);
        let mut tree = Tree::new().unwrap();
        assert!(tree.look(&rule).unwrap().is_empty());
        fs::write(folder.path().join("skip/x"), "").unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(300), tree.changed()).await.is_err());
    }
}
