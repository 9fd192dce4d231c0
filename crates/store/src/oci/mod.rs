//! Images as others write them: OCI layouts and the archives of `docker save`, read and written.
//!
//! `documents`: what stands in them; `blobs`: where they lie, in a folder or unpacked from an archive; `remote`: fetching them; `read`: which image is meant
//! and what it is made of; `write`: the same the other way. Nothing here stores or names anything.

mod blobs;
mod documents;
mod read;
mod remote;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use blobs::{Blobs, begins_image, wrong};
pub(crate) use documents::{DOCUMENT_LIMIT, read_any};
pub use read::Platform;
pub(crate) use read::{Found, LayerBlob, find, is_image, run_config};
pub use remote::{Origin, forget_downloads};
pub(crate) use remote::{Remote, refuse_too_large};
pub(crate) use volt_model::registry::{Digest as BlobDigest, Hasher as BlobHasher};
pub(crate) use write::{Flavour, PlatformOf, index_of, make, media_type_of, write};
