//! Which image of a layout or an archive is meant, and what it is made of.

use super::BlobDigest;
use super::blobs::{Blobs, missing, path_of};
use super::documents::{Config, Descriptor, Document, Manifest, Run, Saved};
use crate::error::{Error, Result, printable};
use crate::images::ImageConfig;
use std::fs::File;

/// How deep indexes may point to indexes.
const DEPTH: usize = 4;

/// An image that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// How it is run, and for what.
    pub(crate) config: Config,
    /// The lowest first.
    pub(crate) layers: Vec<LayerBlob>,
    /// What it was found in, in words.
    pub(crate) source: &'static str,
    /// Its manifest and its config, byte for byte and by the digests that name them, where it has the former.
    pub(crate) documents: Vec<(BlobDigest, Vec<u8>)>,
}

/// A layer that was found.
#[derive(Debug)]
pub(crate) struct LayerBlob {
    /// Its file's name.
    pub(crate) name: String,
    /// As it is stored, and how large it is so, where that is said.
    pub(crate) stored: Option<(BlobDigest, u64)>,
    /// Unpacked.
    pub(crate) plain: BlobDigest,
}

impl LayerBlob {
    /// Opens it.
    pub(crate) fn open(&self, blobs: &Blobs<'_>) -> Result<File> {
        if let (Blobs::Remote(remote), Some((digest, size))) = (blobs, &self.stored) {
            return remote.open(digest, *size);
        }
        blobs.open(&self.name)?.ok_or_else(|| missing(&self.name))
    }
}

/// For what an image is to be: `linux/arm64` or `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: String,
    /// Whether an image for another one will not do, though it be the only one.
    is_strict: bool,
}

impl Platform {
    /// This host's, which what is handed over need not be for.
    #[must_use]
    pub fn own() -> Self {
        Self { is_strict: false, ..Self::only_own() }
    }

    /// This host's and no other.
    #[must_use]
    pub fn only_own() -> Self {
        let (os, architecture) = ("linux".to_owned(), architecture().to_owned());
        Self { os, architecture, variant: String::new(), is_strict: true }
    }

    fn fits(&self, descriptor: &Descriptor) -> bool {
        descriptor.platform.as_ref().is_some_and(|platform| {
            platform.os == self.os
                && platform.architecture == self.architecture
                && (self.variant.is_empty() || platform.variant == self.variant)
        })
    }

    /// Refuses what is for another one, by its own words.
    fn refuse_another(&self, config: &Config) -> Result<()> {
        let differs = |said: &str, asked: &str| !said.is_empty() && said != asked;
        let is_other = differs(&config.os, &self.os)
            || differs(&config.architecture, &self.architecture)
            || !self.variant.is_empty() && differs(&config.variant, &self.variant);
        if !self.is_strict || !is_other {
            return Ok(());
        }
        let said = [&config.os, &config.architecture, &config.variant];
        let said: Vec<&str> =
            said.into_iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        let said = printable(said.join("/").as_bytes());
        Err(Error::Invalid(format!("it is not for {self}, but for {said}")))
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl std::str::FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_word = |word: &&str| {
            !word.is_empty() && word.len() < 32 && word.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let words: Vec<&str> = text.split('/').collect();
        if !words.iter().all(is_word) {
            return Err(Error::Invalid(format!(
                "`{}` is no platform: write linux/arm64",
                printable(text.as_bytes())
            )));
        }
        let (os, architecture, variant) = match words[..] {
            [os, architecture] => (os, architecture, ""),
            [os, architecture, variant] => (os, architecture, variant),
            _ => return Err(Error::Invalid(format!("`{text}` is no platform: write linux/arm64"))),
        };
        let owned = |text: &str| text.to_owned();
        let (os, architecture, variant) = (owned(os), owned(architecture), owned(variant));
        Ok(Self { os, architecture, variant, is_strict: true })
    }
}

/// Finds the image for a platform.
pub(crate) fn find(blobs: &Blobs<'_>, platform: &Platform) -> Result<Found> {
    if let Blobs::Remote(remote) = blobs {
        return layout(blobs, &remote.first()?, platform);
    }
    if let Some(index) = blobs.document("index.json")? {
        check_layout(blobs)?;
        return layout(blobs, &index, platform);
    }
    match blobs.document("manifest.json")? {
        Some(saved) => archive(blobs, &saved),
        None => Err(Error::NotAnArchive("it has neither an index.json nor a manifest.json".into())),
    }
}

/// Whether these are the files of an image, and not of a root file system that has such names by chance.
pub(crate) fn is_image(blobs: &Blobs<'_>) -> bool {
    let document = |name| blobs.document(name).ok().flatten();
    let has = |name: &String| matches!(blobs.open(name), Ok(Some(_)));
    let is_index = |bytes: Vec<u8>| Document::parse(&bytes).is_ok() && check_layout(blobs).is_ok();
    let saved = document("manifest.json").and_then(|bytes| Saved::parse(&bytes).ok());
    let is_saved = |all: Vec<Saved>| {
        !all.is_empty() && all.iter().all(|one| has(&one.config) && one.layers.iter().all(has))
    };
    document("index.json").is_some_and(is_index) || saved.is_some_and(is_saved)
}

fn check_layout(blobs: &Blobs<'_>) -> Result<()> {
    let Some(bytes) = blobs.document("oci-layout")? else { return Err(missing("oci-layout")) };
    let layout: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| Error::Damaged(format!("its oci-layout can't be read: {error}")))?;
    match layout["imageLayoutVersion"].as_str() {
        Some(version) if version.starts_with("1.") => Ok(()),
        _ => Err(Error::Damaged("its oci-layout is of a version that is not known here".into())),
    }
}

