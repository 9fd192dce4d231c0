//! Names of entries, normalised: relative, without `.` and `..`, each part and the whole of bearable length.
//!
//! Pure. Whoever holds an [`EntryPath`] need not think of climbing by name any more; symbolic links are the
//! writer's matter.

use std::fmt;

/// The longest name of one part, in bytes: what Linux file systems take.
pub(crate) const PART_LIMIT: usize = 255;
/// The longest path in bytes: one system call must be able to name it (PATH_MAX with its NUL).
pub(crate) const PATH_LIMIT: usize = 4095;

/// A path below the root of a tree; empty means the root itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct EntryPath(Vec<u8>);

impl EntryPath {
    /// Normalises a name as archives have it. Leading slashes are dropped: the image's root is the root.
    pub(crate) fn parse(name: &[u8]) -> Result<Self, &'static str> {
        if name.is_empty() {
            return Err("it has no name");
        }
        let mut out = Vec::with_capacity(name.len());
        for part in name.split(|b| *b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err("it climbs with `..`"),
                part if part.contains(&0) => return Err("its name has a NUL byte"),
                part if part.len() > PART_LIMIT => {
                    return Err("a part of its name is longer than 255 bytes");
                }
                _ => {}
            }
            if !out.is_empty() {
                out.push(b'/');
            }
            out.extend_from_slice(part);
        }
        if out.len() > PATH_LIMIT {
            return Err("its path is longer than 4095 bytes");
        }
        Ok(Self(out))
    }

    /// What lies in this folder under a name, which is one part, and is short enough.
    pub(crate) fn join(&self, name: &[u8]) -> Self {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Self(path)
    }

    /// The normalised bytes, parts separated by one slash.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the root of the tree.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder's path and the last part; nothing for the root.
    pub(crate) fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        match self.0.iter().rposition(|b| *b == b'/') {
            Some(at) => Some((&self.0[..at], &self.0[at + 1..])),
            None => Some((&[], &self.0)),
        }
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_as_archives_have_them() {
        for (name, want) in [
            (&b"./usr/bin/"[..], &b"usr/bin"[..]),
            (b"/etc//passwd", b"etc/passwd"),
            (b"./", b""),
            (b"/", b""),
            (b"a/./b", b"a/b"),
            (b"..a/b..", b"..a/b.."),
            (b"\xff\xfe", b"\xff\xfe"),
        ] {
            assert_eq!(EntryPath::parse(name).unwrap().as_bytes(), want);
        }
        for bad in [&b""[..], b"..", b"a/../b", b"../x", b"/..", b"a\0b", &[b'x'; 256]] {
            assert!(EntryPath::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(EntryPath::parse(&b"abcdefg/".repeat(600)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_beneath(name in prop::collection::vec(
            prop::sample::select(&b"./ab\0\xff"[..]), 0..40))
        {
            if let Ok(path) = EntryPath::parse(&name) {
                let bytes = path.as_bytes();
                prop_assert!(!bytes.starts_with(b"/") && !bytes.ends_with(b"/"));
                prop_assert!(!bytes.contains(&0));
                for part in bytes.split(|b| *b == b'/').filter(|_| !bytes.is_empty()) {
                    prop_assert!(!part.is_empty() && part != b"." && part != b"..");
                }
                // Normalising twice changes nothing.
                if !path.is_root() {
                    prop_assert_eq!(EntryPath::parse(bytes).unwrap(), path);
                }
            }
        }
    }
}
