//! Files of a container's root, out and in, as tar archives.
//!
//! Paths are resolved as the container sees them, so a link it laid leads at most to its own root. Ids are shifted
//! between what lies in the root and what the container calls them.

use crate::archive::{TarReader, TarWriter};
use crate::error::{Error, Result};
use crate::images::Limits;
use crate::tree::{
    Entry, EntryPath, Flow, Kind, Quota, TreeWriter, open_in_root, open_root, shift, unshift, walk,
};
use rustix::fs::{FileType, OFlags};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Writes the file or folder at `path` below `root` as a tar archive in which it is named by its last part. What is mounted
/// below a folder is left out. `id_base` is taken off owners and groups.
///
/// # Errors
/// `Io` with `NotFound` where nothing is there; `Output` when `out` can't be written.
pub fn out(root: &Path, path: &Path, id_base: u32, out: &mut dyn Write) -> Result<()> {
    let (target, fd) = open(root, path, OFlags::PATH | OFlags::NOFOLLOW)?;
    let stat = rustix::fs::fstat(&fd).map_err(|error| Error::io("read", path, error))?;
    let name = target.split().map(|(_, name)| name.to_vec()).unwrap_or_default();
    let mut archive = TarWriter::new(out);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        walk(&through(&fd), &mut |found| {
            put(found.read()?, &name, found.path.as_bytes(), id_base, &mut archive)?;
            Ok(Flow::Descend)
        })?;
    } else {
        let folder = target.split().map(|(folder, _)| folder.to_vec()).unwrap_or_default();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let root_fd = open_root(root).map_err(|error| Error::io("open", root, error))?;
        let parent = open_in_root(&root_fd, &folder, flags)
            .map_err(|error| Error::io("open", path, error))?;
        walk(&through(&parent), &mut |found| {
            if found.path.as_bytes() == name.as_slice() {
                put(found.read()?, &name, b"", id_base, &mut archive)?;
            }
            Ok(if found.path.is_root() { Flow::Descend } else { Flow::Skip })
        })?;
    }
    archive.finish().map(drop).map_err(Error::Output)
}

/// Unpacks a tar archive into the folder at `path` below `root`. `id_base` is put onto owners and groups; where none is given,
/// the caller is no root and owns it all. Devices and sockets are left out; what would climb out of the folder is refused.
///
/// # Errors
/// `Io` with `NotFound` where there is no such folder; `Refused` or `Damaged` for a bad archive.
pub fn into(root: &Path, path: &Path, id_base: Option<u32>, archive: &mut dyn Read) -> Result<()> {
    let (_, folder) = open(root, path, OFlags::PATH | OFlags::DIRECTORY)?;
    let limits = Limits::default();
    let quota = Quota { bytes: limits.bytes, entries: limits.entries };
    let mut writer = TreeWriter::new(&through(&folder), quota, id_base.is_none())?
        .owned_by(id_base.map(|base| shift(0, base)));
    let mut members = TarReader::new(archive, limits.entries.saturating_mul(4));
    while let Some(member) = members.next_member()? {
        let mut entry = member.entry;
        // The folder itself keeps what it has.
        if entry.path.is_root() {
            continue;
        }
        for id in [&mut entry.meta.uid, &mut entry.meta.gid] {
            *id = shift(*id, id_base.unwrap_or(0));
        }
        writer.put(&entry, &mut members.data())?;
    }
    writer.finish().map(drop)
}

fn open(root: &Path, path: &Path, flags: OFlags) -> Result<(EntryPath, OwnedFd)> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = path.as_os_str().as_bytes();
    let target = if bytes.is_empty() {
        EntryPath::default()
    } else {
        EntryPath::parse(bytes).map_err(|reason| Error::refused(bytes, reason))?
    };
    let root_fd = open_root(root).map_err(|error| Error::io("open", root, error))?;
    let fd = open_in_root(&root_fd, target.as_bytes(), flags)
        .map_err(|error| Error::io("open", &Path::new("/").join(path), error))?;
    Ok((target, fd))
}

/// A path that leads to what is held open, whatever happens to its name.
fn through(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn put<W: Write>(
    read: Option<(Entry, impl Read)>,
    name: &[u8],
    below: &[u8],
    id_base: u32,
    archive: &mut TarWriter<W>,
) -> Result<()> {
    let Some((mut entry, mut data)) = read else { return Ok(()) };
    if matches!(entry.kind, Kind::Special(_)) {
        return Ok(());
    }
    let full =
        [name, below].iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join(&b'/');
    entry.path = match full.as_slice() {
        b"" => EntryPath::default(),
        full => EntryPath::parse(full).map_err(|reason| Error::refused(full, reason))?,
    };
    for id in [&mut entry.meta.uid, &mut entry.meta.gid] {
        *id = unshift(*id, id_base);
    }
    archive.put(&entry, &mut data).map_err(Error::Output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn out_and_in_again_with_shifted_ids() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        fs::create_dir_all(from.path().join("a/dir/sub")).unwrap();
        fs::write(from.path().join("a/dir/sub/file"), "content").unwrap();
        std::os::unix::fs::lchown(
            from.path().join("a/dir/sub/file"),
            Some(524_288 + 7),
            Some(524_288),
        )
        .unwrap();
        symlink("/nowhere", from.path().join("a/dir/link")).unwrap();
        let mut archive = Vec::new();
        out(from.path(), Path::new("a/dir"), 524_288, &mut archive).unwrap();
        into(to.path(), Path::new(""), Some(0), &mut archive.as_slice()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("dir/sub/file")).unwrap(), "content");
        assert_eq!(fs::metadata(to.path().join("dir/sub/file")).unwrap().uid(), 7);
        assert_eq!(fs::read_link(to.path().join("dir/link")).unwrap(), Path::new("/nowhere"));

        let mut single = Vec::new();
        out(from.path(), Path::new("a/dir/sub/file"), 524_288, &mut single).unwrap();
        into(to.path(), Path::new("dir"), Some(0), &mut single.as_slice()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("dir/file")).unwrap(), "content");
    }

    #[test]
    fn folders_that_no_entry_tells_of_are_the_containers() {
        let to = tempfile::tempdir().unwrap();
        let (mut archive, from) = (Vec::new(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("a/b")).unwrap();
        fs::write(from.path().join("a/b/file"), "content").unwrap();
        let mut tar = TarWriter::new(&mut archive);
        walk(from.path(), &mut |found| {
            if found.path.as_bytes() == b"a/b/file" {
                put(found.read()?, b"a/b/file", b"", 0, &mut tar)?;
            }
            Ok(Flow::Descend)
        })
        .unwrap();
        tar.finish().unwrap();
        into(to.path(), Path::new(""), Some(7), &mut archive.as_slice()).unwrap();
        for (path, mode) in [("a", 0o40755), ("a/b", 0o40755), ("a/b/file", 0o100_644)] {
            let found = fs::metadata(to.path().join(path)).unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode()), (7, 7, mode), "{path}");
        }
    }

    #[test]
    fn links_lead_at_most_to_the_root() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        let mut archive = Vec::new();
        let error = out(root.path(), Path::new("out/secret"), 0, &mut archive).unwrap_err();
        assert!(
            matches!(&error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
        );
        assert!(
            into(root.path(), Path::new("out"), Some(0), &mut [0_u8; 1024].as_slice()).is_err()
        );
        assert!(out(root.path(), Path::new("../x"), 0, &mut archive).is_err());
    }
}
