//! Objects: files that are named by the hash of what is in them.
//!
//! An object has the attributes of the file that it was first stored for, where root owns that, so that a root of hard links
//! can have the object itself for it. That gives nobody anything: only root can enter the folder of objects.

use super::{Lease, Marks};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::parallel::Until;
use crate::tree::{Meta, keeps_xattr};
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, XattrFlags,
    flock,
};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use volt_host::files;

/// Contents up to this size are hashed in memory, and only written when they are new.
pub(super) const SMALL: u64 = 1 << 20;
/// As large as most files are at the most, in bytes.
const USUAL: usize = 16 << 10;
/// The piece in which larger ones are copied, in bytes.
const PIECE: usize = 256 << 10;

/// After so much of a large one it begins to go to the disk, in bytes.
const EARLY: u64 = 8 << 20;

/// How often, and how long after one another, is tried to seal an object that is still open for writing elsewhere.
const SEAL_TRIES: u32 = 100;
const SEAL_PAUSE: Duration = Duration::from_millis(2);

#[cfg(test)]
thread_local! {
    /// How often this thread has read an object to check it.
    pub(super) static CHECKS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// What became of something that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Put {
    /// Its name.
    pub(crate) digest: Digest,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
}

/// The objects of one store.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    dir: PathBuf,
    tmp: PathBuf,
    /// Of the roots that rest on them.
    marks: Marks,
    /// Whether the file system was found to have no fs-verity.
    no_verity: Arc<AtomicBool>,
}

impl Objects {
    pub(super) fn new(dir: PathBuf, tmp: PathBuf, marks: Marks) -> Self {
        Self { dir, tmp, marks, no_verity: Arc::default() }
    }

