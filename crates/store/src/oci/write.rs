//! An image as an archive that others read: an OCI layout, with what `docker load` looks for beside it where that is wanted. One
//! layer has all of it.

use super::blobs::path_of;
use super::documents::{Config, Descriptor, Manifest, Platform, RootFs, Run, Saved};
use super::{BlobDigest, BlobHasher};
use crate::archive::compress::Packer;
use crate::archive::{Compression, TarWriter};
use crate::error::{Error, Result};
use crate::images::{Image, ImageConfig};
use crate::tree::{Entry, EntryPath, Kind, Meta, Shape, Time};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

/// For whom the archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Whoever reads OCI layouts.
    Oci,
    /// `docker load` and `podman load` as well.
    Docker,
}

/// Writes an image to `out`. `fill` writes its tree as a tar archive; `stage` is an empty folder for the layer, whose digest
/// comes before it.
pub(crate) fn write(
    image: &Image,
    (flavour, compression): (Flavour, Compression),
    stage: &Path,
    fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
    out: &mut dyn Write,
) -> Result<()> {
    let made = make(image, compression, stage, fill)?;
    let MadeImage { mut layer, config, config_bytes, mut entry, manifest_bytes } = made;
    let name = ("org.opencontainers.image.ref.name".to_owned(), image.name.to_string());
    entry.annotations = BTreeMap::from([name]);
    entry.platform = Some(platform(image));
    let index = Versioned {
        schema_version: 2,
        media_type: INDEX,
        rest: Index { manifests: vec![entry.clone()] },
    };
    let mut archive =
        Archive { out: TarWriter::new(BufWriter::with_capacity(128 << 10, out)), image };
    archive.put("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.put("index.json", &json(&index)?)?;
    if flavour == Flavour::Docker {
        let saved = Saved {
            config: path_of(&config.digest),
            repo_tags: vec![image.name.to_string()],
            layers: vec![path_of(&layer.stored)],
        };
        archive.put("manifest.json", &json(&[saved])?)?;
    }
    archive.put(&path_of(&config.digest), &config_bytes)?;
    archive.put(&path_of(&entry.digest), &manifest_bytes)?;
    layer.file.rewind().map_err(Error::Output)?;
    archive.stream(&path_of(&layer.stored), layer.size, &mut layer.file)?;
    archive.out.finish().and_then(|mut out| out.flush()).map_err(Error::Output)
}

/// An image of one layer, made of what the store has.
pub(crate) struct MadeImage {
    pub(crate) layer: Layer,
    pub(crate) config: Descriptor,
    pub(crate) config_bytes: Vec<u8>,
    /// Points to the manifest.
    pub(crate) entry: Descriptor,
    pub(crate) manifest_bytes: Vec<u8>,
}

/// Makes an image, its layer as `layer` in `stage`: the same image gives the same bytes.
pub(crate) fn make(
    image: &Image,
    compression: Compression,
    stage: &Path,
    fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
) -> Result<MadeImage> {
    let kind = match compression {
        Compression::None => "application/vnd.oci.image.layer.v1.tar",
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        Compression::Xz => {
            return Err(Error::Invalid("layers are compressed by gzip or zstd, not by xz".into()));
        }
    };
    let layer = layer(&stage.join("layer"), compression, fill)?;
    let config = config(image, &layer.plain)?;
    let (config, config_bytes) = described("application/vnd.oci.image.config.v1+json", &config)?;
    let layers = vec![descriptor(kind, layer.stored.clone(), layer.size)];
    let manifest = Versioned {
        schema_version: 2,
        media_type: MANIFEST,
        rest: Manifest { config: config.clone(), layers },
    };
    let (entry, manifest_bytes) = described(manifest.media_type, &manifest)?;
    Ok(MadeImage { layer, config, config_bytes, entry, manifest_bytes })
}

/// For what an image is, as its config says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlatformOf(Platform);

impl PlatformOf {
    /// Reads it in a config.
    pub(crate) fn read(config: &[u8]) -> Result<Self> {
        let Config { architecture, os, variant, .. } = Config::parse(config)?;
        Ok(Self(Platform { architecture, os, variant }))
    }
}

/// What a manifest is: what it says itself, or else OCI's.
pub(crate) fn media_type_of(manifest: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        #[serde(default)]
        media_type: String,
    }
    let typed = serde_json::from_slice::<Typed>(manifest).map(|typed| typed.media_type);
    typed.ok().filter(|kind| !kind.is_empty()).unwrap_or_else(|| MANIFEST.to_owned())
}

