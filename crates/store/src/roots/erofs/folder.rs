//! The data of a folder: blocks of entries and, behind them, their names, in the order of the names' bytes.

use super::inode::FOLDER;
use super::layout::BLOCK;

/// The size of an entry without its name, in bytes.
const ENTRY: usize = 12;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child {
    /// Where its inode is, in units of 32 bytes.
    pub(super) slot: u32,
    /// What it is.
    pub(super) kind: u8,
}

/// A folder's data under way.
#[derive(Debug)]
pub(super) struct Folder {
    /// Whole blocks.
    done: Vec<u8>,
    /// The entries of the block under way, each with the length of its name.
    entries: Vec<(Child, u16)>,
    /// The names of these.
    names: Vec<u8>,
    /// The folder itself and the one above, until their turn comes.
    dots: std::vec::IntoIter<(&'static [u8], Child)>,
}

impl Folder {
    /// An empty folder that is at `this`, in the folder at `above`.
    pub(super) fn new(this: u32, above: u32) -> Self {
        let child = |slot| Child { slot, kind: FOLDER };
        let dots: Vec<(&[u8], Child)> = vec![(b".", child(this)), (b"..", child(above))];
        let dots = dots.into_iter();
        Self { done: Vec::new(), entries: Vec::new(), names: Vec::new(), dots }
    }

    /// Adds a name; they come in the order of their bytes.
    pub(super) fn add(&mut self, name: &[u8], child: Child) {
        while let Some((dot, this)) =
            self.dots.as_slice().first().copied().filter(|(dot, _)| *dot < name)
        {
            self.dots.next();
            self.push(dot, this);
        }
        self.push(name, child);
    }

    /// The data. The last block is as long as need be.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while let Some((dot, this)) = self.dots.next() {
            self.push(dot, this);
        }
        self.flush();
        self.done
    }

    fn push(&mut self, name: &[u8], child: Child) {
        let length = (self.entries.len() + 1) * ENTRY + self.names.len() + name.len();
        if length as u64 > BLOCK {
            self.flush();
            // The names of a block that is not the last end with zeros.
            let whole = (self.done.len() as u64).next_multiple_of(BLOCK);
            self.done.resize(usize::try_from(whole).expect("it is in memory"), 0);
        }
        let name_length = u16::try_from(name.len()).expect("names have at most 255 bytes");
        self.entries.push((child, name_length));
        self.names.extend_from_slice(name);
    }

    fn flush(&mut self) {
        let mut name_at = self.entries.len() * ENTRY;
        for (child, length) in self.entries.drain(..) {
            self.done.extend_from_slice(&u64::from(child.slot).to_le_bytes());
            let offset = u16::try_from(name_at).expect("it is within a block");
            self.done.extend_from_slice(&offset.to_le_bytes());
            self.done.extend_from_slice(&[child.kind, 0]);
            name_at += usize::from(length);
        }
        self.done.append(&mut self.names);
    }
}
