//! Names of trees: what a person calls one, and all the ways to say which tree is meant. Pure.

use super::RefKind;
use crate::digest::Digest;
use crate::tree::EntryPath;
use std::fmt;
use std::str::FromStr;
use volt_model::percent;

/// How a URL begins that names a tree or an object of the store.
pub(crate) const SCHEME: &str = "stellarium://";
/// The longest name that a person can give a tree, in bytes.
const NAME_LIMIT: usize = 150;
/// How long it may be as one part of a path, in bytes, where most signs take three.
const FILE_LIMIT: usize = 250;

/// What a person calls a tree: letters, digits and `._-+@:`, in parts with a slash between, the first of them none of the
/// words by which other names begin (`images/`…).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeName(String);

/// The text is no name of a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` can't be the name of a tree: take letters, digits and `._-+@:`, with slashes between parts"
)]
pub struct NoTreeName(String);

impl TreeName {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As one part of a path.
    pub(crate) fn encoded(&self) -> String {
        percent::encode(&self.0)
    }
}

impl fmt::Display for TreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TreeName {
    type Err = NoTreeName;

    fn from_str(text: &str) -> Result<Self, NoTreeName> {
        let good = |c: char| c.is_ascii_alphanumeric() || "._-+@:/".contains(c);
        let bad_part = |part: &str| matches!(part, "" | "." | "..");
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        let reserved =
            RefKind::ALL.iter().any(|kind| text.split('/').next() == Some(kind.folder()))
                || text.starts_with("blake3:");
        if !first
            || reserved
            || text.len() > NAME_LIMIT
            || percent::encode(text).len() > FILE_LIMIT
            || !text.chars().all(good)
            || text.split('/').any(bad_part)
        {
            return Err(NoTreeName(text.chars().take(60).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Which tree is meant: `NAME`, `images/NAME` (and the other kinds of refs), or `blake3:` and its digest; each with
/// `stellarium://` in front or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    /// The tree itself, where it is named by its digest.
    pub(crate) tree: Option<Digest>,
    /// Among which refs to look; all where it isn't said.
    pub(crate) kind: Option<RefKind>,
    /// The name, where it is one.
    pub(crate) name: String,
}

impl FromStr for Pointer {
    type Err = NoTreeName;

    fn from_str(text: &str) -> Result<Self, NoTreeName> {
        let bare = text.strip_prefix(SCHEME).unwrap_or(text);
        if bare.is_empty() || bare.len() > 1024 || bare.contains(char::is_control) {
            return Err(NoTreeName(text.chars().take(60).collect()));
        }
        let pointer = |tree, kind, name: &str| Self {
            text: bare.to_owned(),
            tree,
            kind,
            name: name.to_owned(),
        };
        if bare.starts_with("blake3:") {
            let tree = bare.parse().map_err(|_| NoTreeName(bare.chars().take(80).collect()))?;
            return Ok(pointer(Some(tree), None, ""));
        }
        let kind = bare.split_once('/').and_then(|(first, name)| {
            let kind = RefKind::ALL.into_iter().find(|kind| kind.folder() == first)?;
            (!name.is_empty()).then_some((kind, name))
        });
        Ok(match kind {
            Some((kind, name)) => pointer(None, Some(kind), name),
            None => pointer(None, None, bare),
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A path of a tree as text from which it can be read again: `\xHH` for control characters and bytes that are no UTF-8, `\\`
/// for a backslash.
pub(crate) fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// The path that [`escape`] wrote; a backslash that begins neither form stands for itself.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let (mut out, bytes, mut at) = (Vec::new(), text.as_bytes(), 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let hex = rest.strip_prefix(b"\\x").and_then(|rest| rest.get(..2));
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let (byte, length) = match byte {
            Some(byte) => (byte, 4),
            None if rest.starts_with(b"\\\\") => (b'\\', 2),
            None => (rest[0], 1),
        };
        out.push(byte);
        at += length;
    }
    out
}

/// A path as people see it; the root is `/`.
pub(crate) fn shown(path: &EntryPath) -> String {
    if path.is_root() { "/".into() } else { escape(path.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_pointers() {
        for good in ["debian", "a/b:1", "web-root_2.0", "x@y+z"] {
            let name: TreeName = good.parse().unwrap();
            assert_eq!(percent::decode(&name.encoded()).as_deref(), Some(good));
            assert!(!name.encoded().contains('/'));
        }
        for bad in ["", ".", "..", "a//b", "a/../b", "-a", "images/x", "snapshots/y", "a b", "ä"] {
            assert!(bad.parse::<TreeName>().is_err(), "{bad}");
        }
        assert!("blake3:00".parse::<TreeName>().is_err());
        let deep = |parts: usize| vec!["a"; parts].join("/").parse::<TreeName>();
        assert!(deep(60).is_ok() && deep(75).is_err(), "no file can be called that");
        let digest = Digest::of(b"x");
        let pointer = |text: &str| text.parse::<Pointer>().unwrap();
        assert_eq!(pointer(&format!("stellarium://{digest}")).tree, Some(digest));
        assert_eq!(pointer("images/debian:12").kind, Some(RefKind::Images));
        assert_eq!(pointer("images/debian:12").name, "debian:12");
        assert_eq!(pointer("other/debian").kind, None);
        assert!("blake3:00".parse::<Pointer>().is_err());
    }

    proptest! {
        #[test]
        fn paths_read_back(path in prop::collection::vec(any::<u8>(), 0..60)) {
            let text = escape(&path);
            prop_assert!(!text.contains(char::is_control));
            prop_assert_eq!(unescape(&text), path);
        }
    }
}
