//! Writes cpio archives in the form that the kernel unpacks at boot ("newc"). Such archives may be
//! put one after another.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::run::{Context, Result};

/// The archive of everything below `root`, owned by root.
pub(crate) fn pack(root: &Path) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    folder(root, root, &mut out)?;
    entry(b"TRAILER!!!", 0, &[], &mut out);
    // The kernel wants the next archive at a multiple of four; a disk block does no harm.
    out.resize(out.len().next_multiple_of(512), 0);
    Ok(out)
}

fn folder(root: &Path, path: &Path, out: &mut Vec<u8>) -> Result<()> {
    let trouble = || path.display().to_string();
    let mut entries: Vec<_> = fs::read_dir(path).context(trouble)?.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for found in entries {
        let path = found.path();
        let meta = found.metadata().context(|| path.display().to_string())?;
        let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
        let data = if meta.is_symlink() {
            let target = fs::read_link(&path).context(|| path.display().to_string())?;
            target.as_os_str().as_bytes().to_vec()
        } else if meta.is_file() {
            fs::read(&path).context(|| path.display().to_string())?
        } else {
            Vec::new()
        };
        entry(name, meta.mode(), &data, out);
        if meta.is_dir() {
            folder(root, &path, out)?;
        }
    }
    Ok(())
}

fn entry(name: &[u8], mode: u32, data: &[u8], out: &mut Vec<u8>) {
    let links = 1;
    // ino, mode, uid, gid, nlink, mtime, filesize, device (two), its own (two), namesize, check
    let fields = [0, mode as usize, 0, 0, links, 0, data.len(), 0, 0, 0, 0, name.len() + 1, 0];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(name);
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(4), 0);
}
