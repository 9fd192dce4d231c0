//! From a folder to a tree in the store: every file is read once, by as many threads as there are processors, and files
//! that have not changed since the last time are not read at all.

use super::index::{Index, Stamp, Stamps};
use super::layer::Mark;
use super::{Cas, Lease, Objects, Put};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Content, Device, Encoder, Node, NodeKind};
use crate::parallel::{ASK, Room, Until};
use crate::progress::Progress;
use crate::tree::{DenseReader, Flow, Found, Kind, Meta, Notes, Quota, Shape, SparseReader, walk};
use rustix::fs::{FileType, OFlags};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use volt_host::files;

/// How many batches of files wait for a thread: each file is open meanwhile.
const WAITING: usize = 8;
/// The most files of a batch: to wake a thread costs as much as to store a small one.
const BATCH: usize = 16;
/// A batch of so many bytes is none that waits for more.
const BATCH_SIZE: u64 = 256 << 10;

/// Of how many attributes by name is told that they are not kept.
const NAMES: usize = 100;
/// How the names of attributes begin that overlayfs gives to what is in a writable layer.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// File systems that are never written to disk: tmpfs, ramfs, hugetlbfs.
const IN_MEMORY: [u64; 3] = [0x0102_1994, 0x8584_58f6, 0x9584_58f6];

/// A tree that was stored.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// Its manifest.
    pub(crate) tree: Digest,
    /// How many entries it has.
    pub(crate) entries: u64,
    /// The sizes of its files together, in bytes; what has several names counts once.
    pub(crate) size: u64,
    /// Of these, what was not in the store before.
    pub(crate) new: u64,
    /// What was left out or changed.
    pub(crate) notes: Notes,
}

/// How a folder is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildOptions {
    /// What it may at most be.
    pub(crate) quota: Quota,
    /// Whether devices are kept: an image has none.
    pub(crate) devices: bool,
    /// The folder that is left out, by device and inode: Volt's own.
    pub(crate) skip: Option<(u64, u64)>,
    /// Whether to remember what was in it for the next time.
    pub(crate) remember: bool,
    /// Whether it is the writable layer of an overlay, in which some entries mean something else than what they are.
    pub(crate) layer: bool,
}

impl Default for BuildOptions {
    fn default() -> Self {
        let quota = Quota { bytes: u64::MAX, entries: u64::MAX };
        Self { quota, devices: true, skip: None, remember: true, layer: false }
    }
}

/// A file to be stored.
struct Job {
    number: usize,
    data: SparseReader,
    shape: Shape,
    meta: Meta,
}

/// Files on their way to the threads, several at a time.
struct Jobs<'a> {
    queue: Sender<Vec<Job>>,
    room: &'a Room,
    batch: Vec<Job>,
    size: u64,
}

/// Where the threads take them, and the room for those that wait.
type Queue = (Mutex<Receiver<Vec<Job>>>, Room);

/// A file that was stored.
struct Done {
    number: usize,
    put: Result<Put>,
    shrank: bool,
}

impl Cas {
    /// Stores what is in `dir`. The caller syncs, writes a ref, and ends the lease.
    pub(crate) fn build(
        &self,
        lease: &Lease,
        dir: &Path,
        options: &BuildOptions,
        progress: &dyn Progress,
    ) -> Result<Built> {
        let gathered = self.gather(Some(lease), dir, options, progress)?;
        let tree = self.manifest(lease, &gathered.nodes)?;
        Ok(Built {
            tree,
            entries: gathered.nodes.len() as u64,
            size: gathered.size,
            new: gathered.new,
            notes: gathered.notes,
        })
    }

