//! Sending blobs and documents.
//!
//! A blob that the registry has is not sent again; one that another of its repositories has is taken over from there. Small ones go in one
//! piece, others in pieces, and one that breaks off goes on where the registry says it stands.

use super::ask::Ask;
use super::{Access, Client, base};
use crate::error::{Error, Result};
use reqwest::blocking::{Body, Response};
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RANGE,
};
use reqwest::{Method, StatusCode, Url};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;
use volt_model::registry::{Digest, Remote};

/// The pieces in which larger blobs are sent, in bytes. Some registries take at least 5 MiB, others no more than some 10.
const PIECE: u64 = 8 << 20;
/// The largest piece, whatever a registry asks for.
const LARGEST_PIECE: u64 = 512 << 20;
/// How often in a row sending may break off without a piece in between.
const BREAKS: u32 = 5;
/// How long is waited after a break; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// The slowest line that is waited for, in bytes a second.
const SLOWEST: u64 = 8 << 10;
/// What a registry says of the pieces it takes.
const LEAST_PIECE: &str = "oci-chunk-min-length";

/// Opens a blob from a byte on.
pub type Open<'a> = &'a (dyn Fn(u64) -> io::Result<Box<dyn Read + Send>> + Sync);
/// Is told how many bytes of a blob were sent, and says whether to go on.
pub type Told = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// A blob to be sent.
#[derive(Clone)]
pub struct Outgoing<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// Its size in bytes.
    pub size: u64,
    /// A repository of the same registry that may have it.
    pub from: Option<&'a str>,
    /// Opens it, anew for each piece and each try.
    pub open: Open<'a>,
    /// Told how far it is.
    pub told: Told,
}

impl std::fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.digest.as_str())
    }
}

