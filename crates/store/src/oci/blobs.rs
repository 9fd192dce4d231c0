//! Where the documents and layers of an image lie: in a folder of the host, or in an archive, whose files are unpacked to a
//! stage under numbers, so that no name of the archive is a name there.

use super::BlobDigest;
use super::documents::Descriptor;
use super::remote::Remote;
use crate::archive::TarReader;
use crate::cas::{Objects, Tree};
use crate::error::{Error, Result};
use crate::images::Limits;
use crate::manifest::{Node, NodeKind};
use crate::progress::Progress;
use crate::tree::{Entry, EntryPath, Expand, Kind, open_in_root, open_root};
use rustix::fs::{FileType, OFlags};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How many links are followed from one file of an archive to another.
const LINKS: usize = 8;
/// How many entries of an archive are looked at.
const FILES: u32 = 100_000;
/// The piece in which files are copied and compared, in bytes.
const PIECE: usize = 256 << 10;

/// How the names of layers and documents end in archives.
const ENDINGS: [&str; 5] = [".json", ".tar", ".tar.gz", ".tar.zst", ".tar.xz"];

/// The files of an image, by their names.
pub(crate) enum Blobs<'a> {
    /// Somebody else's.
    Remote(Remote<'a>),
    /// A folder of the host.
    Folder(PathBuf),
    /// Files that were unpacked, and links among them.
    Unpacked(HashMap<EntryPath, Unpacked>),
}

/// What an archive had under a name.
pub(crate) enum Unpacked {
    File(PathBuf),
    Link(EntryPath),
}

impl Unpacked {
    /// Whether two are the same, byte for byte.
    fn is_same(&self, other: &Self) -> Result<bool> {
        match (self, other) {
            (Self::Link(one), Self::Link(other)) => Ok(one == other),
            (Self::File(one), Self::File(other)) => {
                same_bytes(one, other).map_err(|error| Error::io("read", one, error))
            }
            _ => Ok(false),
        }
    }

    /// Removes what was unpacked.
    fn remove(self) -> Result<()> {
        match self {
            Self::Link(_) => Ok(()),
            Self::File(path) => Ok(volt_host::files::remove_file(&path).map(drop)?),
        }
    }
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut piece, mut beside) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let length = one.read(&mut piece)?;
        if length == 0 {
            return Ok(true);
        }
        other.read_exact(&mut beside[..length])?;
        if piece[..length] != beside[..length] {
            return Ok(false);
        }
    }
}

/// Whether an archive whose first entry has this name is one of an image and no root file system.
pub(crate) fn begins_image(name: &EntryPath) -> bool {
    let name = String::from_utf8_lossy(name.as_bytes());
    let first = name.split('/').next().unwrap_or_default();
    let is_id = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    // Some call a file by its whole digest, or say how it is packed.
    let stem = first.strip_prefix("sha256:").unwrap_or(first);
    let stem = ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending)).unwrap_or(stem);
    let words = ["blobs", "oci-layout", "index.json", "manifest.json", "repositories"];
    words.contains(&first) || is_id(stem)
}

