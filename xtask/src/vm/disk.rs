//! What VMs of a suite have in common, made once: the tree as a disk, the kernel and a small first
//! root that loads what the disk needs, and a disk of what hosts see at `/srv`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::cpio;
use crate::cache::{self, archive, images, tree};
use crate::packages;
use crate::run::{Context, Result, fail, program};

/// The modules between the kernel and its disk and ports, in the order in which they load. A kernel
/// that has one built in lacks the file.
const MODULES: [&str; 7] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
];

/// Units that would wait for a device that udev announces, or that a boot is quicker without.
const MASKED: [&str; 8] = [
    "modprobe@drm.service",
    "serial-getty@.service",
    "systemd-fsck-root.service",
    "systemd-remount-fs.service",
    "systemd-timesyncd.service",
    "systemd-udev-load-credentials.service",
    "systemd-udev-settle.service",
    "systemd-udev-trigger.service",
];

/// What the first root does. A fresh disk gets the payload (Volt, the agent, the host's name).
const INIT: &str = r#"#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
$B mount -t proc proc /proc
for module in /modules/*; do $B insmod $module; done
n=0; while ! test -b /dev/vda -a -b /dev/vdb && test $n -lt 500; do $B usleep 10000; n=$((n+1)); done
$B mount -t ext4 -o noatime /dev/vda /root || exec $B sh
# Here, not by a unit: that would wait for udev to announce the disk.
$B mount -t ext4 -o ro /dev/vdb /root/srv
if ! test -e /root/etc/volt-xtask-payload; then
    $B cp -a /payload/. /root/
    if test -s /payload.sh; then
        $B cp /payload.sh /root/run/payload.sh
        $B mount -o bind /proc /root/proc
        $B mount -o bind /dev /root/dev
        $B chroot /root /bin/sh -e /run/payload.sh
        $B umount /root/proc
        $B umount /root/dev
        $B rm /root/run/payload.sh
    fi
    echo > /root/etc/volt-xtask-payload
fi
$B umount /proc
$B mount -o move /dev /root/dev
exec $B switch_root /root /sbin/init
"#;

/// The folder with `vmlinuz`, `initrd`, `root.img`, `srv.img`; made if it is not there yet.
pub(crate) fn get(suite: &str) -> Result<PathBuf> {
    let tree = tree::get(suite)?;
    let parts = [&tree, &archive::place(suite), &images::place(suite)];
    let parts = parts.map(|part| part.display().to_string()).join(" ");
    let ingredients = format!("{parts} {INIT} {} 1", MASKED.join(" "));
    cache::get(&format!("vm-{suite}"), &ingredients, |stage| build(suite, &tree, stage))
}

fn build(suite: &str, tree: &Path, stage: &Path) -> Result<()> {
    packages::need(&[("mke2fs", "e2fsprogs"), ("depmod", "kmod"), ("xz", "xz-utils")])?;
    fs::create_dir_all(stage).context(|| stage.display().to_string())?;
    let archive = archive::get(suite)?;
    let root = stage.join("root");
    program("cp").args(["-a", "--reflink=auto"]).arg(tree).arg(&root).read()?;
    let version = kernel(suite, &archive, stage, &root)?;
    first_root(suite, &archive, stage, &root.join("usr/lib/modules").join(version))?;
    settle(&root)?;
    make_disk(&root, &stage.join("root.img"), "8G")?;
    cache::remove(&root)?;
    let srv = stage.join("srv");
    fs::create_dir(&srv).context(|| srv.display().to_string())?;
    for (name, from) in [("mirror", archive), ("images", images::get(suite)?)] {
        program("cp").args(["-a", "--reflink=auto"]).arg(from).arg(srv.join(name)).read()?;
    }
    make_disk(&srv, &stage.join("srv.img"), "1G")?;
    cache::remove(&srv)
}

/// Puts the suite's kernel beside the disk and its modules onto it; returns its version.
fn kernel(suite: &str, archive: &Path, stage: &Path, root: &Path) -> Result<String> {
    let package = archive::kernel(archive, suite)?;
    let unpacked = stage.join("kernel");
    program("dpkg-deb").arg("--extract").arg(&package).arg(&unpacked).read()?;
    let boot = unpacked.join("boot");
    let names = fs::read_dir(&boot).context(|| boot.display().to_string())?.flatten();
    let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let found = names.find_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned));
    let Some(version) = found else { return fail(format!("{} has no kernel", package.display())) };
    let image = boot.join(format!("vmlinuz-{version}"));
    fs::copy(&image, stage.join("vmlinuz")).context(|| image.display().to_string())?;
    let folders = ["usr/lib/modules", "lib/modules"].map(|path| unpacked.join(path).join(&version));
    let modules = folders.iter().find(|path| path.exists()).unwrap_or(&folders[0]);
    let place = root.join("usr/lib/modules");
    fs::create_dir_all(&place).context(|| place.display().to_string())?;
    program("cp").arg("-a").arg(modules).arg(&place).read()?;
    program("depmod").arg("--basedir").arg(root).arg(&version).read()?;
    cache::remove(&unpacked)?;
    Ok(version)
}

fn first_root(suite: &str, archive: &Path, stage: &Path, modules: &Path) -> Result<()> {
    let first = stage.join("first");
    for folder in ["bin", "dev", "proc", "root", "modules", "payload"] {
        let path = first.join(folder);
        fs::create_dir_all(&path).context(|| path.display().to_string())?;
    }
    let unpacked = stage.join("busybox");
    let package = archive::file(archive, suite, "busybox-static")?;
    program("dpkg-deb").arg("--extract").arg(package).arg(&unpacked).read()?;
    let found = ["bin/busybox", "usr/bin/busybox"].map(|path| unpacked.join(path));
    let busybox = found.iter().find(|path| path.exists()).unwrap_or(&found[0]);
    fs::copy(busybox, first.join("bin/busybox")).context(|| busybox.display().to_string())?;
    cache::remove(&unpacked)?;
    for (number, module) in MODULES.iter().enumerate() {
        let place = first.join(format!("modules/{number}-{module}.ko"));
        let found =
            program("find").arg(modules).args(["-name", &format!("{module}.ko*")]).read()?;
        let Some(file) = found.lines().next() else { continue };
        if file.ends_with(".xz") {
            let script = "xz --decompress --stdout \"$0\" > \"$1\"";
            program("sh").args(["-e", "-c", script, file]).arg(&place).read()?;
        } else {
            fs::copy(file, &place).context(|| file.to_owned())?;
        }
    }
    let init = first.join("init");
    cache::write(&init, INIT)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))
        .context(|| init.display().to_string())?;
    let packed = cpio::pack(&first)?;
    cache::write(&stage.join("initrd"), packed)?;
    cache::remove(&first)
}

/// What a tree needs to be a machine of its own.
fn settle(root: &Path) -> Result<()> {
    let units = root.join("etc/systemd/system");
    cache::write(
        &units.join("xtask-agent.service"),
        "[Unit]\nDescription=Runs commands for the one who brought this host up\n\
         DefaultDependencies=no\nAfter=systemd-remount-fs.service\n\
         [Service]\nExecStart=/usr/lib/volt-xtask/agent vm-agent\nRestart=always\nRestartSec=0\n\
         OOMPolicy=continue\nOOMScoreAdjust=-900\nTasksMax=infinity\nKillMode=mixed\n",
    )?;
    let wants = units.join("sysinit.target.wants");
    fs::create_dir_all(&wants).context(|| wants.display().to_string())?;
    let agent = "xtask-agent.service";
    std::os::unix::fs::symlink(format!("/etc/systemd/system/{agent}"), wants.join(agent))
        .context(|| agent.to_owned())?;
    // No coldplug: it is most of a boot, and the kernel loads what is asked for by name.
    for unit in MASKED {
        tree::mask(root, unit)?;
    }
    Ok(())
}

fn make_disk(folder: &Path, image: &Path, size: &str) -> Result<()> {
    program("mke2fs")
        .args(["-q", "-t", "ext4", "-F", "-m", "0", "-O", "verity", "-E", "root_owner=0:0", "-d"])
        .arg(folder)
        .arg(image)
        .arg(size)
        .read()
        .map(drop)
}
