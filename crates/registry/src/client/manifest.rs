//! Documents: indexes and manifests, by name or by digest.

use super::ask::Ask;
use super::{Access, Client};
use crate::error::{Error, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use volt_model::registry::{Digest, Remote};

/// The largest document, in bytes: what the specification has registries take at least.
const LIMIT: u64 = 4 << 20;

/// What is understood.
const TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json";

/// A document as the registry has it, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its bytes, of which the digest is true.
    pub bytes: Vec<u8>,
    /// What the registry says it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
}

impl Client {
    /// The document that a tag or a digest names.
    ///
    /// # Errors
    /// When no place has it, it is too large, or is not what its digest says.
    pub fn manifest(&self, remote: &Remote) -> Result<Document> {
        self.first(remote, |place| self.manifest_of(place))
    }

    fn manifest_of(&self, remote: &Remote) -> Result<Document> {
        use std::io::Read as _;
        let host = &remote.host;
        let what = format!("{}:{}", remote.repository, remote.reference);
        let ask = Ask { remote, access: Access::Pull, what: &what };
        let path = format!("manifests/{}", remote.reference);
        let response = self.ask(&ask, &path, &|http, url| http.get(url).header(ACCEPT, TYPES))?;
        let wrong =
            |reason: String| Error::Wrong { host: host.clone(), what: "manifest".into(), reason };
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|text| text.to_str().ok());
        let media_type = media_type.unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
        let mut bytes = Vec::new();
        let read = response.take(LIMIT + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::Unreachable { host: host.clone(), reason: error.to_string() })?;
        if bytes.len() as u64 > LIMIT {
            return Err(wrong("it is larger than 4 MiB".into()));
        }
        let digest = match remote.reference.contains(':') {
            false => Digest::of(&bytes),
            true => {
                let asked: Digest = remote.reference.parse()?;
                if !asked.names(&bytes) {
                    return Err(wrong(format!("it is not {asked}")));
                }
                asked
            }
        };
        Ok(Document { bytes, media_type, digest })
    }
}
