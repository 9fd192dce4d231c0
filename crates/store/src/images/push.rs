//! Images ready to be sent to a registry: what was pulled as it was, all else as one layer that is made the same way each time.

use super::{Image, Images, Meant};
use crate::archive::Compression;
use crate::cas::Reading;
use crate::error::{Error, Result};
use crate::oci::{self, PlatformOf};
use crate::parallel;
use crate::progress::Progress;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use volt_host::files::Stage;

/// An image that is ready to be sent. What it is made of stays while this lives.
#[derive(Debug)]
pub struct ReadyImage {
    /// Its manifest, byte for byte.
    pub manifest: Vec<u8>,
    /// What that is.
    pub media_type: String,
    /// What the manifest names: its config and its layers.
    pub blobs: Vec<ReadyBlob>,
    platform: PlatformOf,
    _lease: Reading,
    _stage: Option<Stage>,
}

/// A blob that is ready to be sent.
#[derive(Debug, Clone)]
pub struct ReadyBlob {
    /// `sha256:` and hex digits.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it lies.
    pub source: Source,
}

/// Where a blob lies.
#[derive(Debug, Clone)]
pub enum Source {
    /// In a file, all of it.
    File(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
}

impl Source {
    /// Opens it from a byte on.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open(&self, at: u64) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(at))?;
                Ok(Box::new(file))
            }
            Self::Bytes(bytes) => {
                let mut bytes = Cursor::new(bytes.clone());
                bytes.set_position(at);
                Ok(Box::new(bytes))
            }
        }
    }
}

impl Images {
    /// Makes an image ready. What is kept of it goes as it is, unless a compression is named; else one layer has all of it, and the
    /// same image gives the same bytes.
    pub fn ready(
        &self,
        image: &Meant,
        compression: Option<Compression>,
        progress: &dyn Progress,
    ) -> Result<ReadyImage> {
        let lease = self.cas.lease_to_read()?;
        let found = self.find(image)?;
        let image = &found.image;
        if image.blobs.is_empty() || compression.is_some() {
            return self.ready_made(
                image,
                compression.unwrap_or(Compression::Gzip),
                lease,
                progress,
            );
        }
        self.ready_kept(image, lease, progress)
    }

    fn ready_made(
        &self,
        image: &Image,
        compression: Compression,
        lease: Reading,
        progress: &dyn Progress,
    ) -> Result<ReadyImage> {
        progress.step("Making the layer");
        let stage = Stage::new(&self.stages(), "push")?;
        let mut fill =
            |out: &mut dyn io::Write| self.cas.export_tree(&image.tree, out, progress).map(drop);
        let made = oci::make(image, compression, stage.path(), &mut fill)?;
        let (layer, config) = (&made.layer, &made.config);
        let blobs = vec![
            ReadyBlob {
                digest: config.digest.to_string(),
                size: config.size,
                source: Source::Bytes(made.config_bytes.clone()),
            },
            ReadyBlob {
                digest: layer.stored.to_string(),
                size: layer.size,
                source: Source::File(stage.path().join("layer")),
            },
        ];
        Ok(ReadyImage {
            manifest: made.manifest_bytes,
            media_type: made.entry.media_type,
            blobs,
            platform: PlatformOf::read(&made.config_bytes)?,
            _lease: lease,
            _stage: Some(stage),
        })
    }

    fn ready_kept(
        &self,
        image: &Image,
        lease: Reading,
        progress: &dyn Progress,
    ) -> Result<ReadyImage> {
        progress.step("Checking the blobs");
        let objects = self.cas.objects();
        let needed: Vec<_> = image.blobs.iter().map(|blob| (blob.object, blob.size)).collect();
        objects.pin_all(&lease, &needed)?;
        let is_bad = |blob: &super::KeptBlob| Ok(objects.check(&blob.object)? != Some(true));
        if let Some(bad) = parallel::find(&image.blobs, &is_bad)?.first() {
            let reason = format!(
                "the blob {} of this image is missing or not what its name says; `volt cas verify` says more, and a pull \
                 with --force brings it back",
                bad.digest
            );
            return Err(Error::Corrupt { path: objects.path(&bad.object), reason });
        }
        let [manifest, config, ..] = &image.blobs[..] else {
            return Err(Error::Damaged("its blobs are not those of an image".into()));
        };
        let read = |blob: &super::KeptBlob| {
            let path = objects.path(&blob.object);
            let mut bytes = Vec::new();
            let file =
                objects.open(&blob.object)?.take(oci::DOCUMENT_LIMIT).read_to_end(&mut bytes);
            file.map_err(|error| Error::io("read", &path, error)).map(|_| bytes)
        };
        let (manifest, platform) = (read(manifest)?, PlatformOf::read(&read(config)?)?);
        let blob = |blob: &super::KeptBlob| ReadyBlob {
            digest: blob.digest.clone(),
            size: blob.size,
            source: Source::File(objects.path(&blob.object)),
        };
        Ok(ReadyImage {
            media_type: oci::media_type_of(&manifest),
            manifest,
            blobs: image.blobs[1..].iter().map(blob).collect(),
            platform,
            _lease: lease,
            _stage: None,
        })
    }
}

impl ReadyImage {
    /// An index of images for several platforms, and what that is.
    pub fn index(images: &[Self]) -> Result<(Vec<u8>, &'static str)> {
        let parts: Vec<_> = images
            .iter()
            .map(|image| (&image.manifest[..], &*image.media_type, &image.platform))
            .collect();
        oci::index_of(&parts)
    }
}