impl Blobs<'_> {
    /// Whether a folder is a layout.
    pub(crate) fn is_layout(dir: &Path) -> bool {
        dir.join("oci-layout").is_file() && dir.join("index.json").is_file()
    }

    /// Unpacks an archive below `dir`, an empty folder.
    pub(crate) fn unpack(
        plain: impl Read,
        dir: &Path,
        limits: Limits,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let mut files: HashMap<EntryPath, Unpacked> = HashMap::new();
        let mut archive = TarReader::new(plain, limits.entries.saturating_mul(4));
        let (mut bytes, mut number) = (0_u64, 0);
        while let Some(member) = archive.next_member()? {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let Entry { path, kind, .. } = member.entry;
            let refused = |reason: &str| Error::refused(path.as_bytes(), reason);
            number += 1;
            if number > FILES {
                return Err(refused("there are too many files for an image"));
            }
            let unpacked = match kind {
                Kind::File(shape) => {
                    bytes = bytes.saturating_add(shape.size);
                    if bytes > limits.bytes {
                        return Err(refused("the archive is larger than images may be"));
                    }
                    let to = dir.join(number.to_string());
                    let failed = |error| Error::io("write", &to, error);
                    let mut file = File::create_new(&to).map_err(failed)?;
                    let mut data = Expand::new(archive.data(), &shape);
                    copy(&mut data, &mut file, progress).map_err(|error| match error {
                        Failed::Read(error) => crate::archive::compress::input_error(error),
                        Failed::Write(error) => failed(error),
                        Failed::Cancelled => Error::Cancelled,
                    })?;
                    Unpacked::File(to)
                }
                Kind::Symlink(target) => match linked(&path, &target) {
                    Some(target) => Unpacked::Link(target),
                    None => return Err(refused("it links to outside of the archive")),
                },
                Kind::HardLink(target) => Unpacked::Link(target),
                Kind::Directory | Kind::Fifo | Kind::Special(_) => continue,
            };
            match files.get(&path) {
                // Some who make archives put what two images share into them twice.
                Some(before) if unpacked.is_same(before)? => unpacked.remove()?,
                Some(_) => return Err(refused("it is there twice, and not the same")),
                None => drop(files.insert(path, unpacked)),
            }
        }
        Ok(Self::Unpacked(files))
    }

    /// The files of a tree that may turn out to be an image's: an archive was taken for a root file system by its first entry. Nothing
    /// where it has no document of an image.
    pub(crate) fn of_tree(objects: &Objects, tree: &Tree) -> Option<Self> {
        if ["index.json", "manifest.json"].iter().all(|name| tree.find(name, false).is_err()) {
            return None;
        }
        let unpacked = |node: &Node| match &tree.real(node).kind {
            NodeKind::File(content) => Some(Unpacked::File(objects.path(&content.digest))),
            NodeKind::Symlink(target) => linked(&node.path, target).map(Unpacked::Link),
            _ => None,
        };
        let files = tree.nodes.iter().filter_map(|node| Some((node.path.clone(), unpacked(node)?)));
        Some(Self::Unpacked(files.collect()))
    }

    /// Opens a file; nothing where there is none.
    pub(crate) fn open(&self, name: &str) -> Result<Option<File>> {
        let path = EntryPath::parse(name.as_bytes())
            .map_err(|reason| Error::refused(name.as_bytes(), reason))?;
        match self {
            Self::Remote(_) => Ok(None),
            Self::Folder(dir) => open_beneath(dir, &path),
            Self::Unpacked(files) => {
                let mut path = &path;
                for _ in 0..LINKS {
                    match files.get(path) {
                        None => return Ok(None),
                        Some(Unpacked::Link(target)) => path = target,
                        Some(Unpacked::File(file)) => {
                            let open = File::open(file);
                            return open.map(Some).map_err(|error| Error::io("read", file, error));
                        }
                    }
                }
                Err(Error::refused(name.as_bytes(), "its links go in circles"))
            }
        }
    }

    /// A document as bytes; nothing where there is none.
    pub(crate) fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let limit = super::documents::DOCUMENT_LIMIT;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(Error::Input)?;
        if bytes.len() as u64 > limit {
            return Err(Error::refused(name.as_bytes(), "the document is larger than 4 MiB"));
        }
        Ok(Some(bytes))
    }

    /// The document that a descriptor points to, which is what its digest says.
    pub(crate) fn described(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let name = path_of(&descriptor.digest);
        let bytes = match self {
            Self::Remote(remote) => Some(remote.document(descriptor)?),
            _ => self.document(&name)?,
        };
        let Some(bytes) = bytes else { return Err(missing(&name)) };
        if bytes.len() as u64 != descriptor.size || !descriptor.digest.names(&bytes) {
            return Err(wrong(&name));
        }
        Ok(bytes)
    }
}

/// Where a layout has a blob.
pub(crate) fn path_of(digest: &BlobDigest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

pub(crate) fn missing(name: &str) -> Error {
    Error::Damaged(format!("its `{}` is missing", crate::error::printable(name.as_bytes())))
}

pub(crate) fn wrong(name: &str) -> Error {
    let name = crate::error::printable(name.as_bytes());
    Error::Damaged(format!("its `{name}` is not what its digest says"))
}

fn open_beneath(dir: &Path, path: &EntryPath) -> Result<Option<File>> {
    let failed = |error: rustix::io::Errno| Error::io("read", dir, error);
    let root = open_root(dir).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let fd = match open_in_root(&root, path.as_bytes(), flags) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let stat = rustix::fs::fstat(&fd).map_err(failed)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::refused(path.as_bytes(), "it is no file"));
    }
    Ok(Some(fd.into()))
}

/// Where a link in an archive leads, which is within it.
fn linked(path: &EntryPath, target: &[u8]) -> Option<EntryPath> {
    let (above, _) = path.split()?;
    let mut parts: Vec<&[u8]> = above.split(|b| *b == b'/').filter(|p| !p.is_empty()).collect();
    if target.starts_with(b"/") {
        return None;
    }
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    EntryPath::parse(&parts.join(&b'/')).ok()
}

enum Failed {
    Read(io::Error),
    Write(io::Error),
    Cancelled,
}

fn copy(
    from: &mut dyn Read,
    to: &mut File,
    progress: &dyn Progress,
) -> std::result::Result<(), Failed> {
    use std::io::Write;
    let mut piece = vec![0; PIECE];
    loop {
        if progress.cancelled() {
            return Err(Failed::Cancelled);
        }
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&piece[..length]).map_err(Failed::Write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failed::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> EntryPath {
        EntryPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn links_stay_in_the_archive() {
        let to = |from: &str, target: &str| linked(&path(from), target.as_bytes());
        assert_eq!(to("a/layer.tar", "../b/layer.tar"), Some(path("b/layer.tar")));
        assert_eq!(to("x", "./y"), Some(path("y")));
        assert_eq!(to("a/x", "../../etc/passwd"), None);
        assert_eq!(to("x", "/etc/passwd"), None);
    }

    #[test]
    fn images_are_told_from_root_file_systems() {
        let id = "0123456789abcdef".repeat(4);
        for name in ["blobs/sha256", "index.json", &format!("{id}/VERSION"), &format!("{id}.tar")] {
            assert!(begins_image(&path(name)), "{name}");
        }
        for name in [format!("sha256:{id}"), format!("{id}.tar.gz"), format!("{id}.json")] {
            assert!(begins_image(&path(&name)), "{name}");
        }
        for name in ["bin", "etc/index.json", "usr/blobs", "0123"] {
            assert!(!begins_image(&path(name)), "{name}");
        }
    }
}
