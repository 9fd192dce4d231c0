//! What the checks look at: the files that git tracks or would track, and what cargo knows of the packages.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::paths;
use crate::run::{Context, Result, program};

/// The repository as the checks see it.
#[derive(Debug)]
pub(super) struct Repository {
    root: PathBuf,
    /// Paths from the root, sorted.
    pub(super) files: Vec<String>,
    /// What `cargo metadata` says, all dependencies included.
    pub(super) metadata: Value,
}

impl Repository {
    pub(super) fn read() -> Result<Self> {
        let root = paths::root();
        let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let text = program("git").args(list).dir(&root).read()?;
        let here = |path: &&str| !path.is_empty() && root.join(path).is_file();
        let mut files: Vec<String> = text.split('\0').filter(here).map(str::to_owned).collect();
        files.sort();
        files.dedup();
        let all = ["metadata", "--format-version", "1", "--locked"];
        let text = program("cargo").args(all).dir(&root).read()?;
        let metadata = serde_json::from_str(&text).context(|| "cargo metadata".to_owned())?;
        Ok(Self { root, files, metadata })
    }

    /// The text of a file; none where it is no text.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// Where a file is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The files whose path ends so, with their text.
    pub(super) fn texts<'a>(
        &'a self,
        ending: &'a str,
    ) -> impl Iterator<Item = (&'a str, String)> + 'a {
        let matching = self.files.iter().filter(move |path| path.ends_with(ending));
        matching.filter_map(|path| Some((path.as_str(), self.text(path)?)))
    }

    /// Every package that cargo would build with, ours and others'.
    pub(super) fn packages(&self) -> &[Value] {
        self.metadata["packages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Our own packages: folder from the root, and what cargo knows.
    pub(super) fn own(&self) -> Vec<(String, &Value)> {
        let folder = |package: &Value| {
            let manifest = PathBuf::from(package["manifest_path"].as_str()?);
            let folder = manifest.parent()?.strip_prefix(&self.root).ok()?;
            Some(folder.to_str()?.to_owned())
        };
        let ours = self.packages().iter().filter(|package| package["source"].is_null());
        ours.filter_map(|package| Some((folder(package)?, package))).collect()
    }
}

/// The number of the first line that holds `part`, or 1.
pub(super) fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).map_or(1, |index| index + 1)
}
