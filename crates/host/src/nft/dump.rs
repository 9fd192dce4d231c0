//! What the kernel has of something, asked for by netlink and read from its answers.

use super::elements::{connect, header_of};
use netlink_packet_core::NLM_F_DUMP_INTR;
use std::io;

/// `NLMSG_ERROR`, `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `struct nlmsghdr` with what follows it of every nfnetlink message; an error's code stands behind the first.
const HEADER: usize = 16;
const HEADERS: usize = HEADER + 4;
/// What of an attribute's kind is not its kind: whether it has others in it, and the order of its bytes.
const KIND: u16 = 0x3fff;

/// One answer: the address family that it is of, and its attributes.
pub(super) struct Answer<'a> {
    pub(super) family: u8,
    pub(super) attributes: &'a [u8],
}

/// Asks, and hands over each answer; `Interrupted` where what is told has changed meanwhile, so that something may be missing.
pub(super) fn dump(question: &[u8], each: &mut dyn FnMut(&Answer<'_>)) -> io::Result<()> {
    let socket = connect()?;
    socket.send(question, 0)?;
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while let Some((length, kind)) = header_of(rest) {
            let flags = u16::from_ne_bytes([rest[6], rest[7]]);
            if flags & NLM_F_DUMP_INTR != 0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if kind == ERROR || kind == DONE {
                let code = rest.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok());
                return match code.map_or(0, i32::from_ne_bytes) {
                    0 => Ok(()),
                    code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
                };
            }
            if let Some(attributes) = rest.get(HEADERS..length) {
                each(&Answer { family: rest[HEADER], attributes });
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// The attributes among these bytes: the kind and the value of each.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & KIND;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of this kind.
pub(super) fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}
