//! A query as it came: what is asked, and how much may be answered. Nothing in it is trusted; whatever is odd is refused here.

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::message::Message;
use domain::base::name::{ParsedName, ToLabelIter};
use domain::base::question::Question;

/// The longest name on the wire, in bytes.
const MAX_NAME: usize = 255;
/// The most that is sent in one datagram, whatever the asker takes: what passes every link without being cut.
pub const MAX_DATAGRAM: u16 = 1232;
/// The most that is sent in one to an asker who says nothing of it.
const PLAIN_DATAGRAM: u16 = 512;

/// How a query came, and so how much may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In a datagram.
    Datagram,
    /// On a connection.
    Stream,
}

/// What a query is that can be answered.
#[derive(Clone, Debug)]
pub struct Query {
    /// Chosen by the asker.
    pub id: u16,
    /// Whether others may be asked.
    pub recursive: bool,
    /// Whether the asker checks signatures itself.
    pub unchecked: bool,
    /// What it says by EDNS, where it does.
    pub edns: Option<Edns>,
    /// The name, in lower case.
    pub name: QueryName,
    /// The type of records.
    pub rtype: Rtype,
    /// The class of records.
    pub class: Class,
    /// The question as the asker spelled it, in wire form.
    pub question: Vec<u8>,
}

/// What an asker says by EDNS (RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// The largest datagram that it takes.
    pub size: u16,
    /// Whether it wants signatures.
    pub signatures: bool,
}

/// A query that is not answered with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// No answer at all: it is an answer itself, or not even a header.
    Ignored,
    /// An answer of nothing but a header with this code.
    Header(Rcode),
    /// A version of EDNS that nobody knows.
    Version,
}

/// A name in wire form, in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueryName {
    bytes: [u8; MAX_NAME],
    length: u8,
}

impl std::fmt::Debug for QueryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.labels().try_for_each(|label| write!(f, "{}.", label.escape_ascii()))
    }
}

impl QueryName {
    /// Its labels from the left, without the root's.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut rest = self.as_bytes();
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            (length > 0).then_some(label)
        })
    }

    /// The wire form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn of(name: &ParsedName<&[u8]>) -> Option<Self> {
        let (mut bytes, mut length) = ([0; MAX_NAME], 0);
        for label in name.iter_labels() {
            let label = label.as_slice();
            let place = bytes.get_mut(length..length + 1 + label.len())?;
            place[0] = u8::try_from(label.len()).ok()?;
            place[1..].copy_from_slice(label);
            place[1..].make_ascii_lowercase();
            length += 1 + label.len();
        }
        Some(Self { bytes, length: u8::try_from(length).ok()? })
    }
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// With what is to be answered instead.
    pub fn read(bytes: &[u8]) -> Result<Self, Bad> {
        let message = Message::from_slice(bytes).map_err(|_| Bad::Ignored)?;
        let header = message.header();
        if header.qr() {
            return Err(Bad::Ignored);
        }
        if header.opcode() != Opcode::QUERY {
            return Err(Bad::Header(Rcode::NOTIMP));
        }
        let malformed = Bad::Header(Rcode::FORMERR);
        let counts = message.header_counts();
        if counts.qdcount() != 1 || counts.ancount() != 0 || header.tc() {
            return Err(malformed);
        }
        let mut section = message.question();
        let Some(Ok(question)) = section.next() else { return Err(malformed) };
        let question: Question<ParsedName<&[u8]>> = question;
        let name = QueryName::of(question.qname()).ok_or(malformed)?;
        // A name can't be compressed before there is another: what looks so is made to look so, and points into the header perhaps.
        let length = usize::from(name.length);
        let stands = |spelled: &&[u8]| spelled[..length].eq_ignore_ascii_case(name.as_bytes());
        let spelled = bytes.get(12..12 + length + 4).filter(stands).ok_or(malformed)?;
        Ok(Self {
            id: header.id(),
            recursive: header.rd(),
            unchecked: header.cd(),
            edns: edns(message)?,
            name,
            rtype: question.qtype(),
            class: question.qclass(),
            question: spelled.to_vec(),
        })
    }

    /// How many bytes an answer may have.
    #[must_use]
    pub fn room(&self, way: Way) -> usize {
        let size = self.edns.map_or(PLAIN_DATAGRAM, |edns| edns.size);
        match way {
            Way::Datagram => usize::from(size.clamp(PLAIN_DATAGRAM, MAX_DATAGRAM)),
            Way::Stream => usize::from(u16::MAX),
        }
    }

    /// Under what an answer to this can be kept for others who ask the same.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let name = self.name.as_bytes();
        let signatures = self.edns.is_some_and(|edns| edns.signatures);
        let mut key = Vec::with_capacity(name.len() + 5);
        key.extend_from_slice(name);
        key.extend_from_slice(&self.rtype.to_int().to_be_bytes());
        key.extend_from_slice(&self.class.to_int().to_be_bytes());
        key.push(u8::from(signatures) | u8::from(self.unchecked) << 1);
        key
    }
}

