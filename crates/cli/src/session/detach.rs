//! The keys that leave a session: ctrl-p, then ctrl-q.

const CTRL_P: u8 = 0x10;
const CTRL_Q: u8 = 0x11;

/// Looks for the keys in what is typed.
#[derive(Debug, Default)]
pub(super) struct Detach {
    /// ctrl-p was typed and is held back until the next key says what it meant.
    held: bool,
}

impl Detach {
    /// What of these keys goes to the workload, and whether the person leaves.
    pub(super) fn filter(&mut self, keys: &[u8]) -> (Vec<u8>, bool) {
        let mut kept = Vec::with_capacity(keys.len() + 1);
        for key in keys {
            match (std::mem::take(&mut self.held), *key) {
                (true, CTRL_Q) => return (kept, true),
                (held, key) => {
                    if held {
                        kept.push(CTRL_P);
                    }
                    if key == CTRL_P {
                        self.held = true;
                    } else {
                        kept.push(key);
                    }
                }
            }
        }
        (kept, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_in_all_their_pieces() {
        for (pieces, kept, left) in [
            (&[&b"ls\n"[..]][..], &b"ls\n"[..], false),
            (&[b"\x10\x11"], b"", true),
            (&[b"a\x10", b"\x11"], b"a", true),
            (&[b"\x10", b"x"], b"\x10x", false),
            (&[b"\x10\x10\x11"], b"\x10", true),
            (&[b"\x11"], b"\x11", false),
        ] {
            let mut detach = Detach::default();
            let (mut all, mut gone) = (Vec::new(), false);
            for piece in pieces {
                let (some, leaves) = detach.filter(piece);
                all.extend(some);
                gone |= leaves;
            }
            assert_eq!((all.as_slice(), gone), (kept, left), "{pieces:?}");
        }
    }
}
