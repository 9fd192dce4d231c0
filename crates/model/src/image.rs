//! References to images: `debian:trixie`, `debian-minimal`, `registry.example/team/app:1.2`, `name@sha256:…`.

use crate::percent;
use std::fmt;
use std::str::FromStr;

/// A parsed reference. Without a tag or digest it means `latest`, which is not printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRef {
    name: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no [`ImageRef`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is no image reference: {reason}")]
pub struct ImageRefError {
    text: String,
    reason: &'static str,
}

impl ImageRef {
    /// The name without tag and digest, such as `registry.example/team/app`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag, `latest` where neither tag nor digest was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag.as_deref(),
        }
    }

    /// The digest, such as `sha256:…`.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// One safe file name for the reference, always with its tag: percent-encoded.
    #[must_use]
    pub fn encoded(&self) -> String {
        let mut full = self.name.clone();
        if let Some(tag) = self.tag() {
            full = format!("{full}:{tag}");
        }
        if let Some(digest) = &self.digest {
            full = format!("{full}@{digest}");
        }
        percent::encode(&full)
    }

    /// The reference that [`ImageRef::encoded`] made a file name of.
    ///
    /// # Errors
    /// When the file name was not made so.
    pub fn decode(file_name: &str) -> Result<Self, ImageRefError> {
        let wrong = |reason| ImageRefError { text: file_name.to_owned(), reason };
        percent::decode(file_name).ok_or_else(|| wrong("bad escape"))?.parse()
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("the name is empty");
    }
    if name.len() > 255 {
        return Err("the name is longer than 255 characters");
    }
    let mut parts = name.split('/').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    let has_host = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    if has_host {
        let (host, port) = first.split_once(':').unwrap_or((first, "0"));
        let label = |l: &str| {
            let ok = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !l.is_empty() && l.chars().all(ok) && !l.starts_with('-') && !l.ends_with('-')
        };
        if !host.split('.').all(label) || port.parse::<u16>().is_err() {
            return Err("the registry's host name is wrong");
        }
        parts.next();
    }
    for part in parts {
        let edges = part.starts_with(['.', '-', '_']) || part.ends_with(['.', '-', '_']);
        let ok = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_');
        if part.is_empty() || edges || part.contains("..") || !part.chars().all(ok) {
            return Err("each part of the name is a-z, 0-9 and single . - _ between them");
        }
    }
    Ok(())
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let ok = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if tag.is_empty() || tag.len() > 128 || tag.starts_with(['.', '-']) || !tag.chars().all(ok) {
        return Err("a tag is 1 to 128 of A-Z, a-z, 0-9, . _ - and begins with none of . -");
    }
    Ok(())
}

fn check_digest(digest: &str) -> Result<(), &'static str> {
    let lengths = [("sha256", 64), ("sha512", 128), ("blake3", 64)];
    let (algorithm, hex) = digest.split_once(':').unwrap_or_default();
    let known = lengths.iter().any(|(name, n)| *name == algorithm && hex.len() == *n);
    if !known || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("a digest is sha256:, sha512: or blake3: and lower-case hex");
    }
    Ok(())
}

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        let wrong = |reason| ImageRefError { text: text.chars().take(80).collect(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon behind the last slash separates a tag; one before it belongs to the host's port.
        let after_slash = rest.rfind('/').map_or(0, |i| i + 1);
        let (name, tag) = match rest[after_slash..].rfind(':') {
            Some(i) => (&rest[..after_slash + i], Some(&rest[after_slash + i + 1..])),
            None => (rest, None),
        };
        check_name(name).map_err(wrong)?;
        tag.map_or(Ok(()), check_tag).map_err(wrong)?;
        digest.map_or(Ok(()), check_digest).map_err(wrong)?;
        let tag = tag.filter(|t| *t != "latest" || digest.is_some());
        Ok(Self {
            name: name.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.name.clone();
        if let Some(tag) = &self.tag {
            text = format!("{text}:{tag}");
        }
        if let Some(digest) = &self.digest {
            text = format!("{text}@{digest}");
        }
        f.pad(&text)
    }
}

crate::serde_by_text!(ImageRef);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_forms_people_write() {
        for (text, name, tag) in [
            ("debian", "debian", Some("latest")),
            ("debian:trixie", "debian", Some("trixie")),
            ("debian:latest", "debian", Some("latest")),
            ("registry.example:5000/team/app:1.2", "registry.example:5000/team/app", Some("1.2")),
            ("localhost/app", "localhost/app", Some("latest")),
        ] {
            let parsed: ImageRef = text.parse().unwrap();
            assert_eq!((parsed.name(), parsed.tag()), (name, tag), "{text}");
        }
        let digest = format!("app@sha256:{}", "a".repeat(64));
        assert_eq!(digest.parse::<ImageRef>().unwrap().tag(), None);
        assert_eq!(digest.parse::<ImageRef>().unwrap().to_string(), digest);
    }

    #[test]
    fn what_is_refused() {
        for bad in
            ["", ":x", "../etc", "a//b", "A", "a:b:c", "a@sha256:xyz", "-a", "a/../b", "/a", "a/"]
        {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn encoding_leads_back(text in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}(:[A-Za-z0-9_.-]{1,10})?") {
            if let Ok(parsed) = text.parse::<ImageRef>() {
                let file = parsed.encoded();
                prop_assert!(!file.contains('/') && !file.starts_with('.'));
                prop_assert_eq!(ImageRef::decode(&file).unwrap(), parsed);
            }
        }

        #[test]
        fn never_panics(text in ".{0,100}") {
            drop(text.parse::<ImageRef>());
            drop(ImageRef::decode(&text));
        }
    }
}