/// What stands in the additional section: at most one OPT record counts, and a second is an error.
fn edns(message: &Message<[u8]>) -> Result<Option<Edns>, Bad> {
    let malformed = Bad::Header(Rcode::FORMERR);
    if message.header_counts().arcount() == 0 {
        return Ok(None);
    }
    let mut found = None;
    for record in message.additional().map_err(|_| malformed)? {
        let record = record.map_err(|_| malformed)?;
        if record.rtype() != Rtype::OPT {
            continue;
        }
        // The fields of an OPT record: its class is a size, its TTL a code, a version and flags.
        let fields = record.ttl().as_secs();
        if found.is_some() || !record.owner().is_root() {
            return Err(malformed);
        }
        if fields >> 16 & 0xff != 0 {
            return Err(Bad::Version);
        }
        let size = record.class().to_int();
        found = Some(Edns { size, signatures: fields & 0x8000 != 0 });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `WeB.` A, with an OPT record.
    const GOOD: &[u8] =
        b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01\x03WeB\0\0\x01\0\x01\0\0\x29\x10\0\0\0\x80\0\0\0";

    #[test]
    fn a_query_is_read() {
        let query = Query::read(GOOD).unwrap();
        assert_eq!((query.id, query.recursive, query.rtype), (0x1234, true, Rtype::A));
        assert_eq!(query.name.labels().collect::<Vec<_>>(), [b"web"]);
        assert_eq!(query.question, b"\x03WeB\0\0\x01\0\x01");
        assert_eq!(query.edns, Some(Edns { size: 4096, signatures: true }));
        assert_eq!(query.room(Way::Datagram), 1232);
        let plain = Query { edns: None, ..query };
        assert_eq!((plain.room(Way::Datagram), plain.room(Way::Stream)), (512, 65535));
    }

    #[test]
    fn what_is_odd_is_refused() {
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = GOOD.to_vec();
            change(&mut bytes);
            Query::read(&bytes).err()
        };
        let malformed = Some(Bad::Header(Rcode::FORMERR));
        assert_eq!(with(&|b| b.truncate(11)), Some(Bad::Ignored));
        assert_eq!(with(&|b| b[2] |= 0x80), Some(Bad::Ignored), "an answer");
        assert_eq!(with(&|b| b[2] |= 0x28), Some(Bad::Header(Rcode::NOTIMP)), "an update");
        assert_eq!(with(&|b| b[5] = 0), malformed, "no question");
        assert_eq!(with(&|b| b[5] = 2), malformed, "two questions");
        assert_eq!(with(&|b| b[7] = 1), malformed, "answers in a query");
        assert_eq!(with(&|b| b[11] = 2), malformed, "a record that is not there");
        assert_eq!(with(&|b| b.truncate(18)), malformed, "half a question");
        assert_eq!(with(&|b| b.splice(12..17, *b"\xc0\x0c").for_each(drop)), malformed, "a loop");
        // `a`, spelled by the id and the flags.
        let in_header = b"\x01a\0\0\0\x01\0\0\0\0\0\0\xc0\0\0\x01\0\x01";
        assert_eq!(Query::read(in_header).err(), malformed, "a name in the header");
        assert_eq!(with(&|b| b[27] = 1), Some(Bad::Version));
        let twice = |b: &mut Vec<u8>| {
            b.extend_from_within(21..);
            b[11] = 2;
        };
        assert_eq!(with(&twice), malformed, "two OPT records");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), header: bool) {
            if header && bytes.len() >= 12 {
                bytes[..12].copy_from_slice(&GOOD[..12]);
            }
            if let Ok(query) = Query::read(&bytes) {
                prop_assert!(query.question.len() == query.name.as_bytes().len() + 4);
                prop_assert!(query.question.eq_ignore_ascii_case(&query.key()[..query.question.len()]));
            }
        }
    }
}
