//! Contents by digest: read as they come, checked as they are read, and gone on with where they break off.

use super::ask::{Ask, FIRST_WAIT};
use super::{Access, Client};
use crate::error::{Error, Result};
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, RANGE};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use volt_model::registry::{Digest, Hasher, Remote};

/// How often in a row a download may break off without a byte in between, before another place is asked.
const BREAKS: u32 = 5;

/// The piece in which is read what is not handed on, in bytes.
const PIECE: usize = 64 << 10;

/// A blob on its way. What was read of it is only sure once it was read to its end without an error.
#[derive(Debug)]
pub struct Blob<'a> {
    client: &'a Client,
    place: Remote,
    /// Who may have it too.
    others: VecDeque<Remote>,
    digest: Digest,
    /// Where reading ends.
    size: u64,
    /// Whether that is before its end, or the beginning is not its first byte.
    is_part: bool,
    at: u64,
    /// Whether its beginning was read here earlier.
    is_resumed: bool,
    is_wrong: bool,
    breaks: u32,
    response: Option<Response>,
    hasher: Option<Hasher>,
}

impl Client {
    /// Begins to read a blob that is `size` bytes long.
    ///
    /// # Errors
    /// When no place has it.
    pub fn blob(&self, remote: &Remote, digest: &Digest, size: u64) -> Result<Blob<'_>> {
        self.blob_part(remote, digest, size, 0..size)
    }

    /// Begins to read a part of a blob that is `size` bytes long. What is less than all of it can't be checked here.
    ///
    /// # Errors
    /// When no place has it.
    pub fn blob_part(
        &self,
        remote: &Remote,
        digest: &Digest,
        size: u64,
        part: Range<u64>,
    ) -> Result<Blob<'_>> {
        let mut blob = self.blob_to_resume(remote, digest, size);
        (blob.at, blob.size) = (part.start, part.end);
        if part != (0..size) {
            (blob.is_part, blob.hasher) = (true, None);
        }
        if part.start < part.end {
            blob.response = Some(blob.the_rest()?);
        }
        Ok(blob)
    }

    /// A blob that is `size` bytes long, of which some may be here: nothing is asked for before it is read, so that what is taken as
    /// read by [`Blob::resume`] does not come once more.
    #[must_use]
    pub fn blob_to_resume(&self, remote: &Remote, digest: &Digest, size: u64) -> Blob<'_> {
        let mut places: VecDeque<Remote> = self.places(remote).into();
        let origin = places.pop_back().expect("the registry itself is among them");
        places.retain(|mirror| !self.is_distrusted(mirror, digest));
        places.push_back(origin);
        Blob {
            client: self,
            place: places.pop_front().expect("one was put in"),
            others: places,
            digest: digest.clone(),
            size,
            is_part: false,
            at: 0,
            is_resumed: false,
            is_wrong: false,
            breaks: 0,
            response: None,
            hasher: Some(digest.hasher()),
        }
    }
}

