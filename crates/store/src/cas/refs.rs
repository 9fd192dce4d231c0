//! Refs: names for trees, one small file each.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::images::KeptBlob;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use volt_host::files;
use volt_model::registry::Remote;

/// What kinds of refs there are: a folder each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RefKind {
    /// Images.
    Images,
    /// Trees that a person has named.
    Manifests,
    /// Repositories of the registry.
    Registry,
    /// Snapshots of containers.
    Snapshots,
}

impl RefKind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::Images, Self::Manifests, Self::Registry, Self::Snapshots];

    /// The order in which a name is looked for that doesn't say its kind.
    pub(crate) const SEARCHED: [Self; 4] =
        [Self::Manifests, Self::Images, Self::Snapshots, Self::Registry];

    /// The folder of its refs.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Manifests => "manifests",
            Self::Registry => "registry",
            Self::Snapshots => "snapshots",
        }
    }
}

/// What every ref has, whatever else is in it: the tree that it names. Some say more.
#[derive(Debug, serde::Deserialize)]
struct Named {
    tree: String,
    #[serde(default)]
    created: Option<serde_json::Value>,
    #[serde(default)]
    source: Option<serde_json::Value>,
    #[serde(default)]
    blobs: Vec<KeptBlob>,
    #[serde(default)]
    pulled: Option<Remote>,
}

/// What a ref of a tree that a person has named says.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest<'a> {
    /// 1.
    pub(crate) version: u32,
    /// The name as it is written.
    pub(crate) name: &'a str,
    /// The tree.
    pub(crate) tree: String,
    /// When it was stored.
    pub(crate) created: jiff::Timestamp,
    /// The folder it was made of, where its name is text.
    pub(crate) source: Option<&'a str>,
    /// The registry that it was pulled from, by digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pulled: Option<Remote>,
}

/// A ref as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Of what kind.
    pub(crate) kind: RefKind,
    /// Its name, decoded.
    pub(crate) name: String,
    /// Its file.
    pub(crate) path: PathBuf,
    /// The tree it names.
    pub(crate) tree: Digest,
    /// When the tree was stored, where the ref says so.
    pub(crate) created: Option<jiff::Timestamp>,
    /// The folder it was made of, where the ref says so.
    pub(crate) source: Option<PathBuf>,
    /// What is kept of it beside the tree.
    pub(crate) blobs: Vec<KeptBlob>,
    /// Where it can be had again, by digest.
    pub(crate) pulled: Option<Remote>,
}

impl Found {
    /// What people write for it.
    pub(crate) fn shown(&self) -> String {
        match self.kind {
            RefKind::Manifests => self.name.clone(),
            kind => format!("{}/{}", kind.folder(), self.name),
        }
    }
}

/// The refs of one store.
#[derive(Debug, Clone)]
pub(crate) struct Refs {
    dir: PathBuf,
}

impl Refs {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where a ref lies; `name` is one part of a path.
    pub(crate) fn path(&self, kind: RefKind, name: &str) -> PathBuf {
        self.dir.join(kind.folder()).join(format!("{name}.json"))
    }

    /// Where all of them lie.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where those of a kind lie.
    pub(crate) fn folder(&self, kind: RefKind) -> PathBuf {
        self.dir.join(kind.folder())
    }

    /// Writes a ref, which must have a member `tree`. All that the tree reaches is on disk already, and so is the ref's folder, which
    /// was there before the first lease was.
    pub(crate) fn write(&self, kind: RefKind, name: &str, value: &impl Serialize) -> Result<()> {
        Ok(files::write_json(&self.path(kind, name), value, 0o644)?)
    }

    /// Removes a ref; false where there is none.
    pub(crate) fn remove(&self, kind: RefKind, name: &str) -> Result<bool> {
        let path = self.path(kind, name);
        let was_there = files::remove_file(&path)?;
        if was_there {
            files::sync_dir(&self.dir.join(kind.folder()))?;
        }
        Ok(was_there)
    }

    /// The trees that refs name. A ref that can't be read is an error: to pass over it would make garbage of what it names.
    pub(crate) fn trees(&self) -> Result<Vec<Digest>> {
        Ok(self.readable()?.into_iter().map(|found| found.tree).collect())
    }

    /// The blobs that refs keep, likewise.
    pub(crate) fn blobs(&self) -> Result<Vec<KeptBlob>> {
        Ok(self.readable()?.into_iter().flat_map(|found| found.blobs).collect())
    }

    fn readable(&self) -> Result<Vec<Found>> {
        let files = self.files()?.into_iter();
        files.filter_map(|(kind, path)| read(kind, &path).transpose()).collect()
    }

    /// All refs that can be read, sorted by kind and name.
    pub(crate) fn all(&self) -> Result<Vec<Found>> {
        let read = |(kind, path): (_, PathBuf)| read(kind, &path).ok().flatten();
        let mut all: Vec<Found> = self.files()?.into_iter().filter_map(read).collect();
        // Files are by encoded names, which sort otherwise. The sort is stable: kinds stay as they are.
        all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Ok(all)
    }

    /// All refs, each as it could be read.
    pub(super) fn each(&self) -> Result<Vec<(PathBuf, Result<Found>)>> {
        let read =
            |(kind, path): (_, PathBuf)| Some((path.clone(), read(kind, &path).transpose()?));
        Ok(self.files()?.into_iter().filter_map(read).collect())
    }

    /// The files of refs.
    fn files(&self) -> Result<Vec<(RefKind, PathBuf)>> {
        let mut files = Vec::new();
        for kind in RefKind::ALL {
            for path in crate::images::entries(&self.dir.join(kind.folder()))? {
                if path.extension().is_some_and(|extension| extension == "json") {
                    files.push((kind, path));
                }
            }
        }
        Ok(files)
    }

    /// The folders that refs lie in.
    pub(crate) fn folders(&self) -> [PathBuf; 4] {
        RefKind::ALL.map(|kind| self.dir.join(kind.folder()))
    }
}

/// More than a record with all that was left out takes, in bytes.
const RECORD_LIMIT: usize = 8 << 20;

/// Reads the whole record that a ref is; nothing where the file is missing.
pub(crate) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match files::read_bounded(path, RECORD_LIMIT) {
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::Corrupt { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Reads a ref; none where it was removed since its folder was read.
fn read(kind: RefKind, path: &Path) -> Result<Option<Found>> {
    let named: Named = match files::read_json(path, 16 << 20) {
        Ok(named) => named,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let tree = named
        .tree
        .parse()
        .map_err(|_| Error::Corrupt { path: path.to_owned(), reason: "it names no tree".into() })?;
    let text = |value: Option<serde_json::Value>| Some(value?.as_str()?.to_owned());
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Some(Found {
        kind,
        name: volt_model::percent::decode(&stem).unwrap_or_else(|| stem.to_string()),
        path: path.to_owned(),
        tree,
        created: text(named.created).and_then(|time| time.parse().ok()),
        source: text(named.source).map(PathBuf::from),
        blobs: named.blobs,
        pulled: named.pulled,
    }))
}
