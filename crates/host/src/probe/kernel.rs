//! What the kernel offers, tried where trying leaves no trace.

use super::Check;
use crate::cgroup::Cgroup;
use crate::mounts::{IdMap, MountAttributes, UserNamespace, clone_mount};
use crate::{cgroup, files};
use rustix::mount::{FsOpenFlags, fsopen};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The controllers that limits need.
const CONTROLLERS: [&str; 4] = ["cpu", "memory", "pids", "io"];

/// Below this much free space Volt warns, in bytes.
const LITTLE_SPACE: u64 = 1 << 30;

/// Who asks again by this is told.
const AS_ROOT: &str = "sudo volt system check";

const NEWER_KERNEL: &str = "boot a newer kernel";
const OTHER_KERNEL: &str = "boot a kernel that has it, as Debian's own does";
const UNIFIED: &str =
    "boot with systemd.unified_cgroup_hierarchy=1; in a container they are for the host to give";

impl Check {
    /// The module is to be loaded, where this kernel has it.
    fn loaded_by(self, module: &str) -> Self {
        let name = rustix::system::uname();
        let list = format!("/lib/modules/{}/modules.dep", name.release().to_string_lossy());
        let file = format!("/{}.ko", module.replace('_', "-"));
        match fs::read_to_string(list) {
            Ok(list) if list.contains(&file) => self.mended_by(format!("modprobe {module}")),
            _ => self.mended_only(OTHER_KERNEL),
        }
    }
}

pub(super) fn release() -> Check {
    let check = Check::new("kernel", "the kernel is recent enough");
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut parts =
        release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < (6, 1) {
        let check = check.limited(format!("{release} is older than 6.1"));
        return check.mended_only(NEWER_KERNEL);
    }
    check.ok(release)
}

pub(super) fn cgroup() -> Check {
    let check = Check::new("cgroup", "limits on memory, CPU, tasks and I/O");
    let Ok(root) = cgroup::root() else {
        return check.missing("the v2 hierarchy is not mounted").mended_only(UNIFIED);
    };
    let present = Cgroup::at(&root).controllers().unwrap_or_default();
    let absent: Vec<&str> =
        CONTROLLERS.into_iter().filter(|name| !present.iter().any(|have| have == name)).collect();
    if absent.is_empty() {
        return check.ok(format!("v2 at {}, controllers {}", root.display(), present.join(" ")));
    }
    check
        .limited(format!("v2 at {} without {}", root.display(), absent.join(", ")))
        .mended_only(UNIFIED)
}

pub(super) fn overlay() -> Check {
    let check = Check::new("overlay", "overlayfs keeps images unchanged");
    match fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC) {
        Ok(_) => check.ok("works"),
        Err(rustix::io::Errno::NODEV) => check.missing("not in this kernel").loaded_by("overlay"),
        Err(rustix::io::Errno::PERM) => {
            // Only root may try; the kernel's list tells everybody, once the module is loaded.
            let listed = fs::read_to_string("/proc/filesystems").unwrap_or_default();
            if listed.lines().any(|line| line.ends_with("\toverlay")) {
                check.ok("in this kernel")
            } else {
                check.limited("not loaded, or only root may know").loaded_by("overlay")
            }
        }
        Err(error) => check.missing(error.to_string()).mended_only(OTHER_KERNEL),
    }
}

pub(super) fn idmap(state: &Path) -> Check {
    let check = Check::new("idmap", "images are shared without changing owners");
    let folder = existing(state);
    let tried = UserNamespace::new(IdMap::of(1 << 19))
        .and_then(|map| clone_mount(&folder, Some(&map), MountAttributes::empty()));
    match tried {
        Ok(_) => check.ok("works"),
        Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {
            check.limited("only root may try").mended_by(AS_ROOT)
        }
        Err(error) => check
            .missing(format!(
                "the file system of {} cannot be mapped ({})",
                folder.display(),
                error.source
            ))
            .mended_only("have that folder on ext4, xfs or btrfs"),
    }
}

pub(super) fn user_namespaces() -> Check {
    let check = Check::new("userns", "containers have user ids of their own");
    if !Path::new("/proc/self/ns/user").exists() {
        return check.missing("not in this kernel").mended_only(OTHER_KERNEL);
    }
    let limit = number("/proc/sys/user/max_user_namespaces");
    if limit == Some(0) {
        return check.missing("switched off").mended_by("sysctl -w user.max_user_namespaces=15000");
    }
    check.ok(limit.map_or("works".to_owned(), |limit| format!("at most {limit}")))
}

