//! One header block of a tar archive: V7, ustar and GNU. Pure.

use super::BLOCK;

/// The fields of a header block that matter here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) flag: u8,
    pub(super) mode: u32,
    pub(super) uid: i128,
    pub(super) gid: i128,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) device: (i128, i128),
}

/// Offsets and lengths of a sparse file's data.
type Map = Vec<(u64, u64)>;

/// The block as bytes, with its ranges by name.
pub(super) struct Block<'a>(pub(super) &'a [u8; BLOCK]);

impl<'a> Block<'a> {
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|b| *b == 0)
    }

    fn text(&self, from: usize, to: usize) -> &'a [u8] {
        let field = &self.0[from..to];
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        &field[..end]
    }

    /// Old archivers summed signed bytes; either sum will do.
    fn checksum_is_right(&self) -> bool {
        let Some(want) = number(&self.0[148..156]) else { return false };
        let bytes = || {
            self.0.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { b' ' } else { *b })
        };
        let unsigned: i128 = bytes().map(i128::from).sum();
        let signed: i128 = bytes().map(|b| i128::from(b.cast_signed())).sum();
        want == unsigned || want == signed
    }

    /// Parses the block; the reason where it is none.
    pub(super) fn parse(&self) -> Result<Header, &'static str> {
        if !self.checksum_is_right() {
            return Err("the header's checksum is wrong");
        }
        let posix = &self.0[257..263] == b"ustar\0";
        let gnu = &self.0[257..265] == b"ustar  \0";
        let field = |from, to, what| number(&self.0[from..to]).ok_or(what);
        let size = field(124, 136, "its size is no number")?;
        let mtime = field(136, 148, "its time is no number")?;
        let device = if posix || gnu {
            (number(&self.0[329..337]).unwrap_or(0), number(&self.0[337..345]).unwrap_or(0))
        } else {
            (0, 0)
        };
        let mut name = self.text(0, 100).to_vec();
        let prefix = if posix { self.text(345, 500) } else { &[] };
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        Ok(Header {
            name,
            link: self.text(157, 257).to_vec(),
            flag: self.0[156],
            mode: u32::try_from(field(100, 108, "its mode is no number")? & 0o7777).unwrap_or(0),
            uid: field(108, 116, "its owner is no number")?,
            gid: field(116, 124, "its group is no number")?,
            size: u64::try_from(size).map_err(|_| "its size is negative or absurd")?,
            mtime: i64::try_from(mtime).map_err(|_| "its time is absurd")?,
            device,
        })
    }

    /// The four segments of an old GNU sparse header, whether more blocks follow, and the real size.
    pub(super) fn gnu_sparse(&self) -> Option<(Map, bool, u64)> {
        let real = u64::try_from(number(&self.0[483..495])?).ok()?;
        Some((segments(&self.0[386..482])?, self.0[482] != 0, real))
    }

    /// The 21 segments of a block that continues an old GNU sparse header, and whether more follow.
    pub(super) fn gnu_sparse_more(&self) -> Option<(Map, bool)> {
        Some((segments(&self.0[..504])?, self.0[504] != 0))
    }
}

fn segments(bytes: &[u8]) -> Option<Map> {
    let mut out = Vec::new();
    for pair in bytes.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let offset = u64::try_from(number(&pair[..12])?).ok()?;
        out.push((offset, u64::try_from(number(&pair[12..])?).ok()?));
    }
    Some(out)
}

/// A numeric field: octal digits between blanks, or GNU's base-256. An empty field is 0.
fn number(field: &[u8]) -> Option<i128> {
    match field.first()? {
        0x80 | 0xff => {
            let negative = field[0] == 0xff;
            let (head, tail) =
                field[1..].split_at(field.len().saturating_sub(1).saturating_sub(15));
            // What does not fit 15 bytes must be nothing but the sign.
            if head.iter().any(|b| *b != if negative { 0xff } else { 0 }) {
                return None;
            }
            let start = if negative { -1i128 } else { 0 };
            Some(tail.iter().fold(start, |n, b| (n << 8) | i128::from(*b)))
        }
        _ => {
            let text = field.trim_ascii_start();
            let end = text.iter().position(|b| !(b'0'..=b'7').contains(b)).unwrap_or(text.len());
            let (digits, rest) = text.split_at(end);
            let blank = rest.iter().all(|b| matches!(b, 0 | b' '));
            // Some writers leave rubbish behind the NUL that ends the number.
            if !blank && rest.first() != Some(&0) {
                return None;
            }
            Some(digits.iter().fold(0, |n, b| (n << 3) | i128::from(b - b'0')))
        }
    }
}

/// Writes a number as octal digits with a NUL; false where it does not fit.
pub(super) fn put_octal(field: &mut [u8], value: u64) -> bool {
    let width = field.len() - 1;
    let text = format!("{value:0width$o}");
    if text.len() > width {
        return false;
    }
    field[..width].copy_from_slice(text.as_bytes());
    field[width] = 0;
    true
}

/// Fills in the checksum of a finished block.
pub(super) fn seal(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    put_octal(&mut block[148..155], sum);
    block[155] = b' ';
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_archivers_write_them() {
        for (field, want) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"12345670", Some(0o12345670)),
            (b"\x80\0\0\0\0\0\x01\0", Some(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"8", None),
            (b"12x45\0\0\0", None),
            (b"-1\0\0\0\0\0\0", None),
        ] {
            assert_eq!(number(field), want, "{field:?}");
        }
        let mut huge = [0x80u8; 24];
        huge[1..].fill(0xff);
        assert_eq!(number(&huge), None);
    }

    proptest::proptest! {
        #[test]
        fn octal_reads_back(value in 0u64..0o77777777777) {
            let mut field = [0; 12];
            assert!(put_octal(&mut field, value));
            assert_eq!(number(&field), Some(i128::from(value)));
        }
    }
}
