//! What is stored: images, trees of files, and the roots of containers.
//!
//! [`Cas`] (Stellarium) has everything once under the hash of its contents, [`Images`] gives trees there a name and says how
//! they are run, [`Roots`] makes file systems of trees. Everything blocks. Nothing here prints, knows containers, or mounts: who
//! stands on a tree is asked of the caller ([`Users`], [`Wanted`]).
//!
//! - `cas`: objects, leases, refs, garbage; `manifest`: how a tree of files is written there
//! - `roots`: file systems for containers, assembled from what is stored
//! - `images`: names, records, import, export, checking; `debian`: images made by debootstrap
//! - `oci`: images as others write them; `transfer`: trees to and from registries
//! - `archive`: tar and its compression; `tree`: trees of files on disk, written and read; `memtree`: one in memory

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
mod memtree;
mod oci;
mod parallel;
mod progress;
mod roots;
mod transfer;
mod tree;

pub use archive::Compression;
pub use cas::{
    Cas, Change, Copies, Damage, Dedup, Difference, Keeper, KnownGood, Layer, NamedTree,
    NewSnapshot, NoTreeName, Pointer, Shared, Snapshot, Standing, Stands, Status, Stored, Swept,
    Touch, TreeEntry, TreeName, Unkept, Verified, Wanted,
};
pub use debian::{DebianOptions, Verify, is_mirror};
pub use digest::{Digest, NoDigest};
pub use error::{Error, Result};
pub use images::{
    Ask, AskTree, Commit, Containerfile, Existing, ExportFormat, ExportOptions, Exported, Folder,
    FoundImage, Hold, Image, ImageConfig, Images, ImportOptions, KeptBlob, Limits, Meant, Menders,
    NothingMeant, Problem, Pulled, ReadyBlob, ReadyImage, Recipe, Source, Steps, Users, Work,
};
pub use oci::{Origin, Platform, forget_downloads};
pub use progress::{Cancellation, Progress, Silent, at_once};
pub use roots::{Form, Root, Roots, SweptRoots};
pub use transfer::{PulledTree, PushedTree, Shelf, TreePull, TreePush};
pub use tree::Neutralised;
