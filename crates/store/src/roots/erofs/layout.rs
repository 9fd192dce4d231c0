//! Where in the image something goes.

use super::inode::Layout;

/// The size of a block, in bytes.
pub(super) const BLOCK: u64 = 4096;
/// Inodes begin at multiples of this, in bytes; their place is counted in it.
pub(super) const SLOT: u64 = 32;
/// Where the root is: right behind the superblock, since only 16 bits name its place.
pub(super) const ROOT_SLOT: u32 = 36;

/// Goes through the image from front to back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    at: u64,
}

/// Where an inode and its data are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The inode, in units of 32 bytes.
    pub(super) slot: u64,
    /// The first block of the data that is in blocks.
    pub(super) block: u32,
    /// How many bytes of the data, its last, follow the inode.
    pub(super) inline: usize,
}

impl Place {
    /// How the inode says so.
    pub(super) fn layout(&self) -> (Layout, u32) {
        (if self.inline == 0 { Layout::Plain } else { Layout::Inline }, self.block)
    }
}

impl Cursor {
    pub(super) fn behind_superblock() -> Self {
        Self { at: u64::from(ROOT_SLOT) * SLOT }
    }

    /// How many blocks there are so far.
    pub(super) fn blocks(&self) -> u64 {
        self.at.div_ceil(BLOCK)
    }

    /// Data in blocks of its own. The first of them; more than 32 bits can name are found out at the end.
    pub(super) fn plain(&mut self, length: usize) -> u32 {
        let first = self.at.div_ceil(BLOCK);
        // Nothing else may be in the last: the kernel takes what follows the last name for a part of it.
        self.at = (first * BLOCK + length as u64).next_multiple_of(BLOCK);
        u32::try_from(first).unwrap_or(u32::MAX)
    }

    /// An inode with what belongs to it (`head` bytes in all) and its data: whole blocks before it, the rest behind it where
    /// all fits in one block, as it must.
    pub(super) fn place(&mut self, head: usize, data: usize) -> Place {
        let (head, length) = (head as u64, data as u64);
        let rest = length % BLOCK;
        let is_inline = rest > 0 && head + rest <= BLOCK;
        let outside = if is_inline { length - rest } else { length };
        let mut block = 0;
        if outside > 0 {
            block = self.plain(usize::try_from(outside).expect("it is a part of the data"));
        }
        let inline = if is_inline { rest } else { 0 };
        // What must not be parted by a block's end.
        let together = if is_inline { head + inline } else { super::inode::SIZE as u64 };
        let mut at = self.at.next_multiple_of(SLOT);
        if at % BLOCK + together > BLOCK {
            at = at.next_multiple_of(BLOCK);
        }
        self.at = at + head + inline;
        Place {
            slot: at / SLOT,
            block,
            inline: usize::try_from(inline).expect("less than a block"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_overlaps_or_is_parted(sizes in prop::collection::vec((64_usize..9000, 0_usize..20_000), 1..60)) {
            let mut cursor = Cursor::behind_superblock();
            let mut end = u64::from(ROOT_SLOT) * SLOT;
            for (head, data) in sizes {
                let place = cursor.place(head, data);
                let outside = (data - place.inline) as u64;
                if outside > 0 {
                    prop_assert!(u64::from(place.block) * BLOCK >= end);
                    end = u64::from(place.block) * BLOCK + outside;
                }
                let at = place.slot * SLOT;
                prop_assert!(at >= end && at % BLOCK + 64 <= BLOCK);
                end = at + (head + place.inline) as u64;
                prop_assert!(place.inline == 0 || at / BLOCK == (end - 1) / BLOCK);
                prop_assert!(place.inline < 4096 && (place.inline == 0 || outside.is_multiple_of(BLOCK)));
                prop_assert_eq!(cursor.blocks(), end.div_ceil(BLOCK));
            }
        }
    }
}