/// Where an upload goes on, and how far it is.
struct Upload {
    place: Url,
    at: u64,
    piece: u64,
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
    /// When the registry refuses it; `Cancelled`.
    pub fn push_blob(&self, remote: &Remote, blob: &Outgoing<'_>) -> Result<bool> {
        if self.has_blob(remote, blob.digest)? {
            return Ok(false);
        }
        let Some(mut upload) = self.begin(remote, blob)? else { return Ok(false) };
        let (mut breaks, mut wait) = (0, FIRST_WAIT);
        loop {
            let before = upload.at;
            let error = match self.go_on(remote, blob, &mut upload) {
                Ok(()) => return Ok(true),
                Err(error) => error,
            };
            if !(blob.told)(upload.at) {
                return Err(Error::Cancelled);
            }
            if upload.at > before {
                (breaks, wait) = (0, FIRST_WAIT);
            }
            breaks += 1;
            if breaks > BREAKS || !may_go_on(&error) {
                return Err(error);
            }
            tracing::info!(%error, at = upload.at, "an upload broke off, and goes on");
            self.pause(wait)?;
            wait *= 2;
            upload = match self.stands_at(remote, blob, &upload)? {
                Some(upload) => upload,
                // The registry has forgotten it.
                None => match self.begin(remote, blob)? {
                    Some(upload) => upload,
                    None => return Ok(true),
                },
            };
        }
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

    /// Begins an upload; nothing where the registry took the blob over from another of its repositories.
    fn begin(&self, remote: &Remote, blob: &Outgoing<'_>) -> Result<Option<Upload>> {
        let ask = Ask { remote, access: Access::Push, what: blob.digest.as_str() };
        let post = |from: Option<&str>| {
            self.ask(&ask, "blobs/uploads/", &|http, url| {
                let request = http.post(url).header(CONTENT_LENGTH, 0);
                match from {
                    Some(from) => request.query(&[("mount", blob.digest.as_str()), ("from", from)]),
                    None => request,
                }
            })
        };
        let begun = match post(blob.from) {
            // We may have no right to see the other one.
            Err(Error::Denied { .. } | Error::NotFound { .. }) if blob.from.is_some() => {
                post(None)?
            }
            begun => begun?,
        };
        if begun.status() == StatusCode::CREATED {
            return Ok(None);
        }
        let least =
            begun.headers().get(LEAST_PIECE).and_then(|text| text.to_str().ok()?.parse().ok());
        let piece = least.unwrap_or(PIECE).clamp(PIECE, LARGEST_PIECE);
        Ok(Some(Upload { place: self.location(remote, begun.headers(), None)?, at: 0, piece }))
    }

    /// Sends what is left of a blob; `upload` says how far it came.
    fn go_on(&self, remote: &Remote, blob: &Outgoing<'_>, upload: &mut Upload) -> Result<()> {
        let is_in_pieces = blob.size > upload.piece;
        while is_in_pieces && upload.at < blob.size {
            let length = upload.piece.min(blob.size - upload.at);
            let (place, at) = (upload.place.clone(), upload.at);
            let response =
                self.send_piece(remote, blob, (Method::PATCH, place, at..at + length))?;
            upload.place = self.location(remote, response.headers(), Some(&upload.place))?;
            upload.at = range_end(response.headers()).unwrap_or(at + length).min(at + length);
            if upload.at <= at {
                let (host, what) = (remote.host.clone(), "upload".to_owned());
                return Err(Error::Wrong { host, what, reason: "it takes nothing".into() });
            }
        }
        let mut place = upload.place.clone();
        place.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        let rest = if is_in_pieces { blob.size..blob.size } else { 0..blob.size };
        self.send_piece(remote, blob, (Method::PUT, place, rest)).map(drop)
    }

    /// Sends a part of a blob to a place, once.
    fn send_piece(
        &self,
        remote: &Remote,
        blob: &Outgoing<'_>,
        (method, place, part): (Method, Url, std::ops::Range<u64>),
    ) -> Result<Response> {
        let ask = Ask { remote, access: Access::Push, what: blob.digest.as_str() };
        let length = part.end - part.start;
        let unread = std::cell::RefCell::new(None);
        let response = self.ask_once(&ask, place.as_str(), &|http, url| {
            let limit = super::SILENCE_LIMIT + Duration::from_secs(length / SLOWEST);
            let request = http.request(method.clone(), url).timeout(limit);
            let request = request.header(CONTENT_TYPE, "application/octet-stream");
            if length == 0 {
                return request.header(CONTENT_LENGTH, 0);
            }
            let request = match method {
                Method::PATCH => {
                    let range = format!("{}-{}", part.start, part.end - 1);
                    request.header(CONTENT_RANGE, range)
                }
                _ => request,
            };
            match (blob.open)(part.start) {
                Ok(reader) => {
                    let (told, at) = (Arc::clone(&blob.told), part.start);
                    request
                        .body(Body::sized(Counted { inner: reader.take(length), at, told }, length))
                }
                Err(error) => {
                    unread.replace(Some(error));
                    request
                }
            }
        });
        if let Some(error) = unread.take() {
            return Err(Error::Unread(error));
        }
        let response = response?;
        if response.status().is_success() { Ok(response) } else { Err(self.failed(&ask, response)) }
    }

    /// How far an upload is that broke off, as the registry says; nothing where it doesn't know it any more.
    fn stands_at(
        &self,
        remote: &Remote,
        blob: &Outgoing<'_>,
        upload: &Upload,
    ) -> Result<Option<Upload>> {
        // In one piece it is sent anew.
        if blob.size <= upload.piece {
            return Ok(None);
        }
        let ask = Ask { remote, access: Access::Push, what: blob.digest.as_str() };
        let found = self.ask(&ask, upload.place.as_str(), &|http, url| http.get(url));
        let response = match found {
            Err(Error::NotFound { .. } | Error::Refused { .. }) => return Ok(None),
            found => found?,
        };
        let at = range_end(response.headers()).unwrap_or(0);
        if at > blob.size {
            return Ok(None);
        }
        let place = self.location(remote, response.headers(), Some(&upload.place))?;
        Ok(Some(Upload { place, at, piece: upload.piece }))
    }

    /// Where an upload goes on, which must be at the same registry; where it isn't said, at the place `before`.
    fn location(&self, remote: &Remote, headers: &HeaderMap, before: Option<&Url>) -> Result<Url> {
        let wrong = |reason: &str| Error::Wrong {
            host: remote.host.clone(),
            what: "upload".into(),
            reason: reason.to_owned(),
        };
        let text = match (text_of(headers, &LOCATION), before) {
            (Some(text), _) => text,
            (None, Some(before)) => return Ok(before.clone()),
            (None, None) => return Err(wrong("it says not where it goes on")),
        };
        let scheme = self.schemes(&remote.host).first().copied().unwrap_or("https");
        let own = Url::parse(&base(scheme, &remote.host)).map_err(|_| wrong("it has no URL"))?;
        let place = own.join(text).map_err(|_| wrong("it goes on at no URL"))?;
        // Our credentials go there.
        if place.origin() != own.origin() {
            return Err(wrong("it goes on at another host"));
        }
        Ok(place)
    }
}

/// Whether what failed may succeed when the upload goes on.
fn may_go_on(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::NotFound { .. } => true,
        Error::Refused { status, .. } => matches!(status, 408 | 416 | 429 | 500 | 502..=599),
        _ => false,
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|text| text.to_str().ok())
}

/// How many bytes a registry has of an upload: `Range: 0-N`, where it says so.
fn range_end(headers: &HeaderMap) -> Option<u64> {
    let range = text_of(headers, &RANGE)?;
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    // `0-0` stands for nothing and for one byte; nobody's first piece is that short.
    (first.trim() == "0").then(|| if last == 0 { 0 } else { last.saturating_add(1) })
}

/// Tells how far it is read, and ends where nobody wants it any more.
struct Counted {
    inner: io::Take<Box<dyn Read + Send>>,
    at: u64,
    told: Told,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.at += length as u64;
        if (self.told)(self.at) {
            return Ok(length);
        }
        Err(io::Error::other("it is no longer wanted"))
    }
}
