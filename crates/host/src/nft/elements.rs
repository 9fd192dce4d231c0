//! Adding and removing elements of sets and maps, without a program.

use super::encode::{Header, Message, fields, protocol_family};
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use rustix::net::sockopt::set_socket_send_buffer_size_force;
use std::io;
use std::thread;
use std::time::Duration;
use volt_model::net::ruleset::{Element, Family, TABLE};

/// `NFNL_SUBSYS_NFTABLES`.
pub(super) const NFTABLES: u16 = 10;
/// `NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END`.
const BATCH: [u16; 2] = [0x10, 0x11];
/// `NFT_MSG_GETTABLE`, `NFT_MSG_NEWSETELEM`, `NFT_MSG_DELSETELEM`.
pub(super) const GET_TABLE: u16 = NFTABLES << 8 | 1;
const NEW_ELEMENT: u16 = NFTABLES << 8 | 12;
const DELETE_ELEMENT: u16 = NFTABLES << 8 | 14;
/// `NFTA_TABLE_NAME`.
pub(super) const TABLE_NAME: u16 = 1;
/// `NFTA_SET_ELEM_LIST_TABLE`, `_SET`, `_ELEMENTS`, and `NFTA_LIST_ELEM`.
pub(super) const LIST_TABLE: u16 = 1;
pub(super) const LIST_SET: u16 = 2;
pub(super) const LIST_ELEMENTS: u16 = 3;
pub(super) const LIST_ELEMENT: u16 = 1;
/// `NFTA_SET_ELEM_KEY`, `NFTA_SET_ELEM_DATA`, `NFTA_DATA_VALUE`.
pub(super) const KEY: u16 = 1;
pub(super) const DATA: u16 = 2;
pub(super) const VALUE: u16 = 1;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// How many bytes of headers an error's code stands behind, and ends at.
const CODE: std::ops::Range<usize> = 16..20;

/// As many bytes of a batch as sockets take by themselves.
const USUAL: usize = 64 << 10;

/// What is done with an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is to be there; it may be already.
    Add(Element),
    /// It is not to be there.
    Remove(Element),
}

/// An element in the kernel's own form.
pub(super) struct Raw<'a> {
    pub(super) family: Family,
    pub(super) set: &'a str,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl<'a> Raw<'a> {
    fn of(element: &'a Element) -> Self {
        let (key, value) = (fields(&element.key), fields(&element.value));
        Self { family: element.family, set: &element.set, key, value }
    }
}

/// Makes all these changes, or none.
///
/// # Errors
/// `NotFound` where a table, a set or an element to be removed isn't there; `AlreadyExists` where a key leads elsewhere.
pub fn change(changes: &[Change]) -> io::Result<()> {
    let raw = changes.iter().map(|change| match change {
        Change::Add(element) => (true, Raw::of(element)),
        Change::Remove(element) => (false, Raw::of(element)),
    });
    commit(&raw.collect::<Vec<_>>())
}

