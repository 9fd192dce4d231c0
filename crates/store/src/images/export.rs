//! From a tree to a tar archive.

use super::{Image, Images, Meant};
use crate::archive::compress::Packer;
use crate::archive::{Compression, TarWriter};
use crate::error::{Error, Result};
use crate::oci::{self, Flavour};
use crate::progress::Progress;
use crate::tree::{EntryPath, Flow, Kind, Neutralised, Notes, Shape, unshift, walk};
use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use volt_host::files::Stage;

/// What an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportFormat {
    /// A root file system.
    #[default]
    Rootfs,
    /// An OCI layout; its layer is compressed, and it itself is not.
    Oci,
    /// The same with what `docker load` wants.
    Docker,
}

/// How to export.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// What to write.
    pub format: ExportFormat,
    /// How to compress.
    pub compression: Compression,
    /// What is taken off owners and groups from here on, for the root of a container with shifted ids; ids below
    /// it, or 65536 and more above, become 65534 (nobody).
    pub id_base: u32,
}

/// What was exported.
#[derive(Debug, Clone, Default)]
pub struct Exported {
    /// Entries in the archive.
    pub entries: u64,
    /// The data of its files, in bytes.
    pub bytes: u64,
    /// What the archive does not have, such as sockets and devices.
    pub left_out: Vec<Neutralised>,
}

impl Images {
    /// Writes an image's tree as a tar archive: the same tree gives the same bytes.
    pub fn export(
        &self,
        image: impl Into<Meant>,
        out: &mut dyn Write,
        options: &ExportOptions,
        progress: &dyn Progress,
    ) -> Result<Exported> {
        let found = self.find(&image.into())?;
        let image = &found.image;
        let flavour = match options.format {
            ExportFormat::Rootfs => return self.export_rootfs(image, out, options, progress),
            ExportFormat::Oci => Flavour::Oci,
            ExportFormat::Docker => Flavour::Docker,
        };
        let stage = Stage::new(&self.stages(), "export")?;
        let (mut entries, mut bytes) = (0, 0);
        let mut fill = |out: &mut dyn Write| {
            (entries, bytes) = self.cas.export_tree(&image.tree, out, progress)?;
            Ok(())
        };
        oci::write(image, (flavour, options.compression), stage.path(), &mut fill, out)?;
        Ok(Exported { entries, bytes, left_out: Vec::new() })
    }

    fn export_rootfs(
        &self,
        image: &Image,
        out: &mut dyn Write,
        options: &ExportOptions,
        progress: &dyn Progress,
    ) -> Result<Exported> {
        let tree = image.tree;
        let packer = Packer::new(BufWriter::with_capacity(128 << 10, out), options.compression);
        let mut packer = packer.map_err(Error::Output)?;
        let (entries, bytes) = self.cas.export_tree(&tree, &mut packer, progress)?;
        packer.finish().map_err(Error::Output)?;
        Ok(Exported { entries, bytes, left_out: Vec::new() })
    }

    /// Writes any tree as a tar archive, such as the mounted root of a container. Mounts below it are left out.
    pub fn export_tree(
        root: &Path,
        out: &mut dyn Write,
        options: &ExportOptions,
        progress: &dyn Progress,
    ) -> Result<Exported> {
        let packer = Packer::new(BufWriter::with_capacity(128 << 10, out), options.compression);
        let mut archive = TarWriter::new(packer.map_err(Error::Output)?);
        let mut exported = Exported::default();
        let mut notes = Notes::default();
        let mut links: HashMap<(u64, u64), EntryPath> = HashMap::new();
        walk(root, &mut |found| {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let Some((mut entry, mut data)) = found.read()? else {
                notes.add(found.path.as_bytes(), "it changed while it was read");
                return Ok(Flow::Skip);
            };
            if let Kind::Special(what) = &entry.kind {
                notes.add(found.path.as_bytes(), what.clone());
                return Ok(Flow::Skip);
            }
            if found.stat.st_nlink > 1 && entry.kind != Kind::Directory {
                let id = (found.stat.st_dev, found.stat.st_ino);
                match links.get(&id) {
                    Some(first) => entry.kind = Kind::HardLink(first.clone()),
                    None => drop(links.insert(id, entry.path.clone())),
                }
            }
            for id in [&mut entry.meta.uid, &mut entry.meta.gid] {
                *id = unshift(*id, options.id_base);
            }
            archive.put(&entry, &mut data).map_err(Error::Output)?;
            if data.shrank {
                notes.add(found.path.as_bytes(), "it became shorter while it was read");
            }
            exported.entries += 1;
            exported.bytes += match &entry.kind {
                Kind::File(shape) => Shape::stored(shape).unwrap_or(0),
                _ => 0,
            };
            progress.bytes(exported.bytes, None);
            Ok(Flow::Descend)
        })?;
        archive.finish().and_then(Packer::finish).map_err(Error::Output)?;
        exported.left_out = notes.into_list();
        Ok(exported)
    }
}
