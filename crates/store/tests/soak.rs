//! The store under several processes that store, read, assemble, verify, delete and collect at random, and are killed at random.
//!
//! `cargo xtask soak store --minutes N` lets it go on for longer, and `VOLT_SOAK_SEED` begins it as before. Each process is this very
//! test, told by a variable what it is. Whatever a process was told to be stored is there and whole, until it takes the name away
//! itself; and when all have ended, nothing is left but what has a name.

#![expect(clippy::unwrap_used, reason = "a process that can't do its work has failed")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use volt_model::image::ImageRef;
use volt_store::{Cas, Digest, Existing, Form, Images, ImportOptions, Silent, Work};

/// How long it goes on where nothing is said, in seconds.
const SECONDS: u64 = 20;
const WORKERS: usize = 4;
/// What files have in them: few, so that what one stores another counts on.
const CONTENTS: usize = 40;
/// How many names images have.
const NAMES: usize = 6;

#[expect(clippy::disallowed_methods, reason = "a process of this test is told so what it is")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Numbers as if by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // Steele's SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// A store, and beside it what its processes tell each other.
struct Place {
    dir: PathBuf,
    images: Images,
}

impl Place {
    fn new(dir: &Path) -> Self {
        for name in ["lib", "containers", "told"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        Self { dir: dir.to_owned(), images: Images::open(&dir.join("lib"), false) }
    }

    fn cas(&self) -> &Cas {
        self.images.cas()
    }

    /// The trees of containers: a file each, which may go at any time.
    fn wanted(&self) -> Vec<Digest> {
        let files = fs::read_dir(self.dir.join("containers")).unwrap().flatten();
        let finished = files.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
        finished.filter_map(|file| fs::read_to_string(file.path()).ok()?.parse().ok()).collect()
    }

    /// Writes a file whole or not at all.
    fn write(&self, folder: &str, name: &str, text: &str) {
        let draft = self.dir.join(folder).join(format!(".{name}"));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.dir.join(folder).join(name)).unwrap();
    }

    /// A hash of all that is in a tree.
    fn hash(&self, tree: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        let exported = self.cas().export(&tree.parse().unwrap(), &mut hasher, &Silent);
        exported.unwrap_or_else(|error| panic!("{tree}: {error}"));
        hasher.finalize().to_string()
    }

    /// What a worker was told to be stored: files by the names of refs.
    fn told(&self, worker: usize) -> Vec<String> {
        let all = fs::read_dir(self.dir.join("told")).unwrap().flatten();
        let names = all.filter_map(|file| file.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| name.starts_with(&format!("w{worker}-"))).collect();
        names.sort();
        names
    }

    /// Whether what was told is there and whole.
    fn check(&self, name: &str) {
        let told = fs::read_to_string(self.dir.join("told").join(name)).unwrap();
        let (tree, hash) = told.split_once(' ').unwrap();
        let found = self.cas().resolve(&name.parse().unwrap());
        assert_eq!(found.unwrap_or_else(|e| panic!("{name}: {e}")).to_string(), tree, "{name}");
        assert_eq!(self.hash(tree), hash, "{name}");
    }

    /// Removes what nobody needs.
    fn collect(&self) {
        let (cas, wanted) = (self.cas(), || Ok(self.wanted()));
        cas.tidy(&wanted).unwrap();
        cas.collect(&wanted).unwrap();
        cas.roots().sweep(&|| cas.standing_trees(&wanted)).unwrap();
    }

    fn verify(&self) {
        let verified = self.cas().verify(&|| Ok(Vec::new()), &Silent).unwrap();
        assert!(verified.damages.is_empty(), "{:?}", verified.damages);
    }
}

/// One of the processes.
struct Worker {
    place: Place,
    number: usize,
    chance: Chance,
    folder: PathBuf,
}

impl Worker {
    fn run(mut self, until: Instant) {
        fs::create_dir_all(&self.folder).unwrap();
        while Instant::now() < until {
            match self.chance.below(16) {
                0..6 => self.store(),
                6..8 => self.import(),
                8..10 => self.stand(),
                10..12 => self.forget(),
                12 => self.place.verify(),
                13 => self.place.told(self.number).iter().for_each(|name| self.place.check(name)),
                _ => self.place.collect(),
            }
        }
    }