pub(super) fn user_namespaces_for_all() -> Check {
    let check = Check::new("userns-all", "user namespaces for ordinary users");
    if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        let remedy = "sysctl -w kernel.unprivileged_userns_clone=1";
        return check.limited("for root only").mended_by(remedy);
    }
    if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        let remedy = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
        return check.limited("restricted by AppArmor").mended_by(remedy);
    }
    check.ok("allowed")
}

pub(super) fn network_namespaces() -> Check {
    let check = Check::new("netns", "containers have a network of their own");
    if !Path::new("/proc/self/ns/net").exists() {
        return check.missing("not in this kernel").mended_only(OTHER_KERNEL);
    }
    let tried = std::thread::spawn(|| {
        // SAFETY: concerns this thread only, which ends here and takes the namespace with it.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
    });
    match tried.join() {
        Ok(Ok(())) => check.ok("works"),
        Ok(Err(rustix::io::Errno::PERM)) => {
            check.limited("only root may make one").mended_by(AS_ROOT)
        }
        Ok(Err(rustix::io::Errno::NOSPC)) => check
            .missing("as many as are allowed exist, or none is")
            .mended_by("sysctl -w user.max_net_namespaces=15000"),
        Ok(Err(error)) => check.missing(error.to_string()).mended_only(OTHER_KERNEL),
        Err(_) => check.missing("the attempt failed").mended_only(OTHER_KERNEL),
    }
}

pub(super) fn seccomp() -> Check {
    let check = Check::new("seccomp", "system calls are filtered");
    match fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(actions) if actions.contains("errno") => check.ok("works"),
        _ => check.missing("not in this kernel").mended_only(OTHER_KERNEL),
    }
}

pub(super) fn landlock() -> Check {
    let check = Check::new("landlock", "helpers are confined by Landlock");
    let version_only: libc::c_long = 1;
    // SAFETY: with this flag the call reads no memory and returns the version of the interface.
    let version = unsafe {
        let none = std::ptr::null::<libc::c_void>();
        libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, version_only)
    };
    match version {
        1.. => check.ok(format!("version {version}")),
        _ if io::Error::last_os_error().raw_os_error() == Some(libc::EOPNOTSUPP) => {
            check.missing("switched off").mended_only("boot with landlock in the kernel's lsm=")
        }
        _ => check.missing("not in this kernel").mended_only(OTHER_KERNEL),
    }
}

pub(super) fn kvm() -> Check {
    let check = Check::new("kvm", "virtual machines at full speed");
    match File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => check.ok("/dev/kvm works"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let check = check.missing("/dev/kvm does not exist");
            match virtualisation() {
                Some(module) => check.loaded_by(module),
                None => check.mended_only(
                    "switch virtualisation on in the firmware, or have it passed on to this virtual machine",
                ),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            check.limited("/dev/kvm is not for this user").mended_by("adduser \"$USER\" kvm")
        }
        Err(error) => check.missing(error.to_string()).mended_only("ask who has made this machine"),
    }
}

/// The module for the processor's virtualisation, if it has any.
fn virtualisation() -> Option<&'static str> {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags"))?;
    let has = |flag: &str| flags.split_ascii_whitespace().any(|word| word == flag);
    [("vmx", "kvm_intel"), ("svm", "kvm_amd")]
        .iter()
        .find(|(flag, _)| has(flag))
        .map(|found| found.1)
}

pub(super) fn disk(state: &Path) -> Check {
    let check = Check::new("disk", "space for images and containers");
    let folder = existing(state);
    let space = match files::free_space(&folder) {
        Ok(space) => space,
        Err(error) => {
            let check = check.missing(error.source.to_string());
            return check.mended_only("mount a file system there that works");
        }
    };
    let mebibytes = |bytes: u64| bytes >> 20;
    let detail = format!(
        "{} MiB of {} MiB free at {}",
        mebibytes(space.available),
        mebibytes(space.total),
        folder.display()
    );
    if space.available < LITTLE_SPACE {
        return check.limited(detail).mended_by("volt system prune");
    }
    check.ok(detail)
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The folder, or the nearest one above it that exists.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}
