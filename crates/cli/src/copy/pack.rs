//! Packing files of this side into a tar archive that is sent while it is made.

use crate::output::Printer;
use bytes::Bytes;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use tokio::sync::mpsc;
use volt_api::client::UploadBody;

/// How large the pieces are that are sent.
const PIECE: usize = 64 << 10;

/// Whose files they are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owners {
    /// root's, as for files that are put into a container.
    Root,
    /// As they are here, as for a whole root file system.
    Kept,
}

/// What is packed.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// A file, link or folder with all that is in it.
    pub(crate) from: PathBuf,
    /// What it is called in the archive; none packs what is in the folder, without the folder.
    pub(crate) name: Option<String>,
    /// Whose files they are to be.
    pub(crate) owners: Owners,
}

/// The archive as a body, which is made on a thread of its own as it is sent; and what is left out of it, once it is.
pub(crate) fn body(what: Packed) -> (UploadBody, LeftOut) {
    made(move |tell, to| pack(&what, tell, to))
}

/// The same of single files and links, each with its name in the archive. One that is gone meanwhile is left out.
pub(crate) fn files(files: Vec<(PathBuf, String)>) -> (UploadBody, LeftOut) {
    made(move |tell, to| {
        let mut builder = tar::Builder::new(to);
        let walk = Walk { owners: Owners::Root, tell };
        for (from, name) in &files {
            match fs::symlink_metadata(from) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => walk.entry(&mut builder, from, Path::new(name))?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        builder.finish()
    })
}

fn made(
    write: impl FnOnce(&Sender<PathBuf>, &mut dyn Write) -> io::Result<()> + Send + 'static,
) -> (UploadBody, LeftOut) {
    let (send, receive) = mpsc::channel(4);
    let (tell, left_out) = std::sync::mpsc::channel();
    let make = move || {
        let mut pieces = Pieces { send: send.clone(), buffer: Vec::with_capacity(PIECE) };
        let packed = write(&tell, &mut pieces);
        if let Err(error) = packed.and_then(|()| pieces.flush()) {
            // When nobody takes it any more, the reason is already known on the other side.
            drop(send.blocking_send(Err(error)));
        }
    };
    drop(tokio::task::spawn_blocking(make));
    (channel_body(receive), LeftOut(left_out))
}

/// What is no content and therefore in no archive: sockets, devices and pipes.
#[derive(Debug)]
pub(crate) struct LeftOut(std::sync::mpsc::Receiver<PathBuf>);

impl LeftOut {
    /// Names each of them to the person.
    pub(crate) fn tell(self, out: &Printer) {
        for path in self.0.try_iter() {
            out.warn(&format!("left out: {}: neither file, folder nor link", path.display()));
        }
    }
}

/// What a channel carries, as a body.
pub(crate) fn channel_body(mut receive: mpsc::Receiver<io::Result<Bytes>>) -> UploadBody {
    Box::pin(futures_util::stream::poll_fn(move |cx| receive.poll_recv(cx)))
}

/// A file as a body, as it is.
pub(crate) fn file_body(file: fs::File) -> UploadBody {
    let (send, receive) = mpsc::channel(4);
    let read = move || {
        let mut pieces = Pieces { send: send.clone(), buffer: Vec::with_capacity(PIECE) };
        let copied = io::copy(&mut &file, &mut pieces);
        if let Err(error) = copied.and_then(|_| pieces.flush()) {
            drop(send.blocking_send(Err(error)));
        }
    };
    drop(tokio::task::spawn_blocking(read));
    channel_body(receive)
}

/// Writes an archive of `what`.
///
/// # Errors
/// When something can't be read, with its path.
fn pack(what: &Packed, tell: &Sender<PathBuf>, to: &mut dyn Write) -> io::Result<()> {
    let mut builder = tar::Builder::new(to);
    let name = what.name.as_deref().unwrap_or(".");
    let walk = Walk { owners: what.owners, tell };
    match &what.name {
        Some(_) => walk.entry(&mut builder, &what.from, Path::new(name))?,
        None => walk.folder(&mut builder, &what.from, Path::new(name))?,
    }
    builder.finish()
}

struct Walk<'a> {
    owners: Owners,
    tell: &'a Sender<PathBuf>,
}

