//! A part of Debian's archive, kept on disk: a suite's own indexes with their signatures, and just
//! the packages that the trees of test hosts are made of, and a few that tests install there. A host without network sees it at
//! `/srv/mirror` and installs from it as from any mirror, with signatures checked.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::sources;
use super::tree;
use crate::packages;
use crate::run::{Context, Result, fail, program};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const HELPER: &str = "/usr/lib/apt/apt-helper";
/// What tests install in a host by its own apt, and the demo in an image.
const FOR_TESTS: [&str; 16] = [
    "bind9-dnsutils",
    "buildah",
    "crun",
    "docker-compose",
    "firewalld",
    "fish",
    "iptables",
    "netavark",
    "nfs-kernel-server",
    "nginx",
    "podman",
    "redis-server",
    "systemd-resolved",
    "tcpdump",
    "ufw",
    "zsh",
];

/// What is known of a package from the archive's index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    /// Its path in the archive.
    pub(crate) file: String,
    sha256: String,
    depends: String,
}

/// The folder with the suite's part of the archive; fetched if it is not there yet.
pub(crate) fn get(suite: &str) -> Result<PathBuf> {
    super::get(&kind(suite), &ingredients(), |stage| fetch(suite, stage))
}

/// Where [`get`] keeps it, fetched or not.
pub(crate) fn place(suite: &str) -> PathBuf {
    super::place(&kind(suite), &ingredients())
}

/// The path of a package's file in the fetched archive.
pub(crate) fn file(archive: &Path, suite: &str, package: &str) -> Result<PathBuf> {
    let index = read_index(archive, suite)?;
    match index.get(package) {
        Some(found) => Ok(archive.join(&found.file)),
        None => fail(format!("{suite} has no package {package}")),
    }
}

/// The package that holds the kernel for a suite's VMs, in the fetched archive.
pub(crate) fn kernel(archive: &Path, suite: &str) -> Result<PathBuf> {
    let index = read_index(archive, suite)?;
    let name = kernel_name(&index, suite)?;
    Ok(archive.join(&index[&name].file))
}

fn kind(suite: &str) -> String {
    format!("archive-{suite}")
}

fn ingredients() -> String {
    format!("{} {} kernel", tree::PACKAGES.join(" "), FOR_TESTS.join(" "))
}

fn fetch(suite: &str, stage: &Path) -> Result<()> {
    packages::need(&[
        ("debootstrap", "debootstrap"),
        ("gpgv", "gpgv"),
        ("xz", "xz-utils"),
        (KEYRING, "debian-archive-keyring"),
    ])?;
    let Some(mirror) = sources::mirror() else {
        return fail("apt is set up with no Debian mirror (see sources.list(5))");
    };
    let dists = format!("{mirror}/dists/{suite}");
    let own = stage.join("dists").join(suite);
    let index = own.join("main/binary-amd64/Packages.xz");
    fs::create_dir_all(index.parent().unwrap_or(&own)).context(|| own.display().to_string())?;
    for name in ["InRelease", "Release", "Release.gpg"] {
        download(&[(format!("{dists}/{name}"), own.join(name), String::new())])?;
    }
    let release = own.join("InRelease");
    program("gpgv").args(["--quiet", "--keyring", KEYRING]).arg(&release).read()?;
    let text = fs::read_to_string(&release).context(|| release.display().to_string())?;
    let sum = checksum(&text, "main/binary-amd64/Packages.xz")?;
    let address = format!("{dists}/main/binary-amd64/Packages.xz");
    download(&[(address, index, format!("SHA256:{sum}"))])?;
    fetch_packages(suite, stage, &mirror)
}

fn fetch_packages(suite: &str, stage: &Path, mirror: &str) -> Result<()> {
    let index = read_index(stage, suite)?;
    let mut names: HashSet<String> = needed(suite, stage)?.into_iter().collect();
    names.insert(kernel_name(&index, suite)?);
    let mut wanted = Vec::new();
    for name in names {
        let Some(package) = index.get(&name) else { continue };
        let target = stage.join(&package.file);
        let parent = target.parent().unwrap_or(stage);
        fs::create_dir_all(parent).context(|| parent.display().to_string())?;
        let address = format!("{mirror}/{}", package.file);
        wanted.push((address, target, format!("SHA256:{}", package.sha256)));
    }
    eprintln!("fetching {} packages of {suite}", wanted.len());
    wanted.chunks(40).try_for_each(download)
}

