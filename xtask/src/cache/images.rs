//! Small images for tests to import, which hosts see at `/srv/images`: `debian-SUITE.tar` (and
//! `.tar.zst`), a minimal Debian; `system-SUITE.tar`, one that boots; `tiny.tar`, a static busybox with its links and two users.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{archive, tree, write};
use crate::packages;
use crate::run::{Context, Result, program};

/// What a Debian needs beyond the minimum to boot, and to be talked to by `systemctl`; a part of [`tree::PACKAGES`].
const SYSTEM: [&str; 3] = ["dbus", "libpam-systemd", "systemd-sysv"];

/// The folder with the suite's images; built if it is not there yet.
pub(crate) fn get(suite: &str) -> Result<PathBuf> {
    super::get(&kind(suite), &ingredients(), |stage| build(suite, stage))
}

/// Where [`get`] keeps it, built or not.
pub(crate) fn place(suite: &str) -> PathBuf {
    super::place(&kind(suite), &ingredients())
}

fn ingredients() -> String {
    format!("2 {}", SYSTEM.join(" "))
}

fn kind(suite: &str) -> String {
    format!("images-{suite}")
}

fn build(suite: &str, stage: &Path) -> Result<()> {
    packages::need(&[("zstd", "zstd"), ("dpkg-deb", "dpkg")])?;
    fs::create_dir_all(stage).context(|| stage.display().to_string())?;
    let archive = archive::get(suite)?;
    let root = stage.join("root");
    debian(suite, &archive, &SYSTEM, &stage.join(format!("system-{suite}.tar")))?;
    let image = stage.join(format!("debian-{suite}.tar"));
    debian(suite, &archive, &[], &image)?;
    program("zstd").args(["--quiet", "-3", "-T0", "--keep"]).arg(&image).read()?;
    tiny(suite, &archive, &root)?;
    pack(&root, &stage.join("tiny.tar"))?;
    super::remove(&root)
}

/// Packs a minimal Debian with these packages.
fn debian(suite: &str, archive: &Path, include: &[&str], image: &Path) -> Result<()> {
    let root = image.with_extension("root");
    tree::install(suite, archive, include, &root)?;
    // What no test reads makes a third of it.
    for dropped in ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info"] {
        super::remove(&root.join(dropped))?;
    }
    pack(&root, image)?;
    super::remove(&root)
}

/// Packs a root as it is.
pub(crate) fn pack(root: &Path, image: &Path) -> Result<()> {
    let flags = ["--numeric-owner", "--sort=name", "--xattrs", "--xattrs-include=*"];
    let tar = program("tar").args(flags).arg("--create").arg("--file").arg(image);
    tar.arg("--directory").arg(root).arg(".").read().map(drop)
}

fn tiny(suite: &str, archive: &Path, root: &Path) -> Result<()> {
    let package = archive::file(archive, suite, "busybox-static")?;
    let unpacked = root.with_extension("busybox");
    program("dpkg-deb").arg("--extract").arg(package).arg(&unpacked).read()?;
    let folders = [
        "bin", "dev", "etc", "home/app", "proc", "root", "run", "sbin", "sys", "tmp", "usr/bin",
        "usr/sbin", "var",
    ];
    for folder in folders {
        let path = root.join(folder);
        fs::create_dir_all(&path).context(|| path.display().to_string())?;
    }
    let busybox = root.join("bin/busybox");
    let found = ["bin/busybox", "usr/bin/busybox"].map(|path| unpacked.join(path));
    let binary = found.iter().find(|path| path.exists()).unwrap_or(&found[0]);
    fs::copy(binary, &busybox).context(|| binary.display().to_string())?;
    super::remove(&unpacked)?;
    for applet in program(&busybox).arg("--list-full").read()?.lines() {
        let path = root.join(applet);
        if !path.exists() && path.parent().is_some_and(Path::is_dir) {
            symlink("/bin/busybox", &path).context(|| path.display().to_string())?;
        }
    }
    write(
        &root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
    )?;
    write(&root.join("etc/group"), "root:x:0:\ntty:x:5:\napp:x:1000:\nextra:x:2000:app\n")?;
    for file in ["etc/hostname", "etc/hosts", "etc/resolv.conf"] {
        write(&root.join(file), "")?;
    }
    let mode = |path: &str, mode: &str| program("chmod").arg(mode).arg(root.join(path)).read();
    mode("tmp", "1777")?;
    mode("root", "0700")?;
    program("chown").arg("1000:1000").arg(root.join("home/app")).read().map(drop)
}