    fn content(&mut self) -> Vec<u8> {
        let number = self.chance.below(CONTENTS);
        // One of them is large enough to be streamed.
        let size = if number == 0 { 3 << 20 } else { 10 + number * 997 };
        number.to_le_bytes().into_iter().cycle().take(size).collect()
    }

    fn image(&mut self) -> ImageRef {
        format!("shared:{}", self.chance.below(NAMES)).parse().unwrap()
    }

    /// Changes the folder, stores it under a new name, and tells so.
    fn store(&mut self) {
        for _ in 0..=self.chance.below(12) {
            let path = self.folder.join(format!("f{}", self.chance.below(60)));
            let content = self.content();
            if self.chance.below(5) == 0 {
                drop(fs::remove_file(path));
            } else {
                // Not over the file, which may have been stored a moment ago with these very times.
                let draft = self.folder.join("draft");
                fs::write(&draft, content).unwrap();
                fs::rename(draft, path).unwrap();
            }
        }
        let name = format!("w{}-{:x}", self.number, self.chance.next());
        let wanted = || Ok(self.place.wanted());
        let stored = self.place.cas().store(&self.folder, &name.parse().unwrap(), &wanted, &Silent);
        let tree = stored.unwrap_or_else(|error| panic!("{name}: {error}")).tree.to_string();
        self.place.write("told", &name, &format!("{tree} {}", self.place.hash(&tree)));
    }

