//! Storing trees: each side's store is made anew for each sample, and what it wrote is on disk when the clock stops.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::clock::{alternate, busy, command, run, said, sized, time};
use super::tree;
use crate::bench::samples::Samples;
use crate::run::{Context, Failure, Result, fail};

/// Where the peers' packages are.
const PACKAGES: &str = "/root/stores";
/// Where all of a bench is: a real disk.
pub(super) const PLACE: &str = "/var/lib/machines/bench/stores";

/// Another store: its name, how an empty one is made, how a tree is stored. `$S` is its folder, `$T` the tree, `$N` the name of that.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) make: &'static str,
    pub(super) store: &'static str,
}

/// Each as fast as it can be set: without compression where it can be without; the sync comes after it.
pub(super) const PEERS: [Peer; 4] = [
    Peer {
        name: "ostree",
        make: "ostree init --repo=$S --mode=bare",
        store: "ostree commit --fsync=false --repo=$S --branch=$N --tree=dir=$T",
    },
    Peer {
        name: "casync",
        make: "mkdir $S",
        store: "casync make --compression=zstd --store=$S/x.castr $S/$N.caidx $T",
    },
    Peer {
        name: "restic",
        make: "RESTIC_PASSWORD=x restic init --quiet --repository-version 2 --repo $S",
        store: "RESTIC_PASSWORD=x restic backup --quiet --compression off --no-cache --repo $S $T",
    },
    Peer {
        name: "borg",
        make: "borg init --encryption none $S",
        store: "borg create --compression none --files-cache disabled $S::$N $T",
    },
];

/// What a large Debian root is copied of: the host's own.
const ROOT: [&str; 6] = ["etc", "usr", "var", "bin", "sbin", "lib"];
/// A minimal Debian as debootstrap makes it, as an archive.
const MINIMAL: &str = "volt image pull --force --mirror file:///srv/mirror debian-minimal >&2; volt image export debian-minimal";

/// A minimal Debian root.
pub(super) fn root(pairs: usize) -> Result<Vec<Samples>> {
    measure("root", pairs, Earlier::Stay, |tree| minimal(pairs, tree))
}

/// Makes a minimal Debian root, or copies a little of this host's.
pub(super) fn minimal(pairs: usize, tree: &Path) -> Result<()> {
    if sized(pairs, false, true) {
        return debian(pairs, tree);
    }
    let to = tree.display();
    run(&["sh", "-ec", &format!("mkdir {to}; {{ {MINIMAL}; }} | tar -xp --numeric-owner -C {to}")])
}

/// Copies this host's root, or a little of it.
pub(super) fn debian(pairs: usize, tree: &Path) -> Result<()> {
    let words = sized(pairs, &ROOT[..], &["etc", "bin"][..]).iter().map(|name| format!("/{name}"));
    let words: Vec<String> = words.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fs::create_dir_all(tree).context(|| tree.display().to_string())?;
    let to = tree.display().to_string();
    run(&[&["cp", "-a", "--one-file-system"], &words[..], &[&to]].concat())
}

/// 1 GiB in large files.
pub(super) fn large(pairs: usize) -> Result<Vec<Samples>> {
    measure("large", pairs, Earlier::Go, |tree| {
        fs::create_dir_all(tree).context(|| tree.display().to_string())?;
        (0..8).try_for_each(|number| {
            let size = sized(pairs, 128 << 20, 1 << 20);
            write(&tree.join(number.to_string()), number, size)
        })
    })
}

/// As many small files as `/usr/share` has where much is installed.
pub(super) fn small(pairs: usize) -> Result<Vec<Samples>> {
    measure("small", pairs, Earlier::Stay, |tree| {
        for number in 0..sized(pairs, 45_000_u64, 450) {
            let folder = tree.join(format!("{}/{}", number / 1500, number / 30));
            if number % 30 == 0 {
                fs::create_dir_all(&folder).context(|| folder.display().to_string())?;
            }
            // From 100 bytes to 12 KiB, the small ones more often.
            let spread = number % 111;
            write(&folder.join(number.to_string()), number, 100 + spread * spread)?;
        }
        Ok(())
    })
}

