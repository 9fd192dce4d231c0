//! Sending blobs and documents.

use super::ask::Ask;
use super::{Access, Client, base};
use crate::digest::Digest;
use crate::error::{Error, Result};
use reqwest::StatusCode;
use reqwest::Url;
use reqwest::blocking::{Body, Response};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use std::io::Read;
use volt_model::registry::Remote;

/// A blob to be sent.
#[derive(Clone, Copy)]
pub struct Outgoing<'a, R> {
    /// Its digest.
    pub digest: &'a Digest,
    /// Its size in bytes.
    pub size: u64,
    /// A repository of the same registry that may have it.
    pub from: Option<&'a str>,
    /// Opens it, anew for each try.
    pub open: &'a dyn Fn() -> std::io::Result<R>,
}

impl<R> std::fmt::Debug for Outgoing<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.digest.as_str())
    }
}

impl Client {
    /// Whether the registry has a blob.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn has_blob(&self, remote: &Remote, digest: &Digest) -> Result<bool> {
        let ask = Ask { remote, access: Access::Push, what: digest.as_str() };
        match self.ask(&ask, &format!("blobs/{digest}"), &|http, url| http.head(url)) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a blob. Returns whether its bytes had to be sent.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub fn push_blob<R: Read + Send + 'static>(
        &self,
        remote: &Remote,
        blob: &Outgoing<'_, R>,
    ) -> Result<bool> {
        let Outgoing { digest, size, from, open } = *blob;
        if self.has_blob(remote, digest)? {
            return Ok(false);
        }
        let ask = Ask { remote, access: Access::Push, what: digest.as_str() };
        let begun = self.ask(&ask, "blobs/uploads/", &|http, url| {
            let request = http.post(url).header(CONTENT_LENGTH, 0);
            match from {
                Some(from) => request.query(&[("mount", digest.as_str()), ("from", from)]),
                None => request,
            }
        })?;
        if begun.status() == StatusCode::CREATED {
            return Ok(false);
        }
        let mut place = self.location(remote, &begun)?;
        place.query_pairs_mut().append_pair("digest", digest.as_str());
        self.ask(&ask, place.as_str(), &|http, url| {
            let request = http.put(url).header(CONTENT_TYPE, "application/octet-stream");
            match open() {
                Ok(reader) => request.body(Body::sized(reader, size)),
                Err(error) => {
                    tracing::warn!(%error, "what is to be sent can't be read");
                    request
                }
            }
        })?;
        Ok(true)
    }

    /// Sends a document under the reference of `remote`. Returns its digest.
    ///
    /// # Errors
    /// When the registry refuses it, or lacks a blob that it names.
    pub fn push_manifest(&self, remote: &Remote, media_type: &str, bytes: &[u8]) -> Result<Digest> {
        let what = format!("{}:{}", remote.repository, remote.reference);
        let ask = Ask { remote, access: Access::Push, what: &what };
        self.ask(&ask, &format!("manifests/{}", remote.reference), &|http, url| {
            http.put(url).header(CONTENT_TYPE, media_type).body(bytes.to_vec())
        })?;
        Ok(Digest::of(bytes))
    }

    /// Where an upload goes on, which must be at the same registry.
    fn location(&self, remote: &Remote, response: &Response) -> Result<Url> {
        let wrong = |reason: &str| Error::Wrong {
            host: remote.host.clone(),
            what: "upload".into(),
            reason: reason.to_owned(),
        };
        let text = response.headers().get(LOCATION).and_then(|text| text.to_str().ok());
        let text = text.ok_or_else(|| wrong("it says not where it goes on"))?;
        let scheme = self.schemes(&remote.host).first().copied().unwrap_or("https");
        let own = Url::parse(&base(scheme, &remote.host)).map_err(|_| wrong("it has no URL"))?;
        let place = own.join(text).map_err(|_| wrong("it goes on at no URL"))?;
        // Our credentials go there.
        if place.host_str() != own.host_str() || place.scheme() != own.scheme() {
            return Err(wrong("it goes on at another host"));
        }
        Ok(place)
    }
}