/// An index of images, each by its manifest, what that is, and for what it is; and what the index is.
pub(crate) fn index_of(images: &[(&[u8], &str, &PlatformOf)]) -> Result<(Vec<u8>, &'static str)> {
    let mut manifests: Vec<Descriptor> = Vec::new();
    for (manifest, kind, PlatformOf(platform)) in images {
        if manifests.iter().any(|other| other.platform.as_ref() == Some(platform)) {
            let Platform { os, architecture, .. } = platform;
            return Err(Error::Invalid(format!("two of the images are for {os}/{architecture}")));
        }
        let digest = BlobDigest::of(manifest);
        let mut entry = descriptor(kind, digest, manifest.len() as u64);
        entry.platform = Some(platform.clone());
        manifests.push(entry);
    }
    let index = Versioned { schema_version: 2, media_type: INDEX, rest: Index { manifests } };
    Ok((json(&index)?, INDEX))
}

/// OCI's media type of manifests.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// That of indexes.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versioned<T> {
    schema_version: u32,
    media_type: &'static str,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

pub(crate) struct Layer {
    file: File,
    pub(crate) stored: BlobDigest,
    plain: BlobDigest,
    pub(crate) size: u64,
}

/// Writes the layer to a file, to know its digests.
fn layer(
    path: &Path,
    compression: Compression,
    fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
) -> Result<Layer> {
    let failed = |error| Error::io("write", path, error);
    let file =
        File::options().read(true).write(true).create_new(true).open(path).map_err(failed)?;
    let mut stored = Hashing { out: file, hasher: BlobHasher::default(), size: 0 };
    let plain = {
        let packer = Packer::new(BufWriter::with_capacity(256 << 10, &mut stored), compression);
        let out = packer.map_err(failed)?;
        let mut plain = Hashing { out, hasher: BlobHasher::default(), size: 0 };
        fill(&mut plain).map_err(|error| match error {
            Error::Output(error) => failed(error),
            other => other,
        })?;
        let Hashing { out, hasher, .. } = plain;
        out.finish().map_err(failed)?;
        hasher.finish()
    };
    Ok(Layer { plain, stored: stored.hasher.finish(), size: stored.size, file: stored.out })
}

/// Hashes what is written through it.
struct Hashing<W> {
    out: W,
    hasher: BlobHasher,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.out.write(buffer)?;
        self.hasher.update(&buffer[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

struct Archive<'a, W: Write> {
    out: TarWriter<W>,
    image: &'a Image,
}

impl<W: Write> Archive<'_, W> {
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.stream(name, bytes.len() as u64, &mut &bytes[..])
    }

    fn stream(&mut self, name: &str, size: u64, data: &mut dyn Read) -> Result<()> {
        let path = EntryPath::parse(name.as_bytes()).expect("the names are Volt's own");
        let mtime = Time { seconds: self.image.created.as_second(), nanoseconds: 0 };
        let meta = Meta { mode: 0o644, mtime, ..Meta::default() };
        let entry = Entry { path, kind: Kind::File(Shape::dense(size)), meta };
        self.out.put(&entry, data).map_err(Error::Output)
    }
}

fn platform(image: &Image) -> Platform {
    let architecture = image.architecture.clone().unwrap_or_else(|| "amd64".into());
    Platform { architecture, os: "linux".into(), variant: String::new() }
}

fn config(image: &Image, layer: &BlobDigest) -> Result<Config> {
    let Platform { architecture, os, .. } = platform(image);
    let rootfs = RootFs { kind: "layers".into(), diff_ids: vec![layer.clone()] };
    let created = Some(image.created.to_string());
    let variant = String::new();
    Ok(Config { architecture, os, variant, created, config: run(&image.config), rootfs })
}

fn run(config: &ImageConfig) -> Run {
    let nothing = || serde_json::Value::Object(serde_json::Map::new());
    let keys = |words: &[String]| words.iter().map(|word| (word.clone(), nothing())).collect();
    Run {
        user: config.user.clone().unwrap_or_default(),
        exposed_ports: keys(&config.exposed_ports),
        env: config.env.clone(),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        volumes: keys(&config.volumes),
        working_dir: config.workdir.clone().unwrap_or_default(),
        labels: config.labels.clone(),
        stop_signal: config.stop_signal.clone().unwrap_or_default(),
        healthcheck: config.healthcheck.clone(),
    }
}

fn described(kind: &str, value: &impl Serialize) -> Result<(Descriptor, Vec<u8>)> {
    let bytes = json(value)?;
    let digest = BlobDigest::of(&bytes);
    Ok((descriptor(kind, digest, bytes.len() as u64), bytes))
}

fn descriptor(kind: &str, digest: BlobDigest, size: u64) -> Descriptor {
    let (platform, annotations) = (None, BTreeMap::new());
    Descriptor { media_type: kind.to_owned(), digest, size, platform, annotations }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Output(error.into()))
}
