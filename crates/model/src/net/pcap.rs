//! Packets as a file: the pcap format (draft-ietf-opsawg-pcap; pcap-savefile(5)) with times in nanoseconds, for Ethernet.

use std::time::Duration;

/// Says that times are in nanoseconds, and by its order which end of numbers comes first.
const MAGIC: u32 = 0xa1b2_3c4d;
/// The version of the format.
const VERSION: [u16; 2] = [2, 4];
/// `LINKTYPE_ETHERNET`.
const ETHERNET: u32 = 1;

/// What a file begins with in which at most `snap` bytes of each packet are.
#[must_use]
pub fn header(snap: u32) -> [u8; 24] {
    let mut out = [0; 24];
    out[..4].copy_from_slice(&MAGIC.to_le_bytes());
    out[4..6].copy_from_slice(&VERSION[0].to_le_bytes());
    out[6..8].copy_from_slice(&VERSION[1].to_le_bytes());
    out[16..20].copy_from_slice(&snap.to_le_bytes());
    out[20..].copy_from_slice(&ETHERNET.to_le_bytes());
    out
}

/// What stands before a packet of `length` bytes, of which `kept` follow. `time` is since the epoch.
#[must_use]
pub fn record(time: Duration, kept: usize, length: usize) -> [u8; 16] {
    let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let mut out = [0; 16];
    let fields = [seconds, time.subsec_nanos(), short(kept), short(length)];
    for (place, field) in out.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_other_programs_read_them() {
        let head = "4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000";
        let one = "01000000 02000000 3c000000 8e000000";
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(&header(262_144)), head.replace(' ', ""));
        assert_eq!(hex(&record(Duration::new(1, 2), 60, 142)), one.replace(' ', ""));
    }
}
