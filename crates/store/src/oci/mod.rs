//! Images as others write them: OCI layouts and the archives of `docker save`, read and written.
//!
//! `documents`: what stands in them; `blobs`: where they lie, in a folder or unpacked from an archive; `read`: which image is meant
//! and what it is made of; `write`: the same the other way. Nothing here stores or names anything.

mod blobs;
mod documents;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use blobs::{Blobs, begins_image, wrong};
pub(crate) use documents::{Sha256, read_any};
pub(crate) use read::{LayerBlob, find, run_config};
pub(crate) use write::{Flavour, write};
