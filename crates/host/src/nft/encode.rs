//! Messages of nfnetlink, as bytes: attributes, and the fields of keys and values.
//!
//! Every field is filled up to a multiple of four bytes, as nft does for concatenations.

use std::net::IpAddr;
use volt_model::net::ruleset::{Family, Field};

/// `struct nlmsghdr` with what follows it of every nfnetlink message.
const HEADERS: usize = 16 + 4;
/// An interface's name, filled up.
const IFNAMSIZ: usize = 16;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// A message being written.
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// What stands in the headers of one.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) family: u8,
    /// The subsystem, of messages that are for none.
    pub(super) resource: u16,
}

impl Message {
    pub(super) fn new(header: Header) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(header.kind.to_ne_bytes());
        bytes.extend(header.flags.to_ne_bytes());
        bytes.extend(header.sequence.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend([header.family, 0]);
        bytes.extend(header.resource.to_be_bytes());
        debug_assert_eq!(bytes.len(), HEADERS);
        Self { bytes }
    }

    /// An attribute that is bytes.
    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).expect("names and fields are short");
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.fill_up();
    }

    /// Attributes that are bytes already.
    pub(super) fn raw(&mut self, attributes: &[u8]) {
        self.bytes.extend(attributes);
        self.fill_up();
    }

    /// An attribute that is a text.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.attribute(kind, &[text.as_bytes(), b"\0"].concat());
    }

    /// An attribute that has others in it.
    pub(super) fn nested(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        inner(self);
        let length = u16::try_from(self.bytes.len() - start).expect("one element is short");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 2..start + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
    }

    fn fill_up(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("one element is short");
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }
}

/// `NFPROTO_*`.
pub(super) fn protocol_family(family: Family) -> u8 {
    match family {
        Family::Inet => 1,
        Family::Ip => 2,
        Family::Bridge => 7,
        Family::Ip6 => 10,
    }
}

/// A key or a value.
pub(super) fn fields(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        match field {
            Field::Interface(name) => {
                let start = bytes.len();
                bytes.extend(name.bytes().take(IFNAMSIZ - 1));
                bytes.resize(start + IFNAMSIZ, 0);
            }
            Field::Mac(mac) | Field::RawMac(mac) => bytes.extend(mac.0),
            Field::Ip(IpAddr::V4(ip)) => bytes.extend(ip.octets()),
            Field::Ip(IpAddr::V6(ip)) | Field::RawIp(ip) => bytes.extend(ip.octets()),
            Field::Protocol(number) => bytes.push(*number),
            Field::Port(port) => bytes.extend(port.to_be_bytes()),
        }
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
