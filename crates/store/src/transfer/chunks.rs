//! Where large objects are cut: by what is in them, so that what was put in or taken out changes the chunks around it and no others.
//!
//! A rolling sum over the last 64 bytes (gear hash) is asked from the least length on; where its highest 18 bits are zero, there is a cut.
//! Where two sides cut differently they share less, and nothing worse: the cuts are no part of the form.

use std::io::{self, Read};

/// The least length of a chunk, in bytes.
const LEAST: usize = 64 << 10;
/// The longest.
const MOST: usize = super::CHUNK as usize;
/// The bits that are zero at a cut: one in 256 KiB is one.
const MASK: u64 = !0 << (64 - 18);

/// A number for each byte, without a pattern: the splitmix64 sequence.
const GEAR: [u64; 256] = {
    let mut table = [0; 256];
    let (mut state, mut at) = (0_u64, 0);
    while at < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[at] = z ^ (z >> 31);
        at += 1;
    }
    table
};

/// The length of the first chunk of `bytes`, which are at least [`MOST`] or all that there are.
fn first(bytes: &[u8]) -> usize {
    if bytes.len() <= LEAST {
        return bytes.len();
    }
    let end = bytes.len().min(MOST);
    let mut sum = 0_u64;
    for (at, byte) in bytes[..end].iter().enumerate().skip(LEAST - 64) {
        sum = (sum << 1).wrapping_add(GEAR[usize::from(*byte)]);
        if at + 1 >= LEAST && sum & MASK == 0 {
            return at + 1;
        }
    }
    end
}

/// Calls `each` with the chunks of what `input` yields.
pub(super) fn cut<E>(
    input: &mut dyn Read,
    failed: impl Fn(io::Error) -> E,
    each: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut buffer, mut begin) = (Vec::with_capacity(4 * MOST), 0);
    loop {
        if buffer.len() - begin < MOST {
            buffer.drain(..begin);
            begin = 0;
            let room = (4 * MOST - buffer.len()) as u64;
            input.take(room).read_to_end(&mut buffer).map_err(&failed)?;
        }
        if buffer.len() == begin {
            return Ok(());
        }
        let length = first(&buffer[begin..]);
        each(&buffer[begin..begin + length])?;
        begin += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    fn lengths(bytes: &[u8]) -> Vec<usize> {
        let mut all = Vec::new();
        cut(&mut &bytes[..], |error| error, &mut |chunk| {
            all.push(chunk.len());
            Ok(())
        })
        .unwrap();
        all
    }

    /// Other cuts would make all that lies in registries be sent once more: they change only on purpose.
    #[test]
    fn the_cuts_stay_where_they_are() {
        let all = lengths(&bytes(3 << 20));
        assert_eq!(all.iter().sum::<usize>(), 3 << 20);
        assert_eq!(all[..4], [213_065, 440_736, 86_746, 118_487]);
        assert_eq!(lengths(&vec![0; (2 << 20) + 5]), [1 << 20, 1 << 20, 5]);
        assert_eq!(lengths(b""), [0; 0]);
        assert_eq!(lengths(b"x"), [1]);
    }

    #[test]
    fn what_is_put_in_changes_little() {
        let before = bytes(8 << 20);
        let mut after = before.clone();
        after.splice(3_000_000..3_000_000, *b"put in");
        let chunks = |bytes: &[u8]| {
            let mut all = std::collections::HashSet::new();
            cut(&mut &bytes[..], |error| error, &mut |chunk| {
                all.insert(blake3::hash(chunk));
                Ok(())
            })
            .unwrap();
            all
        };
        let (before, after) = (chunks(&before), chunks(&after));
        assert!(after.difference(&before).count() <= 3, "{}", after.len());
    }
}