fn layout(blobs: &Blobs<'_>, index: &[u8], platform: &Platform) -> Result<Found> {
    let mut bytes = index.to_vec();
    let mut digest = BlobDigest::of(&bytes);
    for _ in 0..DEPTH {
        let descriptor = match Document::parse(&bytes)? {
            Document::Index(manifests) => choose(&manifests, platform)?,
            Document::Manifest(manifest) => {
                let found = made(blobs, manifest, (digest, bytes))?;
                platform.refuse_another(&found.config)?;
                return Ok(found);
            }
        };
        bytes = blobs.described(&descriptor)?;
        digest = descriptor.digest;
    }
    Err(Error::Damaged("its indexes point to indexes without end".into()))
}

/// The manifest for a platform, of several.
fn choose(manifests: &[Descriptor], wanted: &Platform) -> Result<Descriptor> {
    // What says how an image was built is listed as one for no system.
    let is_image = |one: &&Descriptor| {
        one.platform.as_ref().is_none_or(|platform| platform.os != "unknown")
            && !one.annotations.contains_key("vnd.docker.reference.type")
    };
    let images: Vec<&Descriptor> = manifests.iter().filter(is_image).collect();
    // Where any will do, the only one there is; one that says nothing is asked itself.
    if let [only] = images[..]
        && (!wanted.is_strict || only.platform.is_none() || wanted.fits(only))
    {
        return Ok(only.clone());
    }
    let fits = |one: &&&Descriptor| wanted.fits(one);
    let fitting: Vec<&&Descriptor> = images.iter().filter(fits).collect();
    match fitting[..] {
        // One that says a variant may be for less than every processor.
        [first, ..] if fitting.iter().all(|one| one.name() == first.name()) => {
            Ok((**first).clone())
        }
        _ => {
            let shown = |one: &&Descriptor| match (&one.platform, one.name()) {
                (_, Some(name)) => printable(name.as_bytes()),
                (Some(p), None) => printable(format!("{}/{}", p.os, p.architecture).as_bytes()),
                (None, None) => one.digest.to_string(),
            };
            let all: Vec<String> = images.iter().map(shown).collect();
            let what = if all.is_empty() { "none".into() } else { all.join(", ") };
            Err(Error::Invalid(format!("it has not one image for {wanted}, but: {what}")))
        }
    }
}

/// This host's processor, as OCI names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

fn made(blobs: &Blobs<'_>, manifest: Manifest, document: (BlobDigest, Vec<u8>)) -> Result<Found> {
    let config_bytes = blobs.described(&manifest.config)?;
    let config = Config::parse(&config_bytes)?;
    if manifest.layers.len() != config.rootfs.diff_ids.len() {
        return Err(Error::Damaged("its manifest and its config have not the same layers".into()));
    }
    let layer = |(layer, plain): (Descriptor, &BlobDigest)| {
        if layer.media_type.contains("encrypted") {
            return Err(Error::Unsupported {
                what: "an encrypted layer".into(),
                reason: "there is no key".into(),
            });
        }
        let name = path_of(&layer.digest);
        Ok(LayerBlob { name, stored: Some((layer.digest, layer.size)), plain: plain.clone() })
    };
    let layers = manifest.layers.into_iter().zip(&config.rootfs.diff_ids).map(layer);
    let layers = layers.collect::<Result<_>>()?;
    let documents = vec![document, (manifest.config.digest, config_bytes)];
    Ok(Found { config, layers, source: "OCI image", documents })
}

fn archive(blobs: &Blobs<'_>, saved: &[u8]) -> Result<Found> {
    let mut saved = Saved::parse(saved)?;
    let Some(image) = saved.pop().filter(|_| saved.is_empty()) else {
        return Err(Error::Invalid("it has not one image, but none or several".into()));
    };
    let Some(config) = blobs.document(&image.config)? else {
        return Err(missing(&image.config));
    };
    let config = Config::parse(&config)?;
    if image.layers.len() != config.rootfs.diff_ids.len() {
        return Err(Error::Damaged("its manifest and its config have not the same layers".into()));
    }
    let layer = |(name, plain): (String, &BlobDigest)| LayerBlob {
        name,
        stored: None,
        plain: plain.clone(),
    };
    let layers = image.layers.into_iter().zip(&config.rootfs.diff_ids).map(layer).collect();
    Ok(Found { config, layers, source: "Docker archive", documents: Vec::new() })
}

/// How the image wants to be run.
pub(crate) fn run_config(run: Run) -> ImageConfig {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    ImageConfig {
        entrypoint: run.entrypoint,
        cmd: run.cmd,
        env: run.env,
        user: some(run.user),
        workdir: some(run.working_dir),
        stop_signal: some(run.stop_signal),
        volumes: run.volumes.into_keys().collect(),
        exposed_ports: run.exposed_ports.into_keys().collect(),
        labels: run.labels,
        healthcheck: run.healthcheck,
        boot: false,
    }
}
