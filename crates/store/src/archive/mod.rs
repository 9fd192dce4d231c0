//! Tar archives and their compression, as streams in bounded memory.
//!
//! - `header`, `pax`, `sparse`: parsers of the parts, pure
//! - `read`: from an archive to entries; `write`: from entries to an archive
//! - `compress`: gzip, xz and zstd around them, with the guard against bombs
//!
//! The framing is ours and not a crate's, since the parsers at hand hold extension headers of any size in memory,
//! lose times before 1970 and fractions of seconds, and know no sparse files of the PAX kind. Nothing here
//! touches a tree.

pub(crate) mod compress;
mod header;
mod pax;
mod read;
mod sparse;
#[cfg(test)]
mod tests;
mod write;

pub use compress::Compression;
pub(crate) use read::{Member, TarReader};
pub(crate) use write::TarWriter;

/// Tar archives are made of blocks of this many bytes.
const BLOCK: usize = 512;
