//! What is meant where an image is asked for: an image by its name, or by a URL a tree of the store, whatever its name is.

use super::{Image, ImageConfig, Images, facts};
use crate::cas::{Pointer, Reading, RefKind, SCHEME, Tree, read_record};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::NodeKind;
use std::fmt;
use std::str::FromStr;
use volt_model::image::{ImageRef, ImageRefError};

/// What stands where an image is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// `NAME[:TAG]`: an image.
    Image(ImageRef),
    /// `stellarium://REF`: a tree of the store. Where REF is the name of an image it is that, with all that is known of it.
    Tree(Pointer),
}

/// The text means neither an image nor a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NothingMeant(String);

impl Meant {
    /// What others may be called after it: the last word of its name, and what is behind that.
    #[must_use]
    pub fn words(&self) -> (&str, &str) {
        let last = |name: &'_ str| name.rfind('/').map_or(0, |slash| slash + 1);
        match self {
            Self::Image(image) => {
                let tag = image.tag().filter(|tag| *tag != "latest").unwrap_or_default();
                (&image.name()[last(image.name())..], tag)
            }
            Self::Tree(tree) if tree.name.is_empty() => ("tree", ""),
            Self::Tree(tree) => (&tree.name[last(&tree.name)..], ""),
        }
    }
}

impl FromStr for Meant {
    type Err = NothingMeant;

    fn from_str(text: &str) -> std::result::Result<Self, NothingMeant> {
        if text.starts_with(SCHEME) {
            let tree = text.parse().map_err(|e: crate::NoTreeName| NothingMeant(e.to_string()));
            return tree.map(Self::Tree);
        }
        text.parse().map(Self::Image).map_err(|e: ImageRefError| NothingMeant(e.to_string()))
    }
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => write!(f, "{image}"),
            Self::Tree(tree) => write!(f, "{SCHEME}{tree}"),
        }
    }
}

impl From<&ImageRef> for Meant {
    fn from(image: &ImageRef) -> Self {
        Self::Image(image.clone())
    }
}

/// What was found. The tree of what has no name of an image stays while this lives.
#[derive(Debug)]
pub struct FoundImage {
    /// The image; a tree that is none has only what it says of itself.
    pub image: Image,
    _lease: Option<Reading>,
}

impl Images {
    /// Finds what is meant.
    pub fn find(&self, meant: &Meant) -> Result<FoundImage> {
        let found = |image| FoundImage { image, _lease: None };
        let pointer = match meant {
            Meant::Image(name) => return self.inspect(name).map(found),
            Meant::Tree(pointer) => pointer,
        };
        let named = match pointer.tree {
            Some(_) => None,
            None => Some(self.cas.meant_ref(pointer)?),
        };
        if let Some(named) = named.as_ref().filter(|named| named.kind == RefKind::Images) {
            let image = read_record::<Image>(&named.path)?;
            return image.map(found).ok_or_else(|| Error::NoTree(pointer.to_string()));
        }
        let digest = match &named {
            Some(named) => named.tree,
            None => self.cas.resolve(pointer)?,
        };
        let lease = self.cas.lease_to_read()?;
        let tree = self.cas.pinned_tree(&lease, &digest)?;
        refuse_devices(meant, &tree)?;
        let facts = facts::of(&self.cas, &tree)?;
        let image = Image {
            version: Image::VERSION,
            name: name_of(pointer, &digest),
            tree: digest,
            created: named.and_then(|named| named.created).unwrap_or_else(jiff::Timestamp::now),
            size: facts.size,
            entries: facts.entries,
            architecture: facts.architecture,
            os: facts.os,
            source: meant.to_string(),
            config: ImageConfig { boot: facts.boot, ..ImageConfig::default() },
            neutralised: Vec::new(),
            blobs: Vec::new(),
            pulled: None,
        };
        Ok(FoundImage { image, _lease: Some(lease) })
    }
}

/// No image has devices, so nobody who takes one has to do with them.
fn refuse_devices(meant: &Meant, tree: &Tree) -> Result<()> {
    let is_device = |kind: &NodeKind| matches!(kind, NodeKind::Char(_) | NodeKind::Block(_));
    match tree.nodes.iter().find(|node| is_device(&node.kind)) {
        None => Ok(()),
        Some(node) => {
            let path = crate::cas::shown(&node.path);
            Err(Error::Invalid(format!(
                "{meant} has devices, such as {path}, which no image has: `volt image import {meant} NAME` leaves them out"
            )))
        }
    }
}

/// What a tree is called that is no image: by its digest, behind the name that it has where an image could be called so.
fn name_of(pointer: &Pointer, tree: &Digest) -> ImageRef {
    let named = format!("{}@{tree}", pointer.name).parse();
    let named = named.or_else(|_: ImageRefError| format!("stellarium@{tree}").parse());
    named.expect("a digest is that of an image too")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_texts_mean() {
        let digest = Digest::of(b"x");
        for (text, words, name) in [
            ("debian", ("debian", ""), None),
            ("registry.example/team/app:1", ("app", "1"), None),
            ("stellarium://site:2", ("site:2", ""), Some("site:2@")),
            ("stellarium://snapshots/web/Old", ("Old", ""), Some("stellarium@")),
            (&format!("{SCHEME}{digest}"), ("tree", ""), Some("stellarium@")),
        ] {
            let meant: Meant = text.parse().unwrap();
            assert_eq!((meant.to_string(), meant.words()), (text.to_owned(), words));
            if let (Meant::Tree(pointer), Some(name)) = (&meant, name) {
                assert_eq!(name_of(pointer, &digest).to_string(), format!("{name}{digest}"));
            }
        }
        for bad in ["", "A", "stellarium://", "stellarium://blake3:00", "http://x"] {
            assert!(bad.parse::<Meant>().is_err(), "{bad}");
        }
    }
}