/// Adds the elements that are true and removes those that are false, all or none.
pub(super) fn commit(changes: &[(bool, Raw<'_>)]) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut bytes = batch(BATCH[0]);
    for ((is_new, element), sequence) in changes.iter().zip(1..) {
        // What the kernel refuses it says unasked, and before it answers the last: so that is the only one which has to be answered.
        let answer = if sequence as usize == changes.len() { NLM_F_ACK } else { 0 };
        let (kind, flags) = if *is_new { (NEW_ELEMENT, NLM_F_CREATE) } else { (DELETE_ELEMENT, 0) };
        bytes.extend(message(element, kind, flags | NLM_F_REQUEST | answer, sequence));
    }
    bytes.extend(batch(BATCH[1]));
    let socket = connect()?;
    if bytes.len() > USUAL {
        // The kernel takes a batch as a whole or not at all; it reckons with twice the bytes.
        set_socket_send_buffer_size_force(&socket, bytes.len())?;
    }
    socket.send(&bytes, 0)?;
    let answered = answers(&socket, 1);
    if changes.iter().any(|(is_new, _)| !is_new) {
        close_later(socket);
    }
    answered
}

/// How long the kernel takes at most, as a rule, until nobody can see any more what was removed.
const SETTLED: Duration = Duration::from_millis(100);

/// Closes a socket by which something was removed, later. It is in force since it was answered; but closed now, the kernel has that
/// wait until nobody can see it any more, some 10 ms, and whoever removes an interface or changes a rule waits for it.
fn close_later(socket: Socket) {
    // Where there can be no thread, it is closed here.
    let closing = thread::Builder::new().name("close-nft".into()).spawn(move || {
        thread::sleep(SETTLED);
        drop(socket);
    });
    drop(closing);
}

/// Whether there is a table of Volt's of this family.
///
/// # Errors
/// When the kernel can't be asked.
pub fn has_table(family: Family) -> io::Result<bool> {
    let header = Header {
        kind: GET_TABLE,
        flags: NLM_F_REQUEST | NLM_F_ACK,
        sequence: 1,
        family: protocol_family(family),
        resource: 0,
    };
    let mut question = Message::new(header);
    question.text(TABLE_NAME, TABLE);
    let socket = connect()?;
    socket.send(&question.finish(), 0)?;
    match answers(&socket, 1) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn connect() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

fn batch(kind: u16) -> Vec<u8> {
    let header = Header { kind, flags: NLM_F_REQUEST, sequence: 0, family: 0, resource: NFTABLES };
    Message::new(header).finish()
}

fn message(element: &Raw<'_>, kind: u16, flags: u16, sequence: u32) -> Vec<u8> {
    let family = protocol_family(element.family);
    let mut message = Message::new(Header { kind, flags, sequence, family, resource: 0 });
    message.text(LIST_TABLE, TABLE);
    message.text(LIST_SET, element.set);
    message.nested(LIST_ELEMENTS, |list| {
        list.nested(LIST_ELEMENT, |one| {
            one.nested(KEY, |key| key.attribute(VALUE, &element.key));
            if !element.value.is_empty() {
                one.nested(DATA, |data| data.attribute(VALUE, &element.value));
            }
        });
    });
    message.finish()
}

/// Reads that many answers and returns the first that is an error. When a batch fails, the kernel may say so once for all.
fn answers(socket: &Socket, wanted: usize) -> io::Result<()> {
    let mut outcome = Ok(());
    each_answer(socket, wanted, &mut |answer| {
        // What follows is about the same failure, or doesn't come.
        let go_on = answer.is_ok();
        outcome = answer;
        go_on
    })?;
    outcome
}

/// Reads the answers to messages that are no batch, of which each has its own, whatever it says.
pub(super) fn answers_of_each(socket: &Socket, wanted: usize) -> io::Result<()> {
    each_answer(socket, wanted, &mut |_| true)
}

/// Reads that many answers, or until `each` says false.
fn each_answer(
    socket: &Socket,
    mut wanted: usize,
    each: &mut dyn FnMut(io::Result<()>) -> bool,
) -> io::Result<()> {
    while wanted > 0 {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while let Some((length, kind)) = header_of(rest) {
            if kind == ERROR
                && let Some(code) = rest.get(CODE).and_then(|code| code.try_into().ok())
            {
                wanted = wanted.saturating_sub(1);
                let answer = match i32::from_ne_bytes(code) {
                    0 => Ok(()),
                    code => Err(io::Error::from_raw_os_error(-code)),
                };
                if !each(answer) {
                    return Ok(());
                }
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    Ok(())
}

/// The length and the kind of the first message; none where there is no whole one.
pub(super) fn header_of(bytes: &[u8]) -> Option<(usize, u16)> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    (length >= 16 && length <= bytes.len()).then_some((length, kind))
}