    /// The folder of the folders that they are in.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where an object lies, or would.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.join(&hex[..2]).join(&hex)
    }

    /// Whether it is there; not whether it is whole.
    pub(crate) fn has(&self, digest: &Digest) -> Result<bool> {
        let path = self.path(digest);
        path.try_exists().map_err(|error| Error::io("look at", &path, error))
    }

    /// Whether it is there and of this size; not whether it is good.
    fn has_of_size(&self, digest: &Digest, size: u64) -> Result<bool> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(data) => Ok(data.len() == size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("look at", &path, error)),
        }
    }

    /// How large an object is, in bytes.
    pub(crate) fn size(&self, digest: &Digest) -> Result<u64> {
        let path = self.path(digest);
        let data = self.open(digest)?.metadata();
        data.map(|data| data.len()).map_err(|error| Error::io("look at", &path, error))
    }

    /// Opens an object to read it. What is read is not checked here.
    pub(crate) fn open(&self, digest: &Digest) -> Result<File> {
        let path = self.path(digest);
        File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::Corrupt { path, reason: "the object is missing".into() }
            }
            _ => Error::io("read", &path, error),
        })
    }

    /// Stores bytes.
    pub(crate) fn put_bytes(&self, lease: &Lease, bytes: &[u8]) -> Result<Put> {
        self.put_bytes_of(lease, bytes, None)
    }

    /// Stores what `input` yields, however much it is.
    pub(crate) fn put(&self, lease: &Lease, input: &mut dyn Read) -> Result<Put> {
        self.put_of(lease, input, None)
    }

    /// Stores the bytes of a file with these attributes.
    pub(crate) fn put_bytes_of(
        &self,
        lease: &Lease,
        bytes: &[u8],
        meta: Option<&Meta>,
    ) -> Result<Put> {
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        let put = |is_new| Put { digest, size, is_new };
        if self.pin_present(lease, &digest, size)? {
            return Ok(put(false));
        }
        let mut draft = self.draft()?;
        draft.file.write_all(bytes).map_err(|error| self.failed(error))?;
        draft.dress(meta).map_err(|error| self.failed(error))?;
        self.place(lease, draft, (&digest, size)).map(put)
    }

    /// Stores what `input` yields of a file with these attributes.
    pub(crate) fn put_of(
        &self,
        lease: &Lease,
        input: &mut dyn Read,
        meta: Option<&Meta>,
    ) -> Result<Put> {
        // Else it would begin with some bytes, and double them.
        let mut first = Vec::with_capacity(USUAL);
        input.take(SMALL + 1).read_to_end(&mut first).map_err(Error::Input)?;
        if first.len() as u64 <= SMALL {
            return self.put_bytes_of(lease, &first, meta);
        }
        let mut hasher = blake3::Hasher::new();
        let mut draft = self.draft()?;
        let (mut size, mut begun) = (0_u64, 0);
        let mut piece = first;
        loop {
            hasher.update(&piece);
            write_sparse(&mut draft.file, &piece).map_err(|error| self.failed(error))?;
            size += piece.len() as u64;
            if size - begun >= EARLY {
                files::begin_writing(&draft.file, begun, size - begun);
                begun = size;
            }
            piece.resize(PIECE, 0);
            match input.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => piece.truncate(length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => piece.clear(),
                Err(error) => return Err(Error::Input(error)),
            }
        }
        draft.file.set_len(size).map_err(|error| self.failed(error))?;
        draft.dress(meta).map_err(|error| self.failed(error))?;
        let digest = hasher.finalize().into();
        let is_new = self.place(lease, draft, (&digest, size))?;
        Ok(Put { digest, size, is_new })
    }

    /// Stores a file that nobody writes to any more: by a further name of it where the file system can do that, else as a copy.
    pub(crate) fn adopt(
        &self,
        lease: &Lease,
        file: &mut File,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Put> {
        use std::os::fd::AsRawFd as _;
        let mut hasher = blake3::Hasher::new();
        file.rewind().map_err(Error::Input)?;
        hasher.update_reader(Until { inner: &mut *file, is_over }).map_err(Error::Input)?;
        let (digest, size) = (Digest::from(hasher.finalize()), hasher.count());
        if self.pin_present(lease, &digest, size)? {
            return Ok(Put { digest, size, is_new: false });
        }
        let (path, held) = (self.draft_path(), format!("/proc/self/fd/{}", file.as_raw_fd()));
        let is_linked = rustix::fs::fchmod(&*file, Mode::from_raw_mode(0o444)).is_ok()
            && rustix::fs::linkat(CWD, &held, CWD, &path, AtFlags::SYMLINK_FOLLOW).is_ok();
        if is_linked {
            let file = File::open(&path).map_err(|error| self.failed(error))?;
            let is_new =
                self.place(lease, Draft { file, path, is_placed: false }, (&digest, size))?;
            return Ok(Put { digest, size, is_new });
        }
        file.rewind().map_err(Error::Input)?;
        self.put(lease, &mut Until { inner: file, is_over })
    }

    /// Writes down that this object is counted on, if it is there. One of another size is as good as none.
    fn pin_present(&self, lease: &Lease, digest: &Digest, size: u64) -> Result<bool> {
        if !self.has_of_size(digest, size)? {
            return Ok(false);
        }
        Ok(self.pin_all(lease, &[(*digest, size)])?.is_empty())
    }

    /// Writes down that all these, each of that size, are counted on; which of them are not there. One of another size is as good
    /// as none.
    pub(crate) fn pin_all(
        &self,
        lease: &Lease,
        wanted: &[(Digest, u64)],
    ) -> Result<HashSet<Digest>> {
        let mut sorted: Vec<&(Digest, u64)> = wanted.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let (mut missing, mut there) = (HashSet::new(), Vec::new());
        for folder in sorted.chunk_by(|(a, _), (b, _)| a.as_bytes()[0] == b.as_bytes()[0]) {
            let _shared = self.lock_folder(&folder[0].0, FlockOperation::LockShared)?;
            there.clear();
            for (digest, size) in folder {
                if self.has_of_size(digest, *size)? {
                    there.push(*digest);
                } else {
                    missing.insert(*digest);
                }
            }
            lease.pin(&there)?;
        }
        Ok(missing)
    }

    /// Moves a draft of this size into its place; false where it was taken already. What is there of another size was cut short, by a
    /// loss of power or a disk that fails, and gives way.
    fn place(
        &self,
        lease: &Lease,
        mut draft: Draft,
        (digest, size): (&Digest, u64),
    ) -> Result<bool> {
        if !self.no_verity.load(Ordering::Relaxed)
            && !draft.seal().map_err(|error| self.failed(error))?
        {
            self.no_verity.store(true, Ordering::Relaxed);
        }
        let path = self.path(digest);
        let _shared = self.lock_folder(digest, FlockOperation::LockShared)?;
        lease.pin(&[*digest])?;
        let placed = match draft.move_to(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if self.has_of_size(digest, size)? {
                    return Ok(false);
                }
                self.marks.forget()?;
                fs::rename(&draft.path, &path)
            }
            moved => moved,
        };
        draft.is_placed = placed.is_ok();
        placed.map(|()| true).map_err(|error| Error::io("store", &path, error))
    }

    /// While this is held nobody comes to count on an object of this one's folder.
    pub(super) fn lock_alone(&self, digest: &Digest) -> Result<OwnedFd> {
        self.lock_folder(digest, FlockOperation::LockExclusive)
    }

    /// Moves an object away whose contents are not what its name says; false where it is good after all, or gone.
    pub(super) fn move_if_wrong(&self, digest: &Digest, to: &Path) -> Result<bool> {
        let _alone = self.lock_alone(digest)?;
        if self.check(digest)? != Some(false) {
            return Ok(false);
        }
        let path = self.path(digest);
        self.marks.forget()?;
        fs::rename(&path, to).map(|()| true).map_err(|error| Error::io("move", &path, error))
    }

    /// Calls `each` with every object there is, folder by folder.
    pub(crate) fn each(&self, each: &mut dyn FnMut(Digest) -> Result<()>) -> Result<()> {
        self.each_folder(&mut |digests| digests.into_iter().try_for_each(&mut *each))
    }

    /// Calls `each` with the objects of every folder.
    pub(super) fn each_folder(
        &self,
        each: &mut dyn FnMut(Vec<Digest>) -> Result<()>,
    ) -> Result<()> {
        for folder in crate::images::entries(&self.dir)? {
            let paths = crate::images::entries(&folder)?;
            let name = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
            each(paths.iter().filter_map(name).collect())?;
        }
        Ok(())
    }

    /// Whether the contents are what the name says; nothing where it is gone.
    pub(crate) fn check(&self, digest: &Digest) -> Result<Option<bool>> {
        #[cfg(test)]
        CHECKS.set(CHECKS.get() + 1);
        let path = self.path(digest);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| Error::io("read", &path, error))?,
        };
        let mut hasher = blake3::Hasher::new();
        match hasher.update_reader(&mut file) {
            // A disk that can't read it has not got it.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                return Ok(Some(false));
            }
            read => read.map_err(|error| Error::io("read", &path, error))?,
        };
        Ok(Some(Digest::from(hasher.finalize()) == *digest))
    }

    /// Where nothing is, for one draft.
    fn draft_path(&self) -> PathBuf {
        self.tmp.join(format!("object-{}", super::lease::name_of_own()))
    }

    fn draft(&self) -> Result<Draft> {
        let path = self.draft_path();
        match File::options().write(true).create_new(true).mode(0o444).open(&path) {
            Ok(file) => Ok(Draft { file, path, is_placed: false }),
            Err(error) => Err(Error::io("write", &path, error)),
        }
    }

    /// Makes all folders at once, so that later on nothing but objects comes and goes.
    pub(super) fn make_folders(&self) -> Result<()> {
        if self.dir.join("ff").is_dir() {
            return Ok(());
        }
        files::create_dirs(&self.dir, 0o700)?;
        // The last one last: by it the others are known to be there.
        (0..=u8::MAX).try_for_each(|byte| {
            Ok(files::create_dirs(&self.dir.join(format!("{byte:02x}")), 0o700)?)
        })
    }

    fn lock_folder(&self, digest: &Digest, how: FlockOperation) -> Result<OwnedFd> {
        let path = self.dir.join(&digest.hex()[..2]);
        let failed = |error| Error::io("lock", &path, error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || rustix::fs::open(&path, flags, Mode::empty());
        let fd = match open() {
            Err(Errno::NOENT) => {
                files::create_dirs(&path, 0o700)?;
                open()
            }
            opened => opened,
        };
        let fd = fd.map_err(failed)?;
        rustix::io::retry_on_intr(|| flock(&fd, how)).map_err(failed)?;
        Ok(fd)
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io("write", &self.tmp, error)
    }
}

