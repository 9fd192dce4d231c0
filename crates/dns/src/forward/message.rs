//! The messages of forwarding, as bytes: the question that is sent on, what of an answer is kept, how it is told to an asker.
//! Answers come from outside: each byte is looked at before anything is believed. No I/O.

use crate::query::{MAX_DATAGRAM, Query};
use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::message::Message;
use domain::base::message_builder::MessageBuilder;
use domain::base::name::{Name, ParsedName};
use domain::base::question::Question;
use domain::base::record::RecordHeader;
use domain::dep::octseq::Parser;
use std::time::Duration;

/// How long what was found is kept at most, in seconds.
const LONGEST: u32 = 24 * 60 * 60;
/// How long it is kept at most that there is nothing (RFC 2308), in seconds.
const LONGEST_NOTHING: u32 = 60 * 60;
/// The header of every message.
const HEADER: usize = 12;

/// What a resolver answered, fit to be told to anybody who asks the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message without an OPT record.
    bytes: Vec<u8>,
    /// Where in it each record's TTL stands.
    ttls: Vec<u16>,
    /// The bytes of the question.
    question: usize,
    /// For how many seconds it is true.
    life: u32,
}

/// Why a reply is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It belongs to another question, or is no message at all: the right one may still come.
    Foreign,
    /// It is cut off: to be asked for on a connection.
    Cut,
    /// The resolver can't say, in words of EDNS or at all.
    Refused {
        /// Whether it did not understand the question.
        not_understood: bool,
    },
}

/// The question as it is sent to a resolver: the asker's own, with nothing else of what he wrote.
#[must_use]
pub fn question(id: u16, query: &Query, edns: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + query.question.len() + 11);
    bytes.extend(id.to_be_bytes());
    bytes.extend([1, u8::from(query.unchecked) << 4, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
    bytes.extend_from_slice(&query.question);
    if edns {
        put_opt(&mut bytes, query.edns.is_some_and(|edns| edns.signatures));
    }
    bytes
}

fn put_opt(bytes: &mut Vec<u8>, signatures: bool) {
    bytes.extend([0, 0, 41]);
    bytes.extend(MAX_DATAGRAM.to_be_bytes());
    bytes.extend([0, 0, u8::from(signatures) << 7, 0, 0, 0]);
}

impl Answer {
    /// Reads the reply to the question of this id.
    ///
    /// # Errors
    /// With what is to be done instead of believing it.
    pub fn read(mut bytes: Vec<u8>, id: u16, query: &Query) -> Result<Self, Unusable> {
        let foreign = Unusable::Foreign;
        let message = Message::from_slice(&bytes).map_err(|_| foreign)?;
        let (header, counts) = (message.header(), message.header_counts());
        let question = query.question.len();
        let asked = bytes.get(HEADER..HEADER + question).unwrap_or_default();
        if header.id() != id || !header.qr() {
            return Err(foreign);
        }
        let not_understood = matches!(header.rcode(), Rcode::FORMERR | Rcode::NOTIMP);
        if not_understood {
            // Such a reply need not repeat the question.
            return Err(Unusable::Refused { not_understood });
        }
        if counts.qdcount() != 1 || !asked.eq_ignore_ascii_case(&query.question) {
            return Err(foreign);
        }
        if header.tc() {
            return Err(Unusable::Cut);
        }
        if !matches!(header.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
            return Err(Unusable::Refused { not_understood });
        }
        let found = Records::read(&bytes, HEADER + question).ok_or(foreign)?;
        if found.code != 0 {
            return Err(Unusable::Refused { not_understood: true });
        }
        bytes.truncate(found.end);
        bytes.shrink_to_fit();
        bytes[10..12].copy_from_slice(&found.additional.to_be_bytes());
        let nothing = header.rcode() == Rcode::NXDOMAIN || counts.ancount() == 0;
        let life = match (nothing, found.nothing_for) {
            // Without the zone's record nobody says for how long.
            (true, None) => 0,
            (true, Some(seconds)) => {
                seconds.min(found.least.unwrap_or(seconds)).min(LONGEST_NOTHING)
            }
            (false, seconds) => {
                let least = found.least.unwrap_or(0);
                least.min(seconds.unwrap_or(least)).min(LONGEST)
            }
        };
        Ok(Self { bytes, ttls: found.ttls, question, life })
    }

    /// For how long it is true.
    #[must_use]
    pub fn life(&self) -> Duration {
        Duration::from_secs(self.life.into())
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.capacity() + 2 * self.ttls.capacity() + size_of::<Self>()
    }

    /// Writes it as the answer to this query, `age` seconds after it came; where it takes more than `room`, the asker is told to
    /// ask on a connection.
    pub fn tell(&self, query: &Query, age: u32, room: usize, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.bytes);
        let opt = if query.edns.is_some() { 11 } else { 0 };
        let cut = out.len() + opt > room;
        if cut {
            out.truncate(HEADER + self.question);
            out[6..12].fill(0);
        } else {
            for at in &self.ttls {
                let place = usize::from(*at)..usize::from(*at) + 4;
                if let Some(Ok(ttl)) = out.get(place.clone()).map(<[u8; 4]>::try_from) {
                    let left = u32::from_be_bytes(ttl).min(LONGEST).saturating_sub(age);
                    out[place].copy_from_slice(&left.to_be_bytes());
                }
            }
        }
        out[..2].copy_from_slice(&query.id.to_be_bytes());
        // An answer, perhaps cut; nobody's authority; recursion as wished, and available; nothing verified here.
        out[2] = 0x80 | u8::from(cut) << 1 | u8::from(query.recursive);
        out[3] = 0x80 | u8::from(query.unchecked) << 4 | out[3] & 0x0f;
        // As this asker spelled it: some look whether it comes back so.
        out[HEADER..HEADER + self.question].copy_from_slice(&query.question);
        if let Some(edns) = query.edns {
            put_opt(out, edns.signatures);
            let additional = u16::from_be_bytes([out[10], out[11]]).saturating_add(1);
            out[10..12].copy_from_slice(&additional.to_be_bytes());
        }
    }
}

