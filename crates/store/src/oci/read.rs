//! Which image of a layout or an archive is meant, and what it is made of.

use super::blobs::{Blobs, missing, path_of};
use super::documents::{Config, Descriptor, Document, Manifest, Run, Saved, Sha256};
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
}

/// A layer that was found.
#[derive(Debug)]
pub(crate) struct LayerBlob {
    /// Its file's name.
    pub(crate) name: String,
    /// As it is stored, and how large it is so, where that is said.
    pub(crate) stored: Option<(Sha256, u64)>,
    /// Unpacked.
    pub(crate) plain: Sha256,
}

impl LayerBlob {
    /// Opens it.
    pub(crate) fn open(&self, blobs: &Blobs) -> Result<File> {
        blobs.open(&self.name)?.ok_or_else(|| missing(&self.name))
    }
}

/// Finds the image for this host's processor.
pub(crate) fn find(blobs: &Blobs) -> Result<Found> {
    if let Some(index) = blobs.document("index.json")? {
        check_layout(blobs)?;
        return layout(blobs, &index);
    }
    match blobs.document("manifest.json")? {
        Some(saved) => archive(blobs, &saved),
        None => Err(Error::NotAnArchive("it has neither an index.json nor a manifest.json".into())),
    }
}

fn check_layout(blobs: &Blobs) -> Result<()> {
    let Some(bytes) = blobs.document("oci-layout")? else { return Err(missing("oci-layout")) };
    let layout: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| Error::Damaged(format!("its oci-layout can't be read: {error}")))?;
    match layout["imageLayoutVersion"].as_str() {
        Some(version) if version.starts_with("1.") => Ok(()),
        _ => Err(Error::Damaged("its oci-layout is of a version that is not known here".into())),
    }
}

fn layout(blobs: &Blobs, index: &[u8]) -> Result<Found> {
    let mut document = Document::parse(index)?;
    for _ in 0..DEPTH {
        let descriptor = match document {
            Document::Index(manifests) => choose(&manifests)?,
            Document::Manifest(manifest) => return made(blobs, manifest),
        };
        document = Document::parse(&blobs.described(&descriptor)?)?;
    }
    Err(Error::Damaged("its indexes point to indexes without end".into()))
}

/// The manifest for this host, of several.
fn choose(manifests: &[Descriptor]) -> Result<Descriptor> {
    // What says how an image was built is listed as one for no system.
    let is_image = |one: &&Descriptor| {
        one.platform.as_ref().is_none_or(|platform| platform.os != "unknown")
            && !one.annotations.contains_key("vnd.docker.reference.type")
    };
    let images: Vec<&Descriptor> = manifests.iter().filter(is_image).collect();
    if let [only] = images[..] {
        return Ok(only.clone());
    }
    let fits = |one: &&&Descriptor| {
        let platform = one.platform.as_ref();
        platform.is_some_and(|p| p.os == "linux" && p.architecture == architecture())
    };
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
            Err(Error::Invalid(format!(
                "it has not one image for linux/{}, but: {what}",
                architecture()
            )))
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

fn made(blobs: &Blobs, manifest: Manifest) -> Result<Found> {
    let config = Config::parse(&blobs.described(&manifest.config)?)?;
    if manifest.layers.len() != config.rootfs.diff_ids.len() {
        return Err(Error::Damaged("its manifest and its config have not the same layers".into()));
    }
    let layer = |(layer, plain): (Descriptor, &Sha256)| {
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
    Ok(Found { config, layers, source: "OCI image" })
}

fn archive(blobs: &Blobs, saved: &[u8]) -> Result<Found> {
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
    let layer =
        |(name, plain): (String, &Sha256)| LayerBlob { name, stored: None, plain: plain.clone() };
    let layers = image.layers.into_iter().zip(&config.rootfs.diff_ids).map(layer).collect();
    Ok(Found { config, layers, source: "Docker archive" })
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
