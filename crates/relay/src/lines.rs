//! Cutting a stream of bytes into lines for the log, whatever the bytes are.

/// The longest line that is logged in one piece, in bytes: what journald itself takes for one line.
pub(crate) const MAX_LINE: usize = 48 * 1024;

/// Cuts one stream.
#[derive(Debug, Default)]
pub(crate) struct LineCutter {
    partial: Vec<u8>,
    /// The beginning of the current line was logged already, because it was too long or came slowly.
    continued: bool,
}

impl LineCutter {
    /// Takes bytes as they come and hands over each whole line, without its line end.
    pub(crate) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if ends && self.partial.is_empty() && text.len() <= MAX_LINE {
                self.end(text, &mut each);
                continue;
            }
            self.partial.extend_from_slice(text);
            let mut done = 0;
            while self.partial.len() - done > MAX_LINE {
                let cut = boundary(&self.partial[done..], MAX_LINE);
                each(&self.partial[done..done + cut]);
                done += cut;
                self.continued = true;
            }
            self.partial.drain(..done);
            if ends {
                let line = std::mem::take(&mut self.partial);
                self.end(&line, &mut each);
            }
        }
    }

    fn end(&mut self, line: &[u8], each: &mut impl FnMut(&[u8])) {
        // A terminal ends its lines with both.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !(line.is_empty() && self.continued) {
            each(line);
        }
        self.continued = false;
    }

    /// Hands over the line that has begun and not ended.
    pub(crate) fn flush(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            each(&self.partial);
            self.partial.clear();
            self.continued = true;
        }
    }

    /// Whether a line has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }
}

/// The last place at or before `limit` where no UTF-8 character is cut, or `limit` where the bytes are no UTF-8.
fn boundary(bytes: &[u8], limit: usize) -> usize {
    (limit - 3..=limit)
        .rev()
        .find(|at| bytes.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80))
        .unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut cutter, mut lines) = (LineCutter::default(), Vec::new());
        for piece in pieces {
            cutter.push(piece, |line| lines.push(line.to_vec()));
        }
        cutter.flush(|line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_are_cut_at_their_ends_only() {
        type Pieces<'a> = &'a [&'a [u8]];
        let cases: [(Pieces<'_>, Pieces<'_>); 6] = [
            (&[b"a\nb\n"], &[b"a", b"b"]),
            (&[b"a", b"b\n", b"\n"], &[b"ab", b""]),
            (&[b"a\r\n", b"b\r", b"\n"], &[b"a", b"b"]),
            (&[b"a\0b\n"], &[b"a\0b"]),
            (&[b"rest"], &[b"rest"]),
            (&[], &[]),
        ];
        for (pieces, lines) in cases {
            assert_eq!(cut(pieces), lines);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let text = "é".repeat(MAX_LINE);
        let lines = cut(&[b"x", text.as_bytes(), b"\n"]);
        assert!(lines.iter().all(|line| line.len() <= MAX_LINE));
        let joined: String = lines.iter().map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(joined, format!("x{text}"));
    }

    #[test]
    fn a_flushed_line_goes_on_without_an_empty_one() {
        let (mut cutter, mut lines) = (LineCutter::default(), Vec::new());
        cutter.push(b"$ ", |_| panic!("no line yet"));
        assert!(cutter.is_partial());
        cutter.flush(|line| lines.push(line.to_vec()));
        cutter.push(b"\nls\n", |line| lines.push(line.to_vec()));
        assert_eq!(lines, [b"$ ".to_vec(), b"ls".to_vec()]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_is_split(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), b'a'..=b'c', Just(0)], 0..500),
            step in 1usize..50,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(step).collect();
            let mut expected: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            if expected.last().is_some_and(Vec::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(cut(&pieces), expected);
        }
    }
}
