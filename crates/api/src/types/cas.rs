//! The content-addressed store on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the store has and what that takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CasStatus {
    /// Names of trees.
    pub refs: u64,
    /// Different trees that have names.
    pub trees: u64,
    /// Bytes of the files of these trees, each tree counted for itself.
    pub logical: u64,
    /// Objects.
    pub objects: u64,
    /// Bytes of all objects.
    pub stored: u64,
    /// Bytes that they take on disk.
    pub on_disk: u64,
    /// `logical` divided by `stored`; 0 where nothing is stored.
    pub ratio: f64,
    /// Named trees that can't be read.
    pub broken: u64,
    /// Objects in quarantine.
    pub quarantined: u64,
    /// Of the objects, those that are blobs of registries, kept as they are.
    #[serde(default)]
    pub blobs: u64,
    /// Bytes of these.
    #[serde(default)]
    pub blob_bytes: u64,
}

/// Which folder to store, and how to call it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasBuild {
    /// A folder of the daemon's host, by absolute path.
    pub path: String,
    /// What to call it; as the folder where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A folder that was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasBuilt {
    /// What it is called.
    pub name: String,
    /// Its digest.
    pub tree: String,
    /// Files, folders and all else in it.
    pub entries: u64,
    /// Bytes of its files; what has several names counts once.
    pub size: u64,
    /// Of these, bytes that were not in the store before.
    pub new: u64,
    /// Entries that were left out or changed meanwhile, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A name of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasTree {
    /// What is written for it.
    pub name: String,
    /// `images`, `manifests`, `registry` or `snapshots`.
    pub kind: String,
    /// Its digest.
    pub tree: String,
    /// Bytes of its files; none where it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Files, folders and all else in it; none where it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// When it was stored, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The folder it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Which tree.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasName {
    /// Its name, or `blake3:` and its digest.
    pub name: String,
}

/// Which tree to send to which registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasPush {
    /// The tree: its name, or `blake3:` and its digest.
    pub name: String,
    /// What it is to be called there, with the registry's name, as images are called.
    pub to: String,
    /// Who asks for it at the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<super::RegistryAccount>,
}

/// A tree that a registry has now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasPushed {
    /// What it is called there.
    pub name: String,
    /// The tree.
    pub tree: String,
    /// The digest of its manifest there.
    pub digest: String,
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes of it that the registry had.
    pub present: u64,
}

/// Which tree to fetch, and how to call it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasPull {
    /// What it is called in the registry, with the registry's name.
    pub from: String,
    /// What to call it here; the last word of that where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who asks for it at the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<super::RegistryAccount>,
}

/// A tree that was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasPulled {
    /// What it is called.
    pub name: String,
    /// Its digest.
    pub tree: String,
    /// Files, folders and all else in it.
    pub entries: u64,
    /// Bytes of its files; what has several names counts once.
    pub size: u64,
    /// Bytes that were fetched, as they are compressed there.
    pub fetched: u64,
}

/// How to verify.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasVerify {
    /// Fetch again what is damaged.
    pub repair: bool,
    /// From these folders of the daemon's host, by absolute path; else from whatever has it: the folders that the trees were made
    /// of, containers, what is kept of images that were pulled, and their registries.
    pub from: Vec<String>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasVerified {
    /// Objects that were read.
    pub objects: u64,
    /// Bytes that were read and are good.
    pub bytes: u64,
    /// Trees that were read.
    pub trees: u64,
    /// What is amiss, or was.
    pub damages: Vec<CasDamage>,
}

/// Something that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasDamage {
    /// The object, or the file of a name.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// The trees and containers that it touches.
    pub touches: Vec<CasTouch>,
    /// Whether it was moved to quarantine.
    pub quarantined: bool,
    /// Whether all is well again.
    pub repaired: bool,
    /// What would mend it, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A tree that a damage touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasTouch {
    /// Its name, or who stands on it.
    pub name: String,
    /// The first paths in it, or the blob that is kept of it; none where it is the whole tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

/// How to collect garbage.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasGc {
    /// Only say what would go.
    pub dry_run: bool,
}

/// What was removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasSwept {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that they took on disk.
    pub on_disk: u64,
}

/// What is stored once in place of many times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasDedup {
    /// Different trees that have names.
    pub trees: u64,
    /// Bytes of their files, each tree counted for itself.
    pub logical: u64,
    /// Bytes of their different contents.
    pub once: u64,
    /// What pairs of trees share, those that share most first; the first thousand.
    pub pairs: Vec<CasShared>,
}

/// What two trees share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasShared {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// Different contents that are in both.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where to look in a tree.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasLs {
    /// The tree: its name, or `blake3:` and its digest.
    pub name: String,
    /// The folder or entry in it; the root where nothing is said. Bytes that are no text as `\xHH`.
    pub path: String,
    /// All that is below it.
    pub recursive: bool,
}

/// A file in a tree.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasPath {
    /// The tree: its name, or `blake3:` and its digest.
    pub name: String,
    /// The file in it. Bytes that are no text as `\xHH`.
    pub path: String,
}

/// An entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasEntry {
    /// Its path. Bytes that are no text as `\xHH`.
    pub path: String,
    /// `folder`, `file`, `link`, `pipe`, `character device` or `block device`.
    pub kind: String,
    /// Permission bits with setuid, setgid and sticky, octal.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it last changed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// The target of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The object of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The entry that it is another name of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

/// Which trees to compare.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CasDiff {
    /// The one: its name, or `blake3:` and its digest.
    pub from: String,
    /// The other.
    pub to: String,
}

/// A path that is not the same in two trees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasChange {
    /// The path. Bytes that are no text as `\xHH`.
    pub path: String,
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// What is not the same of what changed: `kind`, `content`, `holes`, `target`, `device`, `mode`, `owner`, `time`,
    /// `attributes`, `names`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub what: Vec<String>,
}
