//! The first process of a host, before systemd: gives the host its root, its `/dev`, `/sys` and
//! cgroup tree, and becomes systemd. Runs in the fresh namespaces; nothing it mounts is seen
//! outside, and all of it goes with the last process of the host.

use std::ffi::CString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change,
    mount_remount, unmount,
};

use crate::run::{Context, Outcome, Result, fail, program};

/// The device nodes a host has: path, major, minor, mode. No `/dev/kvm`: the machine's is its own.
const NODES: [(&str, u32, u32, u32); 10] = [
    ("null", 1, 3, 0o666),
    ("zero", 1, 5, 0o666),
    ("full", 1, 7, 0o666),
    ("random", 1, 8, 0o666),
    ("urandom", 1, 9, 0o666),
    ("tty", 5, 0, 0o666),
    ("fuse", 10, 229, 0o666),
    ("net/tun", 10, 200, 0o666),
    ("loop-control", 10, 237, 0o660),
    ("kmsg", 1, 11, 0o600),
];

/// How many of the machine's loop devices a host sees.
const LOOPS: u32 = 16;

/// Folders that lie on the machine's own file system, because they hold (or become) the layers of
/// containers, or are large: in the host, and below the host's `data`.
pub(crate) const DATA: [(&str, &str, u32); 5] = [
    ("var/lib/volt", "volt", 0o755),
    ("var/lib/machines", "machines", 0o700),
    ("home", "home", 0o755),
    ("tmp", "tmp", 0o1777),
    ("var/tmp", "var-tmp", 0o1777),
];

/// Runs as `xtask host-init NAME TREE DISK MIRRORS IMAGES`, the last two lists of folders.
pub(crate) fn task(words: &[String]) -> Outcome {
    let [name, tree, disk, mirrors, images] = words else {
        return fail("for internal use");
    };
    // The word that we are in the right cgroup, and whoever stayed outside has left it.
    let mut word = [0];
    if std::io::stdin().read(&mut word).unwrap_or(0) == 0 {
        return fail("nobody waits for this host");
    }
    let disk = Path::new(disk);
    let root = disk.join("root");
    overlay(&root, &[tree], Some(disk))?;
    for (place, data, _) in DATA {
        bind(&disk.join("data").join(data), &root.join(place))?;
    }
    overlay(&root.join("srv/mirror"), &split(mirrors), None)?;
    overlay(&root.join("srv/images"), &split(images), None)?;
    devices(&root.join("dev"))?;
    kernel(&root)?;
    rustix::system::sethostname(name.as_bytes()).context(|| "hostname".into())?;
    // What a package's script would do, once; before systemd, so that it finds it done.
    let script = disk.join("postinst");
    let postinst = fs::read_to_string(&script).ok();
    enter_root(&root, &script)?;
    if let Some(text) = postinst {
        let shell = program("/bin/sh").args(["-e", "-c", &text]);
        shell.env_clear().env("PATH", super::exec::PATH).read()?;
    }
    let options = ["--log-target=journal", "--show-status=false"];
    let systemd = program("/usr/lib/systemd/systemd").args(options).env_clear();
    Err(systemd.env("container", "volt-host").env("PATH", super::exec::PATH).exec())
}

fn split(list: &str) -> Vec<&str> {
    list.split(':').filter(|path| !path.is_empty()).collect()
}

/// Mounts these layers on `place`: writable with `disk`'s upper layer, else read-only. One layer
/// alone is bound.
fn overlay<S: AsRef<str>>(place: &Path, layers: &[S], disk: Option<&Path>) -> Result<()> {
    let layers: Vec<&str> = layers.iter().map(AsRef::as_ref).collect();
    let options = match (disk, layers.as_slice()) {
        (None, []) => return Ok(()),
        (None, [only]) => {
            bind(Path::new(only), place)?;
            let flags = MountFlags::BIND | MountFlags::RDONLY;
            return mount_remount(place, flags, "").context(|| place.display().to_string());
        }
        (None, several) => format!("lowerdir={}", several.join(":")),
        (Some(disk), several) => {
            let (lower, disk) = (several.join(":"), disk.display());
            format!("lowerdir={lower},upperdir={disk}/upper,workdir={disk}/work")
        }
    };
    let flags = if disk.is_some() { MountFlags::empty() } else { MountFlags::RDONLY };
    mount_with(place, "overlay", flags, &options)
}

fn bind(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).context(|| to.display().to_string())?;
    mount_bind(from, to).context(|| format!("binding {} on {}", from.display(), to.display()))
}

fn mount_with(place: &Path, kind: &str, flags: MountFlags, options: &str) -> Result<()> {
    let options = CString::new(options).context(|| options.to_owned())?;
    mount(kind, place, kind, flags, Some(options.as_c_str()))
        .context(|| format!("mounting {kind} on {}", place.display()))
}

fn devices(dev: &Path) -> Result<()> {
    mount_with(dev, "tmpfs", MountFlags::NOSUID, "mode=755,size=16m")?;
    for folder in ["net", "pts", "shm", "mqueue", "hugepages"] {
        let path = dev.join(folder);
        fs::create_dir(&path).context(|| path.display().to_string())?;
    }
    for (name, major, minor, mode) in NODES {
        node(&dev.join(name), FileType::CharacterDevice, (major, minor), mode)?;
    }
    for number in 0..LOOPS {
        let path = dev.join(format!("loop{number}"));
        node(&path, FileType::BlockDevice, (7, number), 0o660)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
        ("core", "/proc/kcore"),
    ] {
        symlink(target, dev.join(name)).context(|| format!("/dev/{name}"))?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount_with(&dev.join("pts"), "devpts", flags, "newinstance,ptmxmode=0666,mode=620,gid=5")?;
    mount_with(&dev.join("shm"), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, "mode=1777")
}

fn node(path: &Path, kind: FileType, number: (u32, u32), mode: u32) -> Result<()> {
    let device = makedev(number.0, number.1);
    mknodat(CWD, path, kind, Mode::from_raw_mode(mode), device)
        .context(|| path.display().to_string())?;
    // The umask had its say before.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .context(|| path.display().to_string())?;
    let disk_group = if number.0 == 7 { Some(6) } else { None };
    chown(path, None, disk_group).context(|| path.display().to_string())
}

/// `/proc`, a read-only `/sys` (which keeps udev off the machine's devices), the cgroup tree, `/run`.
fn kernel(root: &Path) -> Result<()> {
    let strict = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_with(&root.join("proc"), "proc", strict, "")?;
    let sys = root.join("sys");
    mount_with(&sys, "sysfs", strict | MountFlags::RDONLY, "")?;
    mount_with(&sys.join("fs/cgroup"), "cgroup2", strict, "nsdelegate")
        .or_else(|_| mount_with(&sys.join("fs/cgroup"), "cgroup2", strict, ""))?;
    mount_with(&root.join("run"), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, "mode=755")
}

/// Makes `root` the root, and removes `done`, which is out of sight after that.
fn enter_root(root: &Path, done: &Path) -> Result<()> {
    let trouble = || root.display().to_string();
    crate::cache::remove(done)?;
    std::env::set_current_dir(root).context(trouble)?;
    rustix::process::pivot_root(".", ".").context(trouble)?;
    unmount(".", UnmountFlags::DETACH).context(trouble)?;
    // systemd does so on a machine, though not where it takes itself for a container's; what mounts
    // do to each other must be the same here.
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    mount_change("/", shared).context(trouble)?;
    std::env::set_current_dir("/").context(trouble)
}