/// What the records of a reply come to.
#[derive(Default)]
struct Records {
    ttls: Vec<u16>,
    /// The shortest TTL of those that are the answer.
    least: Option<u32>,
    /// For how long there is nothing, by the zone's own record.
    nothing_for: Option<u32>,
    /// The upper bits of the code.
    code: u8,
    /// Where the records end that are kept, and how many of them are additional ones.
    end: usize,
    additional: u16,
}

impl Records {
    fn read(bytes: &[u8], begin: usize) -> Option<Self> {
        let counts = Message::from_slice(bytes).ok()?.header_counts();
        let mut parser = Parser::from_ref(bytes);
        parser.advance(begin).ok()?;
        let mut found = Self { end: begin, ..Self::default() };
        let sections = [counts.ancount(), counts.nscount(), counts.arcount()];
        for (section, count) in sections.into_iter().enumerate() {
            for _ in 0..count {
                let record: RecordHeader<ParsedName<&[u8]>> =
                    RecordHeader::parse_ref(&mut parser).ok()?;
                let at = parser.pos();
                parser.advance(record.rdlen().into()).ok()?;
                let fields = record.ttl().as_secs();
                if record.rtype() == Rtype::OPT {
                    if section != 2 {
                        return None;
                    }
                    // What follows it are signatures of the transaction: neither is anybody else's business.
                    found.code = (fields >> 24).to_be_bytes()[3];
                    return Some(found);
                }
                found.ttls.push(u16::try_from(at - 6).ok()?);
                // Half of all values are negative ones, which mean 0 (RFC 2181).
                let ttl = if fields > i32::MAX.unsigned_abs() { 0 } else { fields };
                if section < 2 {
                    found.least = Some(found.least.map_or(ttl, |least| least.min(ttl)));
                }
                if section == 1 && record.rtype() == Rtype::SOA && record.class() == Class::IN {
                    let least = bytes.get(parser.pos().checked_sub(4)?..parser.pos())?;
                    let least = u32::from_be_bytes(least.try_into().ok()?);
                    found.nothing_for = Some(ttl.min(least));
                }
                found.end = parser.pos();
                found.additional += u16::from(section == 2);
            }
        }
        Some(found)
    }
}

/// A query by its words, for tests and for whatever measures.
#[doc(hidden)]
#[must_use]
pub fn asked(id: u16, name: &str, rtype: Rtype, edns: bool) -> Vec<u8> {
    let name: Name<Vec<u8>> = name.parse().unwrap_or_else(|_| Name::root_vec());
    let mut builder = MessageBuilder::new_vec().question();
    builder.header_mut().set_id(id);
    builder.header_mut().set_rd(true);
    let pushed = builder.push(Question::new(name, rtype, Class::IN));
    let mut bytes = if pushed.is_ok() { builder.finish() } else { Vec::new() };
    if edns && bytes.len() > HEADER {
        bytes[11] = 1;
        put_opt(&mut bytes, false);
    }
    bytes
}
