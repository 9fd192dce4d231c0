//! Images on disk, first form: import, pull, list, tag, delete, export.
//!
//! [`Images`] is the whole interface; what lies on disk is drawn in [`images`] and nobody else's business, so that a
//! content-addressed store can take its place. Everything blocks. Nothing here prints, knows containers, or mounts:
//! who stands on a tree is asked of the caller ([`Users`]), and a container's root is the caller's to assemble from
//! [`Images::root`].
//!
//! - `roots`: file systems for containers, assembled from what is stored
//! - `archive`: tar and its compression; `tree`: trees of files, written and read
//! - `images`: names, records, publishing, removal, checking
//! - `debian`: images made by debootstrap
//! - `cas`: Stellarium, where everything is stored once under the hash of its contents ([`Cas`]); `manifest`: how a tree of
//!   files is written there

mod archive;
mod cas;
pub mod copy;
mod debian;
mod digest;
mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod images;
mod manifest;
mod parallel;
mod progress;
mod roots;
mod tree;

pub use archive::Compression;
pub use cas::{
    Cas, Change, Damage, Dedup, Difference, KnownGood, NamedTree, NoTreeName, Pointer, Shared,
    Standing, Status, Stored, Swept, Touch, TreeEntry, TreeName, Verified, Wanted,
};
pub use debian::{DebianOptions, Verify, is_mirror};
pub use digest::{Digest, NoDigest};
pub use error::{Error, Result};
pub use images::{
    Existing, ExportOptions, Exported, Hold, Image, ImageConfig, Images, ImportOptions, Limits,
    Problem, TreeId, Users,
};
pub use progress::{Progress, Silent};
pub use roots::{Form, Root, Roots, SweptRoots};
pub use tree::Neutralised;
