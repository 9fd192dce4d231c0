//! What takes long to make: keyed by what goes into it, built under a lock in a temporary folder,
//! renamed into place when whole. A build that was killed leaves nothing that anyone would use.

pub(crate) mod archive;
pub(crate) mod debs;
pub(crate) mod images;
pub(crate) mod packaged;
pub(crate) mod sources;
pub(crate) mod task;
pub(crate) mod tree;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::paths;
use crate::run::{Context, Result, program};

/// Raise it to have everything built anew.
const VERSION: u32 = 1;

/// The Debian releases that hosts come in; the first is the default.
pub(crate) const SUITES: [&str; 2] = ["trixie", "bookworm"];

/// The folder (or file) of this `kind`, made by `build` if nobody has made it yet from the same
/// `ingredients`. `build` gets a path that does not exist, and makes it.
pub(crate) fn get(
    kind: &str,
    ingredients: &str,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let place = place(kind, ingredients);
    if place.exists() {
        return Ok(place);
    }
    let cache = paths::cache();
    fs::create_dir_all(&cache).context(|| cache.display().to_string())?;
    let _lock = lock(&cache.join(format!("{kind}.lock")))?;
    if place.exists() {
        return Ok(place);
    }
    let stage = cache.join(format!("{kind}.tmp"));
    remove(&stage)?;
    eprintln!("building {kind} (once; kept in {})", cache.display());
    let begun = Instant::now();
    build(&stage)?;
    fs::rename(&stage, &place).context(|| place.display().to_string())?;
    eprintln!("built {kind} in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(place)
}

/// Where [`get`] keeps it, whether or not it is there.
pub(crate) fn place(kind: &str, ingredients: &str) -> PathBuf {
    let key = hash(&format!("{VERSION}\n{kind}\n{ingredients}"));
    paths::cache().join(format!("{kind}-{key:016x}"))
}

/// Holds an exclusive lock until the file is dropped; waits for it.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).context(|| path.display().to_string())?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
        .context(|| path.display().to_string())?;
    Ok(file)
}

/// Removes a file or a whole folder, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let gone = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
            _ => fs::remove_file(path),
        };
        match gone {
            // A program that a killed xtask has left may write there a little longer.
            Err(error)
                if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound)
                    && Instant::now() < end =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            gone => return gone.context(|| format!("removing {}", path.display())),
        }
    }
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).context(|| parent.display().to_string())?;
    }
    fs::write(path, text).context(|| path.display().to_string())
}

/// A program in mount and process namespaces of its own, so that what it mounts or starts ends
/// with it, also when xtask is killed.
pub(crate) fn contained(name: &str) -> crate::run::Program {
    program("unshare").args(["--mount", "--pid", "--fork", "--kill-child", "--", name])
}

/// 64 bits of FNV-1a: stable over time and Rust releases, unlike the standard library's hasher.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
