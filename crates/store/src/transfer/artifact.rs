//! The documents of a tree in a registry: an OCI manifest that names lists and packs, and a config that names the tree.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::oci::{BlobDigest, DOCUMENT_LIMIT};
use serde::{Deserialize, Serialize};

/// What the manifest is.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What it is a manifest of.
const TYPE: &str = "application/vnd.volt.tree.v1";
const ABOUT: &str = "application/vnd.volt.tree.v1+json";
const RECIPES: &str = "application/vnd.volt.tree.recipes.v1";
const INDEX: &str = "application/vnd.volt.tree.index.v1";
const PACK: &str = "application/vnd.volt.tree.pack.v1";

/// The most packs of a tree.
const PACKS: usize = 2000;

/// A pointer to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pointer {
    media_type: String,
    pub(super) digest: BlobDigest,
    pub(super) size: u64,
}

impl Pointer {
    pub(super) fn key(&self) -> (&BlobDigest, u64) {
        (&self.digest, self.size)
    }
}

/// A pack and its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PackOf {
    pub(super) index: Pointer,
    pub(super) pack: Pointer,
}

impl PackOf {
    pub(super) fn new(index: (BlobDigest, u64), pack: (BlobDigest, u64)) -> Self {
        Self { index: pointer(INDEX, index), pack: pointer(PACK, pack) }
    }
}

/// A tree as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Artifact {
    pub(super) about: Pointer,
    pub(super) recipes: Pointer,
    pub(super) packs: Vec<PackOf>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: String,
    config: Pointer,
    layers: Vec<Pointer>,
}

impl Artifact {
    pub(super) fn new(
        about: (BlobDigest, u64),
        recipes: (BlobDigest, u64),
        packs: Vec<PackOf>,
    ) -> Self {
        Self { about: pointer(ABOUT, about), recipes: pointer(RECIPES, recipes), packs }
    }

    /// Whether a document says of itself to be one of these.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Typed {
            config: Pointer,
        }
        serde_json::from_slice(bytes).is_ok_and(|typed: Typed| typed.config.media_type == ABOUT)
    }

    /// Reads the manifest.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let bad = |why: &str| Error::Damaged(format!("its manifest {why}"));
        if bytes.len() as u64 > DOCUMENT_LIMIT {
            return Err(bad("is larger than 4 MiB"));
        }
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| bad(&format!("can't be read: {error}")))?;
        let Document { schema_version: 2, config, layers, .. } = document else {
            return Err(bad("is of a version that is not known here"));
        };
        let [recipes, packs @ ..] = &layers[..] else { return Err(bad("has no layers")) };
        let (pairs, rest) = packs.as_chunks::<2>();
        if config.media_type != ABOUT || recipes.media_type != RECIPES || !rest.is_empty() {
            return Err(bad("is not one of a tree"));
        }
        if pairs.len() > PACKS {
            return Err(bad("has too many packs"));
        }
        let pair = |[index, pack]: &[Pointer; 2]| {
            let fits = index.media_type == INDEX && pack.media_type == PACK;
            fits.then(|| PackOf { index: index.clone(), pack: pack.clone() })
        };
        let packs = pairs.iter().map(pair).collect::<Option<_>>();
        let packs = packs.ok_or_else(|| bad("is not one of a tree"))?;
        Ok(Self { about: config, recipes: recipes.clone(), packs })
    }

    /// Refuses to make one of more packs than anybody reads.
    pub(super) fn refuse_too_many(packs: usize) -> Result<()> {
        if packs <= PACKS {
            return Ok(());
        }
        let reason = format!("it takes {packs} packs, and nobody pulls more than {PACKS}");
        Err(Error::Unsupported { what: "pushing this tree".into(), reason })
    }

    /// Writes the manifest.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        Self::refuse_too_many(self.packs.len())?;
        let pairs = self.packs.iter().flat_map(|one| [one.index.clone(), one.pack.clone()]);
        json(&Document {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: TYPE.to_owned(),
            config: self.about.clone(),
            layers: [self.recipes.clone()].into_iter().chain(pairs).collect(),
        })
    }
}

/// Which tree it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    version: u32,
    /// Its digest.
    pub(super) tree: Digest,
}

impl About {
    pub(super) fn new(tree: Digest) -> Self {
        Self { version: 1, tree }
    }

    /// Reads the config.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let bad = |why: String| Error::Damaged(format!("its config {why}"));
        let about: Self = serde_json::from_slice(bytes)
            .map_err(|error| bad(format!("can't be read: {error}")))?;
        match about.version {
            1 => Ok(about),
            _ => Err(bad("is of a version that is not known here".into())),
        }
    }

    /// Writes the config.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        json(self)
    }
}

fn pointer(kind: &str, (digest, size): (BlobDigest, u64)) -> Pointer {
    Pointer { media_type: kind.to_owned(), digest, size }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Output(error.into()))
}