/// An object under way; dropping it removes its file, unless that is in its place.
struct Draft {
    file: File,
    path: PathBuf,
    is_placed: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.is_placed {
            return;
        }
        if let Err(error) = files::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a draft remains");
        }
    }
}

impl Draft {
    /// Moves it to where nothing is. A file system that can't be asked for that gives it a second name, and takes the first away.
    fn move_to(&self, path: &Path) -> io::Result<()> {
        let moved = rustix::fs::renameat_with(CWD, &self.path, CWD, path, RenameFlags::NOREPLACE);
        match moved {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                fs::hard_link(&self.path, path)?;
                files::remove_file(&self.path).map(drop).map_err(|error| error.source)
            }
            moved => Ok(moved?),
        }
    }

    /// Has the kernel check whatever is read of it from now on; false where it can't. Nobody writes to it after this.
    fn seal(&mut self) -> io::Result<bool> {
        self.file = File::open(&self.path)?;
        let before = rustix::fs::fstat(&self.file)?;
        let is_sealed = self.try_seal()?;
        if is_sealed {
            // To ext4 it was a change: the time is that of the file that it is stored for again, without which no root has the object.
            let modified =
                Timespec { tv_sec: before.st_mtime, tv_nsec: before.st_mtime_nsec.cast_signed() };
            let times = Timestamps { last_access: modified, last_modification: modified };
            rustix::fs::futimens(&self.file, &times)?;
        }
        Ok(is_sealed)
    }

    fn try_seal(&self) -> io::Result<bool> {
        for _ in 0..SEAL_TRIES {
            match files::enable_verity(&self.file) {
                // A program that this process is about to start still has what was open here for writing.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(SEAL_PAUSE);
                }
                other => return other,
            }
        }
        // This one goes without: what is read of it is checked all the same, once a boot.
        Ok(true)
    }

    /// Gives it the attributes of the file that it is stored for, where root owns that. What can't be kept here is left out: it
    /// is no part of the object.
    fn dress(&self, meta: Option<&Meta>) -> io::Result<()> {
        let Some(meta) = meta.filter(|meta| meta.uid == 0 && rustix::process::geteuid().is_root())
        else {
            return Ok(());
        };
        if meta.gid != 0 {
            rustix::fs::fchown(&self.file, None, Some(Gid::from_raw(meta.gid)))?;
        }
        for (name, value) in meta.xattrs.iter().filter(|(name, _)| keeps_xattr(name)) {
            let set = rustix::fs::fsetxattr(&self.file, &name[..], value, XattrFlags::empty());
            if set.is_err() {
                break;
            }
        }
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(meta.mode & 0o7777))?;
        Ok(rustix::fs::futimens(&self.file, &meta.times())?)
    }
}

/// Writes, leaving a hole where a whole piece is zeros. The caller sets the length.
fn write_sparse(file: &mut File, piece: &[u8]) -> io::Result<()> {
    if piece.iter().all(|byte| *byte == 0) {
        let length = i64::try_from(piece.len()).expect("pieces are small");
        return file.seek(SeekFrom::Current(length)).map(drop);
    }
    file.write_all(piece)
}