    /// Reads what is in `dir` and stores the contents of its files. Without a lease nothing is stored or remembered: what is
    /// found then are the names that it would have.
    pub(super) fn gather(
        &self,
        lease: Option<&Lease>,
        dir: &Path,
        options: &BuildOptions,
        progress: &dyn Progress,
    ) -> Result<Gathered> {
        let is_remembered = options.remember && tells_changes(dir)?;
        let index =
            if is_remembered { Index::read(&self.index_path(dir)?) } else { Index::default() };
        // In this order: what changes behind its beginning is not remembered.
        let mut gathered = Gathered::new(*options);
        if is_remembered && lease.is_some() {
            sync(dir)?;
        }
        let objects = self.objects();
        progress.step(if lease.is_some() { "Storing" } else { "Reading" });
        let ((jobs, queue), (done, results)) = (channel::<Vec<Job>>(), channel::<Done>());
        let (queue, is_over) = (&(Mutex::new(queue), Room::new(WAITING)), &AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..crate::parallel::threads() {
                let (done, objects) = (done.clone(), objects.clone());
                scope.spawn(move || work(&objects, lease, (queue, is_over), &done));
            }
            drop(done);
            // A walk that fails lets go of the queue, which ends the threads; a file that one of them is reading may be vast. One that
            // ended because a thread has failed has no reason of its own.
            let jobs = Jobs { queue: jobs, room: &queue.1, batch: Vec::new(), size: 0 };
            let walked = gathered.walk(dir, &index, (jobs, is_over), progress);
            let read = match walked {
                Err(error) if !is_over.load(Ordering::Relaxed) => Err(error),
                walked => gathered.take(&results, progress).and(walked),
            };
            is_over.store(true, Ordering::Relaxed);
            read
        })?;
        gathered.tell_left_out();
        if let Some(lease) = lease {
            gathered.pin_known(&objects, lease, dir)?;
            if is_remembered {
                gathered.stamps.write(&self.index_path(dir)?)?;
            }
        }
        Ok(gathered)
    }

    /// Stores the manifest of these entries.
    pub(crate) fn manifest(&self, lease: &Lease, nodes: &[Node]) -> Result<Digest> {
        let mut encoder = Encoder::new(Vec::new())?;
        for node in nodes {
            encoder.put(node)?;
        }
        self.put_manifest(lease, &encoder.finish()?)
    }

    /// Stores a manifest. All that it names hangs on it, so one that is there already is read: to store a tree again mends it.
    pub(crate) fn put_manifest(&self, lease: &Lease, manifest: &[u8]) -> Result<Digest> {
        let objects = self.objects();
        let put = objects.put_bytes(lease, manifest)?;
        if !put.is_new && self.put_away(&put.digest)? {
            objects.put_bytes(lease, manifest)?;
        }
        Ok(put.digest)
    }

    /// Forgets what is remembered of a folder that is about to go.
    pub fn forget_folder(&self, dir: &Path) {
        use std::os::unix::ffi::OsStrExt;
        if let Ok(whole) = dir.canonicalize() {
            let name = Digest::of(whole.as_os_str().as_bytes()).hex();
            // It costs a little space where it stays.
            drop(files::remove_file(&self.index_dir().join(name)));
        }
    }

    /// Where is remembered what was in this folder.
    fn index_path(&self, dir: &Path) -> Result<PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let whole = dir.canonicalize().map_err(|error| Error::io("read", dir, error))?;
        let folder = self.index_dir();
        files::create_dirs(&folder, 0o700)?;
        Ok(folder.join(Digest::of(whole.as_os_str().as_bytes()).hex()))
    }
}

/// Puts what is in a folder's file system on disk. A page that is mapped and was written to may be written to again without a sign
/// until then; afterwards the next change shows in the file's times, by which it is told apart from what was read.
pub(super) fn sync(dir: &Path) -> Result<()> {
    let failed = |error| Error::io("sync", dir, error);
    let fd = crate::tree::open_root(dir).map_err(failed)?;
    rustix::fs::syncfs(fd).map_err(failed)
}

/// Whether the times of the files in a folder tell all changes once it is synced: not where they lie in memory only.
fn tells_changes(dir: &Path) -> Result<bool> {
    let found = rustix::fs::statfs(dir).map_err(|error| Error::io("look at", dir, error))?;
    Ok(!IN_MEMORY.contains(&u64::try_from(found.f_type).unwrap_or(0)))
}

/// What would become of contents that are only looked at.
fn hashed(input: &mut dyn Read) -> Result<Put> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(input).map_err(Error::Input)?;
    Ok(Put { digest: hasher.finalize().into(), size: hasher.count(), is_new: false })
}

