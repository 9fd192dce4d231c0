//! From a tree in the store to a tar archive, and to the contents of one file.

use super::content::Checked;
use super::tree::Tree;
use super::{Cas, Pointer};
use crate::archive::TarWriter;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Content, Device, Node, NodeKind};
use crate::progress::Progress;
use crate::tree::{Entry, Kind, Segment, Shape};
use std::io::{self, BufWriter, Write};

impl Cas {
    /// Writes what is in a file of a tree, or where no path is given what is in an object that is named by its digest. An error says that what was written is not to be trusted, however much it was.
    pub fn cat(&self, tree: &Pointer, path: &str, out: &mut dyn Write) -> Result<()> {
        if let (Some(object), true) = (tree.tree, path.is_empty()) {
            let size = self.objects().size(&self.resolve(tree)?)?;
            let content = Content { size, digest: object, segments: Vec::new() };
            return self.write_content(&content, out);
        }
        let tree = self.named_tree(tree)?;
        let node = tree.real(tree.find(path, true)?);
        let NodeKind::File(content) = &node.kind else {
            let kind = super::look::kind(&node.kind);
            return Err(Error::Invalid(format!("{path} is a {kind} and no file")));
        };
        self.write_content(content, out).map_err(|error| about(node, error))
    }

    fn write_content(&self, content: &Content, out: &mut dyn Write) -> Result<()> {
        let mut data = self.content(content, &Shape::dense(content.size).segments)?;
        match io::copy(&mut data, out) {
            Ok(_) => data.finish(),
            Err(error) => Err(data.failure().unwrap_or(Error::Output(error))),
        }
    }

    /// Writes a tree as a tar archive: the same tree gives the same bytes. How many entries it has.
    ///
    /// An error says that what was written is not to be trusted, however much it was.
    pub fn export(
        &self,
        tree: &Pointer,
        out: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<u64> {
        Ok(self.export_tree(&self.resolve(tree)?, out, progress)?.0)
    }

    /// The same by the tree itself; how many entries it has, and the sizes of its files together.
    pub(crate) fn export_tree(
        &self,
        tree: &Digest,
        out: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<(u64, u64)> {
        let lease = self.lease_to_read()?;
        let tree = self.tree(tree)?;
        // What is exported stays until that is done, whatever becomes of its name.
        let contents = tree.contents().map(|(_, content)| (content.digest, content.size));
        self.objects().pin_all(&lease, &contents.collect::<Vec<_>>())?;
        let mut archive = TarWriter::new(BufWriter::with_capacity(128 << 10, out));
        let mut done = 0;
        for node in &tree.nodes {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            done += self.put(&mut archive, &tree, node)?;
            progress.bytes(done, None);
        }
        let mut out = archive.finish().map_err(Error::Output)?;
        out.flush().map_err(Error::Output)?;
        Ok((tree.nodes.len() as u64, done))
    }

    /// Writes one entry; the bytes of its data.
    fn put<W: Write>(&self, archive: &mut TarWriter<W>, tree: &Tree, node: &Node) -> Result<u64> {
        let real = tree.real(node);
        let mut entry =
            Entry { path: node.path.clone(), kind: Kind::Directory, meta: real.meta.clone() };
        let mut data = None;
        entry.kind = match &node.kind {
            NodeKind::Directory => Kind::Directory,
            NodeKind::Symlink(target) => Kind::Symlink(target.clone()),
            NodeKind::Fifo => Kind::Fifo,
            NodeKind::Link(_) => Kind::HardLink(real.path.clone()),
            NodeKind::File(content) => {
                let shape = shape(content);
                data = Some(self.content(content, &shape.segments).map_err(|e| about(node, e))?);
                Kind::File(shape)
            }
            NodeKind::Char(Device { major, minor }) | NodeKind::Block(Device { major, minor }) => {
                let is_block = matches!(node.kind, NodeKind::Block(_));
                let written = archive.put_device(&entry, is_block, (*major, *minor));
                return written.map(|()| 0).map_err(Error::Output);
            }
        };
        let Some(data) = data else {
            return archive.put(&entry, &mut io::empty()).map(|()| 0).map_err(Error::Output);
        };
        put_file(archive, &entry, data).map_err(|error| about(node, error))?;
        Ok(match &node.kind {
            NodeKind::File(content) => content.size,
            _ => 0,
        })
    }
}

fn put_file<W: Write>(archive: &mut TarWriter<W>, entry: &Entry, mut data: Checked) -> Result<()> {
    match archive.put(entry, &mut data) {
        Ok(()) => data.finish(),
        Err(error) => Err(data.failure().unwrap_or(Error::Output(error))),
    }
}

/// A file's shape as archives have it.
fn shape(content: &Content) -> Shape {
    if content.segments.is_empty() {
        return Shape::dense(content.size);
    }
    let has_data = |segment: &&Segment| segment.length > 0;
    let segments = content.segments.iter().filter(has_data).copied().collect();
    Shape { size: content.size, segments }
}

/// Says to which entry a damage belongs.
fn about(node: &Node, error: Error) -> Error {
    match error {
        Error::Corrupt { path, reason } => {
            let entry = super::name::shown(&node.path);
            Error::Corrupt { path, reason: format!("{reason} (it is {entry} of this tree)") }
        }
        other => other,
    }
}