    /// Gives a name that others give too to an image of some files.
    fn import(&mut self) {
        let mut archive = tar::Builder::new(Vec::new());
        for file in 0..=self.chance.below(20) {
            let content = self.content();
            let mut header = tar::Header::new_ustar();
            header.set_mode(if self.chance.below(2) == 0 { 0o644 } else { 0o4755 });
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, format!("f{file}"), &content[..]).unwrap();
        }
        let archive = io::Cursor::new(archive.into_inner().unwrap());
        let (name, other, is_deleted) = (self.image(), self.image(), self.chance.below(3) == 0);
        let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
        let wanted = || Ok(self.place.wanted());
        let work = Work { wanted: &wanted, progress: &Silent };
        let made = self.place.images.import_tar(&name, archive, options, work);
        made.unwrap_or_else(|error| panic!("{name}: {error}"));
        if is_deleted {
            // Another process may have been first.
            drop(self.place.images.delete(&other, &|_| Vec::new()));
        }
    }

    /// What a container does: it stands on an image, whatever becomes of its name, and reads all of its root.
    fn stand(&mut self) {
        let (name, container) = (self.image(), format!("c{}", self.number));
        let tree = {
            let _hold = self.place.images.hold().unwrap();
            let Ok(image) = self.place.images.inspect(&name) else { return };
            self.place.write("containers", &container, &image.tree.to_string());
            image.tree
        };
        let roots = self.place.cas().roots();
        for form in [Form::Links, Form::Image] {
            let root = roots.assemble(&tree, form);
            drop(root.unwrap_or_else(|error| panic!("{form:?} of {name}: {error}")));
        }
        self.place.hash(&tree.to_string());
        fs::remove_file(self.place.dir.join("containers").join(container)).unwrap();
    }

    /// Takes away names of its own, now and then all but one.
    fn forget(&mut self) {
        let mut told = self.place.told(self.number);
        let keep = if self.chance.below(8) == 0 { 1 } else { told.len().saturating_sub(1).min(12) };
        while told.len() > keep {
            let name = told.swap_remove(self.chance.below(told.len()));
            fs::remove_file(self.place.dir.join("told").join(&name)).unwrap();
            let forgotten = self.place.cas().forget(&name.parse().unwrap());
            forgotten.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// Starts a process that works until a while has passed.
#[expect(clippy::disallowed_methods, reason = "the processes are what is tested")]
fn start(dir: &Path, number: usize, seed: u64, left: Duration) -> Child {
    let told = format!("{number} {seed} {} {}", left.as_millis(), dir.display());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes_work_side_by_side", "--nocapture"]);
    let log = fs::File::options().create(true).append(true).open(dir.join("log")).unwrap();
    command.env("VOLT_SOAK_WORKER", told).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn work(told: &str) {
    let words: Vec<&str> = told.splitn(4, ' ').collect();
    let [number, seed, left, dir] = words[..] else { panic!("{told}") };
    let (number, dir) = (number.parse().unwrap(), Path::new(dir));
    let place = Place::new(dir);
    // What the one before it stood on when it was killed.
    drop(fs::remove_file(dir.join("containers").join(format!("c{number}"))));
    place.told(number).iter().for_each(|name| place.check(name));
    let folder = dir.join(format!("w{number}"));
    let worker = Worker { place, number, chance: Chance(seed.parse().unwrap()), folder };
    worker.run(Instant::now() + Duration::from_millis(left.parse().unwrap()));
}

#[test]
fn processes_work_side_by_side() {
    if let Some(told) = variable("VOLT_SOAK_WORKER") {
        return work(&told);
    }
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: roots are assembled by root");
        return;
    }
    let seconds = variable("VOLT_SOAK_SECONDS").and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(SECONDS));
    let left = || until.saturating_duration_since(Instant::now());
    let seed = variable("VOLT_SOAK_SEED").and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}");
    let dir = tempfile::Builder::new().prefix("soak").tempdir_in("/var/tmp").unwrap();
    let place = Place::new(dir.path());
    let mut chance = Chance(seed);
    let mut workers: Vec<Child> =
        (0..WORKERS).map(|number| start(dir.path(), number, chance.next(), left())).collect();
    let is_good = |number: usize, success: bool| {
        if !success {
            let log = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            panic!("seed {seed}: worker {number} has failed\n{log}");
        }
    };
    let mut killed = 0;
    while left() > Duration::from_millis(500) {
        let pause = 50 + u64::try_from(chance.below(1500)).unwrap();
        std::thread::sleep(Duration::from_millis(pause).min(left()));
        let number = chance.below(WORKERS);
        match workers[number].try_wait().unwrap() {
            Some(status) => is_good(number, status.success()),
            None => {
                workers[number].kill().unwrap();
                workers[number].wait().unwrap();
                killed += 1;
            }
        }
        workers[number] = start(dir.path(), number, chance.next(), left());
    }
    for (number, mut worker) in workers.into_iter().enumerate() {
        is_good(number, worker.wait().unwrap().success());
    }
    assert!(killed > 0, "nobody was killed");
    println!("{killed} processes were killed");
    at_the_end(&place);
}

/// All that was told is there; and when its names are gone, nothing is left.
fn at_the_end(place: &Place) {
    let cas = place.cas();
    let told: Vec<String> = (0..WORKERS).flat_map(|worker| place.told(worker)).collect();
    assert!(!told.is_empty());
    told.iter().for_each(|name| place.check(name));
    place.verify();
    for named in cas.list().unwrap().into_iter().filter(|named| named.kind == "manifests") {
        cas.forget(&named.name.parse().unwrap()).unwrap();
    }
    for image in place.images.list().unwrap() {
        place.images.delete(&image.name, &|_| Vec::new()).unwrap();
    }
    for file in fs::read_dir(place.dir.join("containers")).unwrap().flatten() {
        fs::remove_file(file.path()).unwrap();
    }
    place.collect();
    assert_eq!(cas.leftovers().unwrap(), Vec::<PathBuf>::new());
    assert_eq!(place.images.check(&|_| Vec::new()).unwrap(), []);
    let mut folders = vec![place.dir.join("lib/cas/objects"), place.dir.join("lib/cas/roots")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let is_lock = path.components().any(|part| part.as_os_str() == "locks");
            let is_kept = kind.is_dir() || is_lock || entry.file_name() == ".gate";
            assert!(is_kept, "{} is left", path.display());
            folders.extend(kind.is_dir().then_some(path));
        }
    }
}
