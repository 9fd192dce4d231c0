//! Pulling from registries: what is asked of one, for the store.

use super::{View, existing};
use crate::error::{Error, Result};
use crate::registry::over;
use crate::{Engine, Progress};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::registry::{Account, NoDigest, Remote};
use volt_registry::{Blob, Client};
use volt_store::{ImportOptions, Limits, Origin, Platform, Pulled, Work};

/// The piece in which a download is written, in bytes.
const PIECE: usize = 256 << 10;

/// How to pull from a registry.
#[derive(Clone, Debug, Default)]
pub struct FromRegistry {
    /// For what the image is to be; this host where nothing is said.
    pub platform: Option<String>,
    /// Who the caller is, and at which registry.
    pub account: Option<(String, Account)>,
}

impl Engine {
    /// Makes an image of what a registry has.
    pub(super) fn pull_from_registry(
        &self,
        name: &ImageRef,
        from: FromRegistry,
        force: bool,
        progress: &dyn Progress,
    ) -> Result<View> {
        let config = self.config()?.image;
        let client =
            self.registry_client(from.account, over(progress)).map_err(|e| e.about(name))?;
        let remote = Remote::of(name, &config.registry);
        let platform = match &from.platform {
            Some(text) => text.parse().map_err(|e| Error::from(e).about(name))?,
            None => Platform::only_own(),
        };
        let origin = Asked { client, remote };
        let limits = Limits { bytes: config.max_size.0, ..Limits::default() };
        let options =
            ImportOptions { limits, existing: existing(force), ..ImportOptions::default() };
        let wanted = || self.wanted_trees();
        let work = Work { wanted: &wanted, progress };
        let dir = self.paths().downloads();
        let keep = config.keep_blobs;
        let pulled = Pulled { origin: &origin, platform: &platform, dir: &dir, keep };
        let image = self
            .images()
            .pull(name, pulled, options, work)
            .map_err(|e| Error::from(e).about(name))?;
        if force {
            self.collect_images();
        }
        self.assemble_image(&image, progress);
        self.image_view(image)
    }
}

/// An image of a registry.
pub(crate) struct Asked {
    pub(crate) client: Client,
    pub(crate) remote: Remote,
}

impl Origin for Asked {
    fn place(&self) -> Remote {
        self.remote.clone()
    }

    fn document(&self, digest: Option<&str>) -> volt_store::Result<Vec<u8>> {
        let remote = digest.map_or_else(|| self.remote.clone(), |digest| self.remote.at(digest));
        let document = self.client.manifest(&remote).map_err(|e| elsewhere(&e))?;
        Ok(document.bytes)
    }

    fn fetch(
        &self,
        digest: &str,
        size: u64,
        to: &mut File,
        told: &dyn Fn(u64) -> bool,
    ) -> volt_store::Result<()> {
        let digest = blob_digest(digest)?;
        loop {
            let mut blob = self.client.blob_to_resume(&self.remote, &digest, size);
            match the_rest(&mut blob, to, told) {
                Err(error @ volt_store::Error::Elsewhere { .. }) if blob.is_wrong() => {
                    // Going on with it would never make it right.
                    to.set_len(0).map_err(volt_store::Error::Output)?;
                    if !blob.may_be_right_elsewhere() {
                        return Err(error);
                    }
                }
                end => return end,
            }
        }
    }
}

/// Reads what a file lacks of a blob to its end.
fn the_rest(
    blob: &mut Blob<'_>,
    to: &mut File,
    told: &dyn Fn(u64) -> bool,
) -> volt_store::Result<()> {
    let had = to.seek(SeekFrom::Start(0)).and_then(|_| blob.resume(to));
    let had = had.map_err(|error| match error.downcast::<volt_registry::Error>() {
        Ok(error) => elsewhere(&error),
        Err(error) => volt_store::Error::Output(error),
    });
    told(had?);
    let mut piece = vec![0; PIECE];
    loop {
        let length = match blob.read(&mut piece).map_err(|error| unread(&error))? {
            0 => return Ok(()),
            length => length,
        };
        to.write_all(&piece[..length]).map_err(volt_store::Error::Output)?;
        if !told(length as u64) {
            return Err(volt_store::Error::Cancelled);
        }
    }
}

/// The digest of a blob, which the store has read in a document.
pub(crate) fn blob_digest(text: &str) -> volt_store::Result<volt_registry::Digest> {
    text.parse().map_err(|error: NoDigest| elsewhere(&error.into()))
}

/// An error of a registry as the store has it.
pub(crate) fn elsewhere(error: &volt_registry::Error) -> volt_store::Error {
    match error {
        volt_registry::Error::Cancelled => volt_store::Error::Cancelled,
        error => volt_store::Error::Elsewhere { reason: error.to_string(), kind: error.kind() },
    }
}

/// What a download ended by: the registry's own error where there is one in it.
pub(crate) fn unread(error: &io::Error) -> volt_store::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<volt_registry::Error>());
    match inner {
        Some(inner) => elsewhere(inner),
        None => {
            volt_store::Error::Elsewhere { reason: error.to_string(), kind: ErrorKind::Network }
        }
    }
}
