//! The root of a test host: what debootstrap makes of the kept archive, set up to boot quickly and
//! to let root in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{archive, contained, write};
use crate::packages;
use crate::run::{Context, Program, Result};

/// What is installed beyond a minimal Debian, sorted.
pub(crate) const PACKAGES: [&str; 29] = [
    "adduser",
    "busybox-static",
    "ca-certificates",
    "curl",
    "dbus",
    "debootstrap",
    "dmsetup",
    "dnsmasq-base",
    "e2fsprogs",
    "gpgv",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "libpam-systemd",
    "man-db",
    "nftables",
    "passwd",
    "procps",
    "proot",
    "python3-minimal",
    "strace",
    "systemd",
    "systemd-container",
    "systemd-sysv",
    "udev",
    "util-linux",
    "xz-utils",
    "zstd",
];

/// Units that a test host has no use for, in either kind of host.
const MASKED: [&str; 27] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "container-getty@.service",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@.service",
    "getty-static.service",
    "ldconfig.service",
    "man-db.timer",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-network-generator.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-tpm2-setup-early.service",
    "systemd-tpm2-setup.service",
];

/// The suite's tree; built if it is not there yet. Nobody writes to it.
pub(crate) fn get(suite: &str) -> Result<PathBuf> {
    let ingredients = format!("{} {} 2", PACKAGES.join(" "), MASKED.join(" "));
    super::get(&format!("tree-{suite}"), &ingredients, |stage| {
        let archive = archive::get(suite)?;
        install(suite, &archive, &PACKAGES, stage)?;
        finish(stage)
    })
}

/// A debootstrap of a minimal Debian of this suite with these packages, taken from `archive`.
///
/// `option` comes before the rest and may be empty.
pub(crate) fn debootstrap(
    suite: &str,
    archive: &Path,
    include: &[&str],
    option: &str,
    target: &Path,
) -> Program {
    let mut run = contained("debootstrap").args(["--variant=minbase", "--arch=amd64"]);
    if !option.is_empty() {
        run = run.arg(option);
    }
    if !include.is_empty() {
        run = run.arg(format!("--include={}", include.join(",")));
    }
    run = run.arg(suite).arg(target).arg(format!("file://{}", archive.display()));
    // A debootstrap older than the suite has no script for it, and every suite's is sid's.
    let scripts = Path::new("/usr/share/debootstrap/scripts");
    if !scripts.join(suite).exists() {
        run = run.arg(scripts.join("sid"));
    }
    run.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8")
}

/// Installs a minimal Debian with these packages in `target`.
pub(crate) fn install(suite: &str, archive: &Path, include: &[&str], target: &Path) -> Result<()> {
    packages::need(&[("debootstrap", "debootstrap"), ("unshare", "util-linux")])?;
    debootstrap(suite, archive, include, "", target).read()?;
    write(&target.join("etc/apt/sources.list"), format!("deb file:///srv/mirror {suite} main\n"))?;
    for emptied in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        empty(&target.join(emptied))?;
    }
    // What the machine that built it was called, and whom it asks for names, is not the tree's.
    write(&target.join("etc/hostname"), "localhost\n")?;
    super::remove(&target.join("etc/resolv.conf"))?;
    write(&target.join("etc/resolv.conf"), "")
}

/// Makes an installed Debian into the root of a test host.
fn finish(tree: &Path) -> Result<()> {
    let etc = tree.join("etc");
    // Empty, not absent: each host makes its own, and it is not a first boot.
    write(&etc.join("machine-id"), "")?;
    super::remove(&tree.join("var/lib/dbus/machine-id"))?;
    write(&etc.join("fstab"), "")?;
    write(&etc.join("locale.conf"), "LANG=C.UTF-8\n")?;
    write(&etc.join("default/locale"), "LANG=C.UTF-8\n")?;
    write(
        &etc.join("systemd/journald.conf.d/50-host.conf"),
        // Its limit of messages is left as every machine has it.
        "[Journal]\nStorage=persistent\nForwardToSyslog=no\nSyncIntervalSec=5s\n",
    )?;
    write(
        &etc.join("systemd/system.conf.d/50-host.conf"),
        "[Manager]\nDefaultTimeoutStartSec=30s\nDefaultTimeoutStopSec=15s\nShowStatus=no\n",
    )?;
    for unit in MASKED {
        mask(tree, unit)?;
    }
    link("/usr/lib/systemd/system/multi-user.target", &etc.join("systemd/system/default.target"))?;
    for folder in
        ["srv/mirror", "srv/images", "var/lib/volt", "var/lib/machines", "var/log/journal"]
    {
        let path = tree.join(folder);
        fs::create_dir_all(&path).context(|| path.display().to_string())?;
    }
    contained("chroot").arg(tree).args(["passwd", "--quiet", "--delete", "root"]).read()?;
    let shell = ["--create-home", "--shell", "/bin/bash", "tester"];
    contained("chroot").arg(tree).arg("useradd").args(shell).read()?;
    Ok(())
}

/// Keeps a unit from being started, in the tree at `root`.
pub(crate) fn mask(root: &Path, unit: &str) -> Result<()> {
    link("/dev/null", &root.join("etc/systemd/system").join(unit))
}

fn link(target: &str, path: &Path) -> Result<()> {
    super::remove(path)?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).context(|| parent.display().to_string())?;
    }
    symlink(target, path).context(|| path.display().to_string())
}

fn empty(folder: &Path) -> Result<()> {
    super::remove(folder)?;
    fs::create_dir_all(folder).context(|| folder.display().to_string())
}
