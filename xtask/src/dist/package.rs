//! Lays out the package's tree and packs it. Two packings of the same build are the same bytes: every date is the commit's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache;
use crate::install::{self, Build, copy};
use crate::paths;
use crate::run::{Context, Result, fail, program};

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Packs a build; the path of the package.
pub(super) fn pack(build: &Build) -> Result<PathBuf> {
    let folder = paths::target().join("dist");
    let root = folder.join("root");
    cache::remove(&root)?;
    install::lay(build, &root)?;
    let pages = root.join(install::MAN);
    for page in fs::read_dir(&pages).context(|| pages.display().to_string())?.flatten() {
        compress(&page.path())?;
    }
    let doc = root.join("usr/share/doc/volt");
    let own = paths::root().join("packaging/debian");
    copy(&own.join("copyright"), &doc.join("copyright"), 0o644)?;
    let rotation = "etc/logrotate.d/volt";
    copy(&paths::root().join("packaging/logrotate.d/volt"), &root.join(rotation), 0o644)?;
    copy(&paths::root().join("CHANGELOG.md"), &doc.join("changelog"), 0o644)?;
    compress(&doc.join("changelog"))?;

    let control = root.join("DEBIAN");
    let version = version()?;
    cache::write(&control.join("md5sums"), sums(&root)?)?;
    cache::write(&control.join("control"), fields(&own.join("control"), build, &version, &root)?)?;
    // What the administrator changes in it stays his.
    cache::write(&control.join("conffiles"), format!("/{rotation}\n"))?;
    for script in SCRIPTS {
        copy(&own.join(script), &control.join(script), 0o755)?;
    }
    let file = folder.join(format!("volt_{version}_amd64.deb"));
    program("dpkg-deb")
        .args(["--root-owner-group", "-Zxz", "--build"])
        .args([&root, &file])
        .env("SOURCE_DATE_EPOCH", epoch())
        .read()?;
    Ok(file)
}

/// The workspace's version, as cargo has it.
fn version() -> Result<String> {
    let own = ["pkgid", "--package", "volt"];
    let text = program("cargo").args(own).dir(paths::root()).read()?;
    match text.trim().rsplit(['#', '@']).next() {
        Some(version) if version.contains('.') => Ok(version.to_owned()),
        _ => fail(format!("no version in '{text}'")),
    }
}

/// The time of the commit; zero where there is no git.
fn epoch() -> String {
    let log = program("git").args(["log", "-1", "--format=%ct"]).dir(paths::root()).read();
    log.map_or_else(|_| "0".to_owned(), |text| text.trim().to_owned())
}

fn fields(template: &Path, build: &Build, version: &str, root: &Path) -> Result<String> {
    let template = fs::read_to_string(template).context(|| template.display().to_string())?;
    let binary = fs::read(&build.volt).context(|| build.volt.display().to_string())?;
    let size = program("du").args(["--summarize", "--apparent-size", "-k"]).arg(root).read()?;
    let needs_libgcc = find(&binary, b"libgcc_s.so.1").is_some();
    Ok(template
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", "amd64")
        .replace("@SIZE@", size.split_whitespace().next().unwrap_or("0"))
        .replace("@GLIBC@", &glibc(&binary))
        .replace("@LIBGCC@", if needs_libgcc { ", libgcc-s1" } else { "" }))
}

/// The newest version of the C library that the program asks symbols of.
fn glibc(binary: &[u8]) -> String {
    const MARK: &[u8] = b"GLIBC_2.";
    let (mut newest, mut rest) = (17_u32, binary);
    while let Some(at) = find(rest, MARK) {
        rest = &rest[at + MARK.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).take(3);
        let minor = digits.fold(0, |number, byte| number * 10 + u32::from(byte - b'0'));
        newest = newest.max(minor);
    }
    format!("2.{newest}")
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Without name and date in it, as Debian's policy asks.
fn compress(file: &Path) -> Result<()> {
    program("gzip").args(["-9", "--no-name", "--force"]).arg(file).read().map(drop)
}

fn sums(root: &Path) -> Result<String> {
    let line = "find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum";
    program("sh").args(["-c", line]).dir(root).read()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_c_library_is_found() {
        assert_eq!(glibc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0"), "2.34");
    }
}