/// A file of bytes that no other file has.
fn write(path: &Path, seed: u64, size: u64) -> Result<()> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut left = usize::try_from(size).unwrap_or_default();
    let mut piece = vec![0; left.min(1 << 20)];
    let mut file = fs::File::create(path).context(|| path.display().to_string())?;
    while left > 0 {
        for chunk in piece.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
        }
        let now = left.min(piece.len());
        file.write_all(&piece[..now]).context(|| path.display().to_string())?;
        left -= now;
    }
    Ok(())
}

fn measure(
    name: &str,
    pairs: usize,
    earlier: Earlier,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<Vec<Samples>> {
    install()?;
    let bench = Bench { tree: format!("{PLACE}/{name}"), earlier };
    begin(pairs)?;
    // Folders right below it are spread over the disk, as those of a root are; other file systems know no such flag.
    drop(run(&["chattr", "+T", PLACE]));
    make(Path::new(&bench.tree))?;
    let mut all =
        vec![alternate(&format!("build-{name}"), pairs, || bench.first(), || bench.copy())?];
    let (fastest, times) = bench.fastest()?;
    let mut stores = alternate(
        &format!("build-{name}-stores"),
        pairs,
        || bench.first(),
        || bench.peer(fastest),
    )?;
    stores.note = format!("{times}. {}", stores.note);
    all.push(stores);
    all.push(alternate(&format!("rebuild-{name}"), pairs, || bench.again(), || bench.first())?);
    bench.first()?;
    all.push(alternate(&format!("verify-{name}"), pairs, verify, hash)?);
    let cores = (0..pairs.min(7)).map(|_| bench.busy()).collect::<Result<_>>()?;
    let figure = format!("cores-{name}");
    all.push(Samples { figure, ours: cores, ..Samples::default() });
    let memory = (0..3).map(|_| bench.memory()).collect::<Result<_>>()?;
    let figure = format!("memory-{name}");
    all.push(Samples { figure, ours: memory, ..Samples::default() });
    run(&["rm", "-rf", PLACE])?;
    Ok(all)
}

pub(super) fn install() -> Result<()> {
    if !Path::new(PACKAGES).exists() {
        return fail("the packages of the other stores could not be fetched");
    }
    if !Path::new("/usr/bin/ostree").exists() {
        run(&["sh", "-c", &format!("dpkg --install --force-confold {PACKAGES}/*.deb")])?;
    }
    fs::create_dir_all(tree::PLACE).context(|| tree::PLACE.into())
}

/// Runs a line of shell, in which `$S` is the folder of that name, `$T` the tree and `$N` its name.
pub(super) fn shell(line: &str, store: &str, tree: &str) -> Result<()> {
    let name = tree.rsplit('/').next().unwrap_or_default();
    let line = line.replace("$S", &folder(store)).replace("$T", tree);
    run(&["sh", "-ec", &line.replace("$N", name)])
}

/// How many samples were begun.
static ROUND: AtomicUsize = AtomicUsize::new(0);

/// The folder of a store in this sample.
pub(super) fn folder(store: &str) -> String {
    format!("{PLACE}/{store}.{}", ROUND.load(Ordering::Relaxed))
}

/// How long ext4 does not use the inode of a removed file again. Until then it looks at each of them before it makes a file, which
/// costs either side many times what it does.
const RECENT: Duration = Duration::from_secs(61);

/// What becomes of what earlier samples have stored.
#[derive(Clone, Copy)]
enum Earlier {
    /// It stays until all is measured: to remove many files would slow down what comes behind.
    Stay,
    /// It goes: it has few files, and takes much room.
    Go,
}

/// Begins where nothing is, nor was a moment ago.
pub(super) fn begin(pairs: usize) -> Result<()> {
    if Path::new(PLACE).exists() {
        run(&["rm", "-rf", PLACE])?;
        run(&["sync", "-f", tree::PLACE])?;
        std::thread::sleep(sized(pairs, RECENT, Duration::ZERO));
    }
    fs::create_dir_all(PLACE).context(|| PLACE.into())
}

/// Begins a sample: its folders have names of their own, and nothing of earlier ones is on its way to the disk.
pub(super) fn next() -> Result<()> {
    ROUND.fetch_add(1, Ordering::Relaxed);
    run(&["sync", "-f", PLACE])
}

/// It is on disk when it returns; that the peers are followed by a sync costs nothing here.
pub(super) const BUILD: &str = "volt --root $S cas build $T --ref $N; sync -f $S";

struct Bench {
    tree: String,
    earlier: Earlier,
}

impl Bench {
    /// Begins a sample with this store.
    fn clear(&self, store: &str) -> Result<()> {
        if matches!(self.earlier, Earlier::Go) {
            run(&["sh", "-c", &format!("rm -rf {PLACE}/{store}.*")])?;
        }
        next()
    }

    fn first(&self) -> Result<f64> {
        self.clear("volt")?;
        time(|| shell(BUILD, "volt", &self.tree))
    }

    /// The tree is there and unchanged.
    fn again(&self) -> Result<f64> {
        time(|| shell(BUILD, "volt", &self.tree))
    }

    fn busy(&self) -> Result<f64> {
        self.clear("volt")?;
        busy(|| shell(BUILD, "volt", &self.tree))
    }

    fn copy(&self) -> Result<f64> {
        self.clear("copy")?;
        time(|| shell("cp -a $T $S; sync -f $S", "copy", &self.tree))
    }

    fn peer(&self, peer: &Peer) -> Result<f64> {
        self.clear(peer.name)?;
        shell(peer.make, peer.name, &self.tree)?;
        shell(&format!("sync -f {PLACE}"), peer.name, "")?;
        time(|| shell(&format!("{}; sync -f $S", peer.store), peer.name, &self.tree))
    }

    /// Which peer is fastest here, and what each took.
    fn fastest(&self) -> Result<(&'static Peer, String)> {
        let mut taken = Vec::new();
        for peer in &PEERS {
            self.peer(peer)?;
            taken.push((self.peer(peer)?, peer));
            self.clear(peer.name)?;
        }
        let times: Vec<String> =
            taken.iter().map(|(ms, peer)| format!("{} {ms:.0} ms", peer.name)).collect();
        let fastest = taken.iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let fastest = fastest.ok_or_else(|| Failure("no peer".into()))?.1;
        Ok((fastest, format!("Of {}, the fastest is {}", times.join(", "), fastest.name)))
    }

    /// The most memory a first build had, in MiB.
    fn memory(&self) -> Result<f64> {
        self.clear("volt")?;
        let store = folder("volt");
        let mut build = command(&["volt", "--root", &store, "cas", "build", &self.tree]).spawn()?;
        peak(&mut build)
    }
}

/// The most memory that a process has until its end, in MiB.
pub(super) fn peak(child: &mut Child) -> Result<f64> {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0.0_f64;
    let ended = loop {
        if let Some(ended) = child.try_wait().context(|| status.clone())? {
            break ended;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        most = most.max(peak.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0);
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    if ended.success() { Ok(most) } else { Err(said(&Failure(ended.to_string()))) }
}

fn verify() -> Result<f64> {
    time(|| shell("volt --root $S cas verify", "volt", ""))
}

fn hash() -> Result<f64> {
    let line = "find $S/var/lib/volt/cas/objects -type f -print0 | xargs -0 -P2 -n 2000 b3sum --num-threads 1 >/dev/null";
    time(|| shell(line, "volt", ""))
}