impl Jobs<'_> {
    /// Hands a file to the threads, with others where it is small.
    fn add(&mut self, job: Job, progress: &dyn Progress) -> Result<()> {
        self.size = self.size.saturating_add(job.shape.size);
        self.batch.push(job);
        if self.batch.len() < BATCH && self.size < BATCH_SIZE {
            return Ok(());
        }
        self.hand_over(progress)
    }

    /// Hands over what there is, unless nobody waits for it any more.
    fn hand_over(&mut self, progress: &dyn Progress) -> Result<()> {
        while !self.room.enter(ASK) {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
        }
        self.size = 0;
        // The threads end only when the queue does.
        self.queue.send(std::mem::take(&mut self.batch)).map_err(|_| Error::Cancelled)
    }
}

/// Stores files until there are no more, or one can't be stored.
fn work(
    objects: &Objects,
    lease: Option<&Lease>,
    ((queue, room), is_over): (&Queue, &AtomicBool),
    done: &Sender<Done>,
) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return };
        room.leave();
        for job in batch {
            let stored = store(objects, lease, job, is_over);
            let failed = stored.put.is_err();
            if done.send(stored).is_err() {
                return;
            }
            // Only behind the reason, which is to be taken first.
            if failed {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn store(objects: &Objects, lease: Option<&Lease>, job: Job, is_over: &AtomicBool) -> Done {
    let Job { number, data, shape, meta } = job;
    let is_over = &|| is_over.load(Ordering::Relaxed);
    let mut reader = Until { inner: DenseReader::new(data, &shape), is_over };
    let put = match lease {
        Some(lease) => objects.put_of(lease, &mut reader, Some(&meta)),
        None => hashed(&mut reader),
    };
    Done { number, put, shrank: reader.inner.shrank() }
}

/// What was found so far.
pub(super) struct Gathered {
    options: BuildOptions,
    /// The entries; of a layer, what is no more as a device 0:0.
    pub(super) nodes: Vec<Node>,
    /// What overlayfs has noted at entries of a layer, by their numbers.
    pub(super) marks: HashMap<usize, Mark>,
    /// Files whose contents are known from the last time.
    known: Vec<usize>,
    /// The names of attributes that are not kept, each with the first entry that has it, and how many have it.
    left_out: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
    stamps: Stamps,
    stamp_of: HashMap<usize, Stamp>,
    /// The sizes of the files that were read or known, in bytes.
    pub(super) size: u64,
    /// Of these, what was not in the store before.
    pub(super) new: u64,
    /// What was left out.
    pub(super) notes: Notes,
}

impl Gathered {
    fn new(options: BuildOptions) -> Self {
        Self {
            options,
            nodes: Vec::new(),
            marks: HashMap::new(),
            known: Vec::new(),
            left_out: BTreeMap::new(),
            stamps: Stamps::begin(),
            stamp_of: HashMap::new(),
            size: 0,
            new: 0,
            notes: Notes::default(),
        }
    }

    fn walk(
        &mut self,
        dir: &Path,
        index: &Index,
        (mut jobs, is_over): (Jobs<'_>, &AtomicBool),
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut names: HashMap<(u64, u64), u64> = HashMap::new();
        walk(dir, &mut |found| {
            if is_over.load(Ordering::Relaxed) || progress.cancelled() {
                return Err(Error::Cancelled);
            }
            if found.is_mount {
                self.notes.add(found.path.as_bytes(), "what is mounted there was left out");
            }
            if self.options.skip == Some((found.stat.st_dev, found.stat.st_ino)) {
                self.notes.add(found.path.as_bytes(), "Volt's own folder was left out");
                return Ok(Flow::Skip);
            }
            if self.options.layer && found.is_whiteout() {
                // All of them may be names of one.
                let (path, kind) = (found.path.clone(), super::layer::NOTHING);
                self.nodes.push(Node { path, kind, meta: Meta::default() });
                return Ok(Flow::Skip);
            }
            let id = (found.stat.st_dev, found.stat.st_ino);
            let has_names = found.file_type() != FileType::Directory && found.stat.st_nlink > 1;
            if let Some(first) = names.get(&id).filter(|_| has_names) {
                let kind = NodeKind::Link(*first);
                self.keep_quota(found)?;
                self.nodes.push(Node { path: found.path.clone(), kind, meta: Meta::default() });
                return Ok(Flow::Descend);
            }
            let number = self.nodes.len();
            let flow = self.add(found, index, (&mut jobs, progress))?;
            // What was left out has no number that another name of it could have.
            if has_names && self.nodes.len() > number {
                names.insert(id, number as u64);
            }
            progress.bytes(self.size, None);
            Ok(flow)
        })?;
        jobs.hand_over(progress)
    }

    fn add(
        &mut self,
        found: &Found<'_>,
        index: &Index,
        (jobs, progress): (&mut Jobs<'_>, &dyn Progress),
    ) -> Result<Flow> {
        let number = self.nodes.len();
        let mut left_out = Vec::new();
        let Some((entry, data)) = found.read_noting(&mut left_out)? else {
            self.notes.add(found.path.as_bytes(), "it changed while it was read and was left out");
            return Ok(Flow::Skip);
        };
        let mark = if self.options.layer { Mark::of(found)? } else { Mark::default() };
        let kind = match entry.kind {
            Kind::Directory => NodeKind::Directory,
            Kind::Symlink(target) => NodeKind::Symlink(target),
            Kind::Fifo => NodeKind::Fifo,
            Kind::File(shape) if mark.is_metacopy => {
                // Its contents are those of a file below.
                let digest = Digest::from_bytes([0; 32]);
                NodeKind::File(Content { size: shape.size, digest, segments: Vec::new() })
            }
            Kind::File(shape) => {
                self.size = self.size.saturating_add(shape.size);
                self.keep_quota(found)?;
                let segments = shape.in_manifest();
                let (size, stamp) = (shape.size, Stamp::of(&found.stat));
                let digest = match index.digest(&stamp) {
                    Some(digest) => {
                        self.known.push(number);
                        digest
                    }
                    None => {
                        let job = Job { number, data, shape, meta: entry.meta.clone() };
                        jobs.add(job, progress)?;
                        Digest::from_bytes([0; 32])
                    }
                };
                self.stamp_of.insert(number, stamp);
                NodeKind::File(Content { size, digest, segments })
            }
            Kind::Special(what) => match device(found).filter(|_| self.options.devices) {
                Some(kind) => kind,
                None => {
                    self.notes.add(found.path.as_bytes(), format!("{what} was left out"));
                    return Ok(Flow::Skip);
                }
            },
            Kind::HardLink(_) => return Ok(Flow::Skip),
        };
        self.keep_quota(found)?;
        left_out.into_iter().for_each(|name| self.leave_out(found, name));
        self.nodes.push(Node { path: entry.path, kind, meta: entry.meta });
        if mark != Mark::default() {
            self.marks.insert(number, mark);
        }
        Ok(Flow::Descend)
    }

    /// Notes that an attribute is not kept. Where a host labels everything, one of each name is told with how many there are.
    fn leave_out(&mut self, found: &Found<'_>, name: Vec<u8>) {
        let is_mark = |start: &&[u8]| name.starts_with(start);
        if self.options.layer && OVERLAY.iter().any(is_mark) {
            return;
        }
        if self.left_out.len() < NAMES || self.left_out.contains_key(&name) {
            let first = || (found.path.as_bytes().to_vec(), 0);
            self.left_out.entry(name).or_insert_with(first).1 += 1;
        }
    }

    /// Tells which attributes were not kept.
    fn tell_left_out(&mut self) {
        for (name, (first, count)) in std::mem::take(&mut self.left_out) {
            let name = crate::error::printable(&name);
            let more = match count {
                1 => String::new(),
                count => format!(", and that of {} more", count - 1),
            };
            self.notes.add(&first, format!("its attribute {name} was left out{more}"));
        }
    }

    fn keep_quota(&self, found: &Found<'_>) -> Result<()> {
        let Quota { bytes, entries } = self.options.quota;
        let refused = |reason| Err(Error::refused(found.path.as_bytes(), reason));
        if self.size > bytes {
            return refused(format!("the files are larger than {bytes} bytes in all"));
        }
        if self.nodes.len() as u64 >= entries {
            return refused(format!("there are more than {entries} entries"));
        }
        Ok(())
    }

    /// Takes what the threads have stored.
    fn take(&mut self, results: &Receiver<Done>, progress: &dyn Progress) -> Result<()> {
        loop {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let Done { number, put, shrank } = match results.recv_timeout(ASK) {
                Ok(done) => done,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let put = put?;
            let node = &mut self.nodes[number];
            if shrank {
                self.notes.add(node.path.as_bytes(), "it became shorter while it was read");
            }
            if let NodeKind::File(content) = &mut node.kind {
                content.digest = put.digest;
            }
            self.new += if put.is_new { put.size } else { 0 };
            if let Some(stamp) = self.stamp_of.remove(&number).filter(|_| !shrank) {
                self.stamps.add(stamp, put.digest);
            }
        }
    }

    /// Counts on the files that were known; one that is no longer in the store is read after all.
    fn pin_known(&mut self, objects: &Objects, lease: &Lease, dir: &Path) -> Result<()> {
        let content_of = |node: &Node| match &node.kind {
            NodeKind::File(content) => (content.digest, content.size),
            _ => unreachable!("only files are known"),
        };
        let known: Vec<(Digest, u64)> =
            self.known.iter().map(|number| content_of(&self.nodes[*number])).collect();
        let missing = objects.pin_all(lease, &known)?;
        for (number, (digest, _)) in std::mem::take(&mut self.known).into_iter().zip(known) {
            let digest = if missing.contains(&digest) {
                let put = self.read_again(objects, lease, (dir, number))?;
                self.new += if put.is_new { put.size } else { 0 };
                self.shorten(number, put.size);
                put.digest
            } else {
                digest
            };
            if let NodeKind::File(content) = &mut self.nodes[number].kind {
                content.digest = digest;
            }
            if let Some(stamp) = self.stamp_of.remove(&number) {
                self.stamps.add(stamp, digest);
            }
        }
        Ok(())
    }

    /// Notes that there is less of a file by now than there was, where that is so.
    fn shorten(&mut self, number: usize, size: u64) {
        let node = &mut self.nodes[number];
        let NodeKind::File(content) = &mut node.kind else { return };
        if content.size != size {
            (content.size, content.segments) = (size, Vec::new());
            self.stamp_of.remove(&number);
            self.notes.add(node.path.as_bytes(), "it became shorter while it was read");
        }
    }

    fn read_again(
        &self,
        objects: &Objects,
        lease: &Lease,
        (dir, number): (&Path, usize),
    ) -> Result<Put> {
        let node = &self.nodes[number];
        let failed = |error| Error::io("read", dir, error);
        let root = crate::tree::open_root(dir).map_err(failed)?;
        // What is there by now may be a pipe that nobody writes to.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = crate::tree::open_in_root(&root, node.path.as_bytes(), flags).map_err(failed)?;
        let stat = rustix::fs::fstat(&fd).map_err(failed)?;
        let is_it = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && self.stamp_of.get(&number).is_none_or(|stamp| stamp.inode() == stat.st_ino);
        if !is_it {
            return Err(Error::refused(node.path.as_bytes(), "it changed while it was read"));
        }
        let NodeKind::File(content) = &node.kind else { unreachable!("only files are known") };
        objects.put_of(lease, &mut File::from(fd).take(content.size), Some(&node.meta))
    }
}

fn device(found: &Found<'_>) -> Option<NodeKind> {
    let number = found.stat.st_rdev;
    let device = Device { major: rustix::fs::major(number), minor: rustix::fs::minor(number) };
    match found.file_type() {
        FileType::CharacterDevice => Some(NodeKind::Char(device)),
        FileType::BlockDevice => Some(NodeKind::Block(device)),
        _ => None,
    }
}