impl Walk<'_> {
    fn entry<W: Write>(
        &self,
        to: &mut tar::Builder<W>,
        from: &Path,
        name: &Path,
    ) -> io::Result<()> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", from.display()));
        let metadata = fs::symlink_metadata(from).map_err(named)?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&metadata);
        if self.owners == Owners::Root {
            header.set_uid(0);
            header.set_gid(0);
        }
        let kind = metadata.file_type();
        if kind.is_dir() {
            header.set_size(0);
            to.append_data(&mut header, name, io::empty()).map_err(named)?;
            self.folder(to, from, name)
        } else if kind.is_symlink() {
            header.set_size(0);
            let target = fs::read_link(from).map_err(named)?;
            to.append_link(&mut header, name, target).map_err(named)
        } else if kind.is_file() {
            let file = fs::File::open(from).map_err(named)?;
            // The header says how long it is; a file that grows meanwhile is cut there, one that shrinks is filled up.
            let exact = Exactly { from: file, left: metadata.len() };
            to.append_data(&mut header, name, exact).map_err(named)
        } else {
            // Where nobody listens any more, the reason is told.
            drop(self.tell.send(from.to_owned()));
            Ok(())
        }
    }

    fn folder<W: Write>(
        &self,
        to: &mut tar::Builder<W>,
        from: &Path,
        name: &Path,
    ) -> io::Result<()> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", from.display()));
        let mut entries: Vec<_> =
            fs::read_dir(from).map_err(named)?.collect::<Result<_, _>>().map_err(named)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            self.entry(to, &entry.path(), &name.join(entry.file_name()))?;
        }
        Ok(())
    }
}

/// As many bytes as were promised.
struct Exactly {
    from: fs::File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let mut n = self.from.read(&mut into[..most])?;
        if n == 0 {
            into[..most].fill(0);
            n = most;
        }
        self.left -= n as u64;
        Ok(n)
    }
}

/// Sends what is written in pieces.
struct Pieces {
    send: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        let sent = self.send.blocking_send(Ok(Bytes::from(piece)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn packed(from: &Path, name: Option<&str>) -> BTreeMap<String, (tar::EntryType, u64)> {
        let what =
            Packed { from: from.to_owned(), name: name.map(str::to_owned), owners: Owners::Root };
        let mut bytes = Vec::new();
        let (tell, left_out) = std::sync::mpsc::channel();
        pack(&what, &tell, &mut bytes).unwrap();
        let pipes: Vec<PathBuf> = left_out.try_iter().collect();
        assert!(pipes.iter().all(|path| path.ends_with("pipe")), "{pipes:?}");
        assert_eq!(pipes.len(), usize::from(from.join("pipe").exists()));
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.header().uid().unwrap(), 0);
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            (path, (entry.header().entry_type(), entry.size()))
        });
        entries.collect()
    }

    #[test]
    fn files_folders_and_links_are_packed_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("site");
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::write(from.join("sub/index.html"), "hello").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            from.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let renamed = packed(&from, Some("www"));
        let names: Vec<&str> = renamed.keys().map(String::as_str).collect();
        assert_eq!(names, ["www", "www/link", "www/sub", "www/sub/index.html"]);
        assert_eq!(renamed["www/sub/index.html"], (tar::EntryType::Regular, 5));
        assert_eq!(renamed["www/link"].0, tar::EntryType::Symlink);
        let contents = packed(&from, None);
        assert!(contents.keys().all(|name| !name.contains("www")), "{contents:?}");
        assert_eq!(packed(&from.join("sub/index.html"), Some("x")).len(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let what =
            Packed { from: "/nowhere/x".into(), name: Some("x".into()), owners: Owners::Root };
        let error = pack(&what, &std::sync::mpsc::channel().0, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/x: "), "{error}");
    }
}
