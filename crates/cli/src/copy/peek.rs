//! What kind of thing a tar archive begins with, from its first bytes: enough to know what a path in a container is.

use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// More than any run of extension headers is long.
const ENOUGH: usize = 1 << 20;

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A folder.
    Folder,
    /// A symbolic link, and where it leads.
    Link(String),
    /// Anything else.
    File,
}

/// Takes the first bytes of an archive until it is known what it begins with.
#[derive(Debug, Default)]
pub(crate) struct Peek {
    bytes: Vec<u8>,
}

impl Peek {
    /// Takes more; what the first entry is, once that is known.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<Kind> {
        if self.bytes.len() < ENOUGH {
            self.bytes.extend_from_slice(bytes);
        }
        let mut at = 0;
        loop {
            let block = self.bytes.get(at..at + BLOCK)?;
            let mut header = Header::new_old();
            header.as_mut_bytes().copy_from_slice(block);
            let kind = header.entry_type();
            let extends = kind.is_gnu_longname()
                || kind.is_gnu_longlink()
                || kind.is_pax_local_extensions()
                || kind.is_pax_global_extensions();
            if !extends {
                return Some(match kind {
                    EntryType::Directory => Kind::Folder,
                    EntryType::Symlink => Kind::Link(
                        String::from_utf8_lossy(&header.link_name_bytes().unwrap_or_default())
                            .into_owned(),
                    ),
                    _ => Kind::File,
                });
            }
            let size = usize::try_from(header.entry_size().ok()?).ok()?;
            at = at.checked_add(BLOCK)?.checked_add(size.checked_next_multiple_of(BLOCK)?)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for (name, kind) in [("a".repeat(200), Kind::Folder), ("b".to_owned(), Kind::Folder)] {
            let mut builder = tar::Builder::new(Vec::new());
            builder.append_dir(&name, folder.path()).unwrap();
            let bytes = builder.into_inner().unwrap();
            let mut peek = Peek::default();
            let found = bytes.chunks(100).find_map(|piece| peek.push(piece));
            assert_eq!(found, Some(kind), "{name}");
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_link_name("/run").unwrap();
        assert_eq!(Peek::default().push(header.as_bytes()), Some(Kind::Link("/run".into())));
        assert_eq!(Peek::default().push(&[0; 100]), None);
    }
}