/// The packages that debootstrap would install for a tree with all there is to be, as it works them out itself.
fn needed(suite: &str, archive: &Path) -> Result<Vec<String>> {
    let scratch = archive.with_extension("scratch");
    super::remove(&scratch)?;
    // With the indexes alone: it needs no package to say which ones it wants.
    let include = [&tree::PACKAGES[..], &FOR_TESTS].concat();
    let text = tree::debootstrap(suite, archive, &include, "--print-debs", &scratch).read()?;
    super::remove(&scratch)?;
    // It prints what is required and what is further wanted apart, between its messages.
    let lists = text.lines().filter(|line| line.get(1..2) != Some(":"));
    let names: Vec<String> = lists.flat_map(str::split_whitespace).map(str::to_owned).collect();
    if names.is_empty() {
        fail(format!("debootstrap named no packages:\n{text}"))
    } else {
        Ok(names)
    }
}

/// The name of the real kernel package, which the metapackage depends on.
fn kernel_name(index: &HashMap<String, Package>, suite: &str) -> Result<String> {
    let meta = index.get("linux-image-cloud-amd64").cloned().unwrap_or_default();
    let name = meta
        .depends
        .split([',', ' '])
        .find(|word| word.starts_with("linux-image-") && index.contains_key(*word));
    name.map_or_else(|| fail(format!("{suite} has no cloud kernel")), |name| Ok(name.to_owned()))
}

/// Fetches files with apt's own downloader, which knows the machine's proxy and checks the sums.
fn download(files: &[(String, PathBuf, String)]) -> Result<()> {
    let mut helper = program(HELPER).arg("-qq").arg("download-file");
    for (address, target, sum) in files {
        helper = helper.arg(address).arg(target).arg(sum);
    }
    helper.read()?;
    match files.iter().find(|(_, target, _)| !target.exists()) {
        None => Ok(()),
        Some((address, ..)) => fail(format!("{address} could not be fetched")),
    }
}

/// The SHA-256 of a file, from a suite's Release.
fn checksum(release: &str, file: &str) -> Result<String> {
    let section = release.split_once("\nSHA256:\n").map_or("", |(_, rest)| rest);
    let lines = section.lines().take_while(|line| line.starts_with(' '));
    let sum = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let sum = words.next()?;
        (words.nth(1) == Some(file)).then(|| sum.to_owned())
    });
    sum.last().map_or_else(|| fail(format!("the Release file does not list {file}")), Ok)
}

fn read_index(archive: &Path, suite: &str) -> Result<HashMap<String, Package>> {
    let path = archive.join("dists").join(suite).join("main/binary-amd64/Packages.xz");
    let text = program("xz").args(["--decompress", "--stdout"]).arg(path).read()?;
    Ok(parse_index(&text))
}

fn parse_index(text: &str) -> HashMap<String, Package> {
    let mut index = HashMap::new();
    for paragraph in text.split("\n\n") {
        let mut name = None;
        let mut package = Package::default();
        for line in paragraph.lines() {
            match line.split_once(": ") {
                Some(("Package", value)) => name = Some(value.to_owned()),
                Some(("Filename", value)) => value.clone_into(&mut package.file),
                Some(("SHA256", value)) => value.clone_into(&mut package.sha256),
                Some(("Depends", value)) => value.clone_into(&mut package.depends),
                _ => {}
            }
        }
        if let Some(name) = name {
            index.insert(name, package);
        }
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_read() {
        let text = "Package: a\nDepends: b, c\nFilename: pool/a.deb\nSHA256: 12\n\n\
             Package: linux-image-cloud-amd64\nDepends: linux-image-6.1-cloud-amd64 (= 1)\n\n\
             Package: linux-image-6.1-cloud-amd64\nFilename: pool/k.deb\n";
        let index = parse_index(text);
        assert_eq!(index["a"].file, "pool/a.deb");
        let kernel = kernel_name(&index, "x").expect("there is one");
        assert_eq!(kernel, "linux-image-6.1-cloud-amd64");
    }

    #[test]
    fn the_sum_is_found() {
        let release =
            "Suite: x\nMD5Sum:\n 1 2 main/f\nSHA256:\n aa 3 main/f\n bb 4 main/g\n-----\n";
        assert_eq!(checksum(release, "main/g").expect("listed"), "bb");
        assert!(checksum(release, "main/h").is_err());
    }
}
