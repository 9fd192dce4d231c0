//! Trees to and from registries: only what the other side lacks.
//!
//! The form is docs/formats/tree-artifact.md. A tree's objects, large ones cut into chunks by their contents, lie in packs, each with an
//! index that says which. A push reads the indexes of what is there and sends packs of what is not in them; a pull reads the indexes
//! and fetches those parts of packs that have what it lacks. What comes is checked chunk by chunk and object by object.
//!
//! - `chunks`: where large objects are cut; `index`: what is in a pack; `recipes`: of which chunks objects are; `artifact`: the document
//! - `push`, `pull`: both ways; nothing here speaks to a registry: see [`Shelf`]

mod artifact;
mod chunks;
mod fetch;
mod index;
mod pull;
mod push;
mod recipes;
#[cfg(test)]
mod tests;

pub use pull::{PulledTree, TreePull};
pub use push::{PushedTree, TreePush};

use crate::error::{Error, Result};
use crate::images::ReadyBlob;
use crate::oci::BlobDigest;
use crate::progress::Progress;
use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use volt_model::registry::Remote;

/// A repository of a registry, in which trees are kept.
pub trait Shelf: Sync {
    /// Where it is, and the tag or digest that is meant.
    fn place(&self) -> Remote;

    /// The document that a tag or digest names, or the one that is meant; nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Elsewhere`].
    fn document(&self, reference: Option<&str>) -> Result<Option<Vec<u8>>>;

    /// Its tags.
    ///
    /// # Errors
    /// [`Error::Elsewhere`].
    fn tags(&self) -> Result<Vec<String>>;

    /// A part of a blob of `size` bytes, not yet checked.
    ///
    /// # Errors
    /// [`Error::Elsewhere`].
    fn read(&self, digest: &str, size: u64, part: Range<u64>) -> Result<Vec<u8>>;

    /// Sends those of the blobs that it lacks. How many bytes that were.
    ///
    /// # Errors
    /// [`Error::Elsewhere`]; [`Error::Cancelled`].
    fn send(&self, blobs: &[ReadyBlob], progress: &dyn Progress) -> Result<u64>;

    /// Puts a manifest under the name that is meant. Its digest.
    ///
    /// # Errors
    /// [`Error::Elsewhere`].
    fn publish(&self, media_type: &str, manifest: &[u8]) -> Result<String>;
}

/// Objects up to this size are one chunk, and no chunk is larger, in bytes.
const CHUNK: u64 = 1 << 20;
/// The largest list of chunks that is read, in bytes.
const LIST: u64 = 64 << 20;
/// The largest lists of chunks together, in bytes.
const LISTS: u64 = 128 << 20;
/// The largest manifest of a tree, in bytes.
const TREE: u64 = 128 << 20;
/// The most entries of a tree.
const ENTRIES: usize = 1_000_000;

/// A small blob, checked. Those that were read before lie in `dir`, which anybody may empty.
fn small(shelf: &dyn Shelf, dir: &Path, (digest, size): (&BlobDigest, u64)) -> Result<Vec<u8>> {
    if size > LIST {
        return Err(Error::Damaged(format!("the blob {digest} is larger than such lists are")));
    }
    let is_it = |bytes: &[u8]| bytes.len() as u64 == size && digest.names(bytes);
    let path = dir.join(digest.hex());
    let mut bytes = Vec::new();
    let kept = fs::File::open(&path).and_then(|file| file.take(size + 1).read_to_end(&mut bytes));
    if kept.is_ok() && is_it(&bytes) {
        return Ok(bytes);
    }
    let bytes = shelf.read(&digest.to_string(), size, 0..size)?;
    if !is_it(&bytes) {
        return Err(Error::Damaged(format!("the blob {digest} is not what its digest says")));
    }
    let kept = volt_host::files::create_dirs(dir, 0o700)
        .and_then(|()| volt_host::files::write_volatile(&path, &bytes, 0o600));
    if let Err(error) = kept {
        tracing::warn!(path = %path.display(), %error, "a list is not kept, and read again next time");
    }
    Ok(bytes)
}

/// Reads bytes as each of the documents, for a fuzzer. Panics where a list that was taken is not the one way to write it.
pub(crate) fn read_any(bytes: &[u8]) {
    drop((artifact::Artifact::parse(bytes), artifact::About::parse(bytes)));
    if let Ok(frames) = index::decode(bytes, None) {
        assert!(index::encode(&frames) == bytes, "two ways to write one index");
    }
    if let Ok(recipes) = recipes::decode(bytes) {
        assert!(recipes::encode(&recipes) == bytes, "two ways to write the same recipes");
    }
}
