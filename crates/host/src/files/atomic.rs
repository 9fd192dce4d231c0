//! Durable writes and bounded reads.
//!
//! A file is written beside its place, synced, renamed over it, and the folder is synced: a reader and a power cut
//! see the old or the new content, never a part.

use super::{Context, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Writes a file durably, replacing what is there. `mode` is exact, whatever the umask.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    super::draft::write(path, bytes, mode, File::sync_all)?;
    sync_dir(parent(path))
}

/// Writes a value as indented JSON with a closing newline, durably.
pub fn write_json(path: &Path, value: &impl Serialize, mode: u32) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(io::Error::from).on("write", path)?;
    bytes.push(b'\n');
    write_atomic(path, &bytes, mode)
}

/// Reads a regular file of at most `limit` bytes; a longer one is an error (`FileTooLarge`).
pub fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let file = File::open(path).on("read", path)?;
    // Most files are as long as they say, and then read by one call; those of the kernel say nothing.
    let length = file.metadata().on("read", path)?.len();
    let mut bytes = Vec::with_capacity(length.min(limit as u64) as usize + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).on("read", path)?;
    if bytes.len() > limit {
        let reason = format!("it is larger than {limit} bytes");
        return Err(Error::new("read", path, io::Error::new(io::ErrorKind::FileTooLarge, reason)));
    }
    Ok(bytes)
}

/// Reads a file of at most `limit` bytes as UTF-8.
pub fn read_text(path: &Path, limit: usize) -> Result<String> {
    String::from_utf8(read_bounded(path, limit)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        .on("read", path)
}

/// Reads a value from a JSON file of at most `limit` bytes.
pub fn read_json<T: DeserializeOwned>(path: &Path, limit: usize) -> Result<T> {
    serde_json::from_slice(&read_bounded(path, limit)?).map_err(io::Error::from).on("read", path)
}

/// Makes a folder and those above it that are missing, all with this mode (less the umask).
pub fn create_dirs(path: &Path, mode: u32) -> Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path).on("create", path)
}

/// Removes a file, or a link itself. Whether it was there.
pub fn remove_file(path: &Path) -> Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::new("remove", path, error)),
    }
}

/// Makes the names in a folder durable.
pub fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).on("sync", path)
}

/// The folder that holds a path.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
