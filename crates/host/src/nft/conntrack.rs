//! What the kernel remembers of datagrams that went to ports of the host. It leads further ones where the first went, for as long as
//! they keep coming, whatever the rules say by then.

use super::dump::{attribute, dump};
use super::elements::{answers_of_each, connect};
use super::encode::{Header, Message};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use volt_model::net::Protocol;

/// `IPCTNL_MSG_CT_GET`, `IPCTNL_MSG_CT_DELETE` of `NFNL_SUBSYS_CTNETLINK`.
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// `CTA_TUPLE_ORIG`, and in it `CTA_TUPLE_IP`, `CTA_TUPLE_PROTO`.
const TUPLE: u16 = 1;
const IP: u16 = 1;
const PROTOCOL: u16 = 2;
/// `CTA_IP_V4_DST`, `CTA_IP_V6_DST`.
const IPV4: u16 = 2;
const IPV6: u16 = 4;
/// `CTA_PROTO_NUM`, `CTA_PROTO_DST_PORT`.
const NUMBER: u16 = 1;
const PORT: u16 = 3;
/// How many are forgotten with one message.
const AT_ONCE: usize = 256;

/// Forgets all datagrams that went to addresses and ports for which `to` says so, so that the next one is led by the rules there are.
///
/// # Errors
/// When the kernel can't be asked.
pub fn forget_datagrams(to: impl Fn(IpAddr, u16) -> bool) -> io::Result<()> {
    let question = Message::new(header(GET, NLM_F_REQUEST | NLM_F_DUMP, 0)).finish();
    let mut found = Vec::new();
    dump(&question, &mut |answer| {
        let Some(tuple) = attribute(answer.attributes, TUPLE) else { return };
        if destination(tuple).is_some_and(|(address, port)| to(address, port)) {
            found.push((answer.family, tuple.to_vec()));
        }
    })?;
    for some in found.chunks(AT_ONCE) {
        let mut bytes = Vec::new();
        for ((family, tuple), sequence) in some.iter().zip(1..) {
            let flags = NLM_F_REQUEST | NLM_F_ACK;
            let mut message = Message::new(Header { sequence, ..header(DELETE, flags, *family) });
            message.nested(TUPLE, |to| to.raw(tuple));
            bytes.extend(message.finish());
        }
        let socket = connect()?;
        socket.send(&bytes, 0)?;
        // What is gone by itself needs not be forgotten.
        answers_of_each(&socket, some.len())?;
    }
    Ok(())
}

fn header(kind: u16, flags: u16, family: u8) -> Header {
    Header { kind, flags, sequence: 1, family, resource: 0 }
}

/// Where datagrams like this went.
fn destination(tuple: &[u8]) -> Option<(IpAddr, u16)> {
    let (ip, protocol) = (attribute(tuple, IP)?, attribute(tuple, PROTOCOL)?);
    if attribute(protocol, NUMBER)? != [Protocol::Udp.number()] {
        return None;
    }
    let port = u16::from_be_bytes(attribute(protocol, PORT)?.try_into().ok()?);
    let ipv4 = attribute(ip, IPV4).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
    let ipv6 = attribute(ip, IPV6).and_then(|octets| <[u8; 16]>::try_from(octets).ok());
    let address = ipv4.map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    Some((address.or_else(|| Some(IpAddr::V6(Ipv6Addr::from(ipv6?))))?, port))
}