impl Blob<'_> {
    /// Takes what was read of it earlier as read, so that only the rest is asked for.
    ///
    /// # Errors
    /// When that can't be read.
    pub fn resume(&mut self, earlier: &mut impl Read) -> io::Result<u64> {
        let mut piece = vec![0; PIECE];
        let mut limited = earlier.take(self.size);
        loop {
            self.client.refuse_over().map_err(io::Error::other)?;
            let length = limited.read(&mut piece)?;
            if length == 0 {
                break;
            }
            self.took(&piece[..length]);
        }
        if self.at > 0 {
            self.response = None;
            self.is_resumed = true;
        }
        Ok(self.at)
    }

    /// Asks one place after the other for the rest. A mirror that fails is as good as none.
    fn the_rest(&mut self) -> Result<Response> {
        loop {
            match self.the_rest_of_place() {
                Err(error) if self.goes_elsewhere(&error) => {}
                rest => return rest,
            }
        }
    }

    /// Turns to the next place, where there is one.
    fn goes_elsewhere(&mut self, why: &dyn std::fmt::Display) -> bool {
        let Some(next) = self.others.pop_front() else { return false };
        tracing::warn!(mirror = %self.place.host, error = %why, "a mirror is passed over");
        if self.at > 0 {
            // Where the whole is wrong, it is read again without the one who broke off.
            self.client.distrust(&self.place, &self.digest);
            self.is_resumed = true;
        }
        self.place = next;
        self.breaks = 0;
        true
    }

    /// Whether it was read to its end and is not what its digest says.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        self.is_wrong
    }

    /// Whether reading it again from its first byte may give what it should be: what was here before may be wrong, or a mirror.
    #[must_use]
    pub fn may_be_right_elsewhere(&self) -> bool {
        self.is_resumed || !self.others.is_empty()
    }

    fn the_rest_of_place(&self) -> Result<Response> {
        let ask = Ask { remote: &self.place, access: Access::Pull, what: self.digest.as_str() };
        let at = self.at;
        let path = format!("blobs/{}", self.digest);
        let response = self.client.ask(&ask, &path, &|http, url| match (at, self.is_part) {
            (0, false) => http.get(url),
            (at, false) => http.get(url).header(RANGE, format!("bytes={at}-")),
            (at, true) => http.get(url).header(RANGE, format!("bytes={at}-{}", self.size - 1)),
        })?;
        let wrong = |reason: &str| Error::Wrong {
            host: self.place.host.clone(),
            what: self.digest.to_string(),
            reason: reason.to_owned(),
        };
        if at == 0 {
            return Ok(response);
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = response.headers().get(CONTENT_RANGE).and_then(|r| r.to_str().ok());
                let begins = range.unwrap_or_default().starts_with(&format!("bytes {at}-"));
                if begins {
                    Ok(response)
                } else {
                    Err(wrong("it is another part than was asked for"))
                }
            }
            // It sends all of it again: what we have is passed over.
            _ => {
                let mut response = response;
                let mut passed = 0;
                let mut piece = vec![0; PIECE];
                while passed < at {
                    self.client.refuse_over()?;
                    let most = usize::try_from(at - passed).unwrap_or(PIECE).min(PIECE);
                    passed += match response.read(&mut piece[..most]) {
                        Ok(length @ 1..) => length as u64,
                        _ => {
                            let (host, reason) = (self.place.host.clone(), "it breaks off".into());
                            return Err(Error::Unreachable { host, reason });
                        }
                    };
                }
                Ok(response)
            }
        }
    }

    fn took(&mut self, bytes: &[u8]) {
        self.at += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    /// The end was reached: whether it is what it should be.
    fn check(&mut self) -> io::Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        if hasher.finish() == self.digest {
            return Ok(());
        }
        self.is_wrong = true;
        if !self.is_resumed && !self.others.is_empty() {
            self.client.distrust(&self.place, &self.digest);
        }
        let text = format!("{} sent other bytes than those of {}", self.place.host, self.digest);
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.client.refuse_over().map_err(io::Error::other)?;
            let left = self.size.saturating_sub(self.at);
            if left == 0 {
                self.response = None;
                return self.check().map(|()| 0);
            }
            if self.response.is_none() {
                self.response = Some(self.the_rest().map_err(io::Error::other)?);
            }
            let Some(response) = &mut self.response else { continue };
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            match response.read(&mut buffer[..most]) {
                Ok(length) if length > 0 => {
                    self.breaks = 0;
                    self.took(&buffer[..length]);
                    return Ok(length);
                }
                end => {
                    self.response = None;
                    self.breaks += 1;
                    if self.breaks > BREAKS {
                        let end = end
                            .map_or_else(|error| error.to_string(), |_| "it ends too early".into());
                        let text = format!("{} breaks off again and again: {end}", self.place.host);
                        if !self.goes_elsewhere(&text) {
                            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                        }
                        continue;
                    }
                    let wait = FIRST_WAIT * 2_u32.pow(self.breaks - 1);
                    tracing::info!(
                        host = self.place.host,
                        at = self.at,
                        ?wait,
                        "a download broke off, and goes on"
                    );
                    self.client.pause(wait).map_err(io::Error::other)?;
                }
            }
        }
    }
}
