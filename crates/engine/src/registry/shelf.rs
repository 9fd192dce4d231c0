//! A repository of a registry, for the store's trees.

use super::send::{Parcel, send};
use crate::Progress;
use crate::image::{blob_digest, elsewhere};
use std::io::Read as _;
use std::ops::Range;
use volt_model::registry::Remote;
use volt_registry::{Client, Error};
use volt_store::{ReadyBlob, Result, Shelf};

/// A repository, and the tag in it that is meant.
pub(crate) struct Repository {
    pub(crate) client: Client,
    pub(crate) remote: Remote,
}

impl Shelf for Repository {
    fn place(&self) -> Remote {
        self.remote.clone()
    }

    fn document(&self, reference: Option<&str>) -> Result<Option<Vec<u8>>> {
        let remote = reference.map_or_else(|| self.remote.clone(), |other| self.remote.at(other));
        match self.client.manifest(&remote) {
            Ok(document) => Ok(Some(document.bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(elsewhere(&error)),
        }
    }

    fn tags(&self) -> Result<Vec<String>> {
        self.client.tags(&self.remote).map_err(|e| elsewhere(&e))
    }

    fn read(&self, digest: &str, size: u64, part: Range<u64>) -> Result<Vec<u8>> {
        let digest = blob_digest(digest)?;
        let length = part.end.saturating_sub(part.start);
        let blob = self.client.blob_part(&self.remote, &digest, size, part);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let read = blob.map_err(|e| elsewhere(&e))?.take(length).read_to_end(&mut bytes);
        read.map_err(|error| crate::image::unread(&error))?;
        Ok(bytes)
    }

    fn send(&self, blobs: &[ReadyBlob], progress: &dyn Progress) -> Result<u64> {
        let parcels: Vec<Parcel<'_>> =
            blobs.iter().map(|blob| Parcel { blob, from: None }).collect();
        let sent = send(&self.client, &self.remote, &parcels, progress);
        let sent = sent.map_err(|error| volt_store::Error::Elsewhere {
            kind: error.kind,
            reason: error.chain().join(": "),
        })?;
        Ok(sent.bytes)
    }

    fn publish(&self, media_type: &str, manifest: &[u8]) -> Result<String> {
        let digest = self.client.push_manifest(&self.remote, media_type, manifest);
        digest.map(|digest| digest.to_string()).map_err(|e| elsewhere(&e))
    }
}
