//! Debian packages that a root lacks, as a folder: fetched once by the machine's own apt, with signatures checked, to be installed
//! where there is no network.

use std::fs;
use std::path::Path;

use super::sources;
use crate::packages;
use crate::run::{Context, Result, fail, program};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches these packages of a suite, and what they need beyond what `root` has, to the folder `stage`. Where none are named: what the
/// suite's updates have in place of what is in there.
pub(crate) fn fetch(wanted: &[&str], suite: &str, root: &Path, stage: &Path) -> Result<()> {
    packages::need(&[("apt-get", "apt"), (KEYRING, "debian-archive-keyring")])?;
    let Some(mirror) = sources::mirror() else {
        return fail("apt is set up with no Debian mirror (see sources.list(5))");
    };
    let list = stage.join("apt/sources.list");
    let mut lines = vec![format!("{mirror} {suite}")];
    if wanted.is_empty() {
        lines.push(format!("{mirror} {suite}-updates"));
        lines.extend(sources::security().map(|mirror| format!("{mirror} {suite}-security")));
    }
    let lines: String =
        lines.iter().map(|line| format!("deb [signed-by={KEYRING}] {line} main\n")).collect();
    super::write(&list, lines)?;
    for folder in ["apt/state/lists/partial", "apt/cache/archives/partial"] {
        let path = stage.join(folder);
        fs::create_dir_all(&path).context(|| path.display().to_string())?;
    }
    // Apt works out what the root lacks from the root's own list of packages.
    let status = root.join("var/lib/dpkg/status");
    let options = [
        ("Dir::Etc::sourcelist", list.as_path()),
        ("Dir::Etc::sourceparts", Path::new("-")),
        ("Dir::State", &stage.join("apt/state")),
        ("Dir::State::status", &status),
        ("Dir::Cache", &stage.join("apt/cache")),
    ];
    let options: Vec<String> = options
        .iter()
        .flat_map(|(key, path)| ["--option".to_owned(), format!("{key}={}", path.display())])
        .collect();
    let apt = || program("apt-get").arg("--quiet").args(&options);
    apt().arg("update").read()?;
    let what = if wanted.is_empty() { "dist-upgrade" } else { "install" };
    apt()
        .args([what, "--download-only", "--yes", "--no-install-recommends"])
        .args(wanted)
        .read()?;
    let archives = stage.join("apt/cache/archives");
    for entry in fs::read_dir(&archives).context(|| archives.display().to_string())?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|kind| kind == "deb") {
            fs::rename(&path, stage.join(entry.file_name()))
                .context(|| path.display().to_string())?;
        }
    }
    super::remove(&stage.join("apt"))
}
