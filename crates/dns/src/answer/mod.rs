//! What is said to a query: a function of the table, the asker and the query. Does no I/O and asks nobody.

#[cfg(test)]
mod tests;

use crate::names::{Addresses, Names, View};
use crate::query::{Bad, MAX_DATAGRAM, Query, QueryName, Way};
use domain::base::iana::{Class, OptRcode, Rcode, Rtype};
use domain::base::message_builder::{
    AdditionalBuilder, AnswerBuilder, MessageBuilder, PushError, QuestionBuilder, StaticCompressor,
};
use domain::base::name::ParsedName;
use domain::base::question::Question;
use domain::base::{Serial, Ttl};
use domain::dep::octseq::Parser;
use domain::rdata::{A, Aaaa, Ptr, Soa};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use volt_model::dns::ZONE;

/// Nobody is to keep what may change at any moment.
const TTL: Ttl = Ttl::ZERO;
/// The bytes of an OPT record without options.
const OPT: usize = 11;

/// What is to be done with a query.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing.
    Drop,
    /// The answer is sent.
    Reply,
    /// The host's resolvers are asked.
    Forward(Box<Query>),
}

/// What a name is about.
#[derive(Debug, PartialEq, Eq)]
enum Subject<'a> {
    /// The zone itself, or a network in it.
    Zone,
    /// A workload, on the network where one is named. Whether the name is Volt's even where there is no such workload.
    Host { host: &'a [u8], network: Option<&'a [u8]>, ours: bool },
    /// An alias of several labels.
    Domain,
    /// An address on one of the networks.
    Address(IpAddr),
    /// Not there, and nobody else's either.
    Nothing,
    /// Others know.
    Foreign,
}

/// What is found.
enum Found {
    /// Records, perhaps none of this type.
    Records,
    /// There is no such name.
    NoName,
}

type Target<'a> = StaticCompressor<&'a mut Vec<u8>>;

/// Answers a query that came from `source`: the answer is in `out` where the verdict says so. Several addresses of a name take
/// turns to be the first.
pub fn answer(
    names: &Names,
    (source, way): (IpAddr, Way),
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Verdict {
    let query = match Query::read(bytes) {
        Ok(query) => query,
        Err(Bad::Ignored) => return Verdict::Drop,
        Err(Bad::Header(code)) => return header(bytes, code, out),
        Err(Bad::Version) => return wrong_version(bytes, out),
    };
    let Some(view) = names.view(source) else { return plain(&query, Rcode::REFUSED, out) };
    if query.class != Class::IN {
        return plain(&query, Rcode::REFUSED, out);
    }
    let subject = subject(names, &view, &query);
    let reply = Reply { names, view, query: &query, room: query.room(way) };
    let done = match subject {
        Subject::Foreign => None,
        Subject::Host { host, network, ours } => {
            let all = view.find(host, network);
            let known = all.clone().next().is_some();
            (ours || known).then(|| reply.addresses(&all, known, out))
        }
        Subject::Domain => Some(reply.addresses(&view.find_domain(&query.name), true, out)),
        Subject::Address(address) => Some(reply.pointer(address, out)),
        Subject::Zone => Some(reply.nothing(Found::Records, out)),
        Subject::Nothing => Some(reply.nothing(Found::NoName, out)),
    };
    match done {
        Some(Ok(())) => Verdict::Reply,
        Some(Err(_)) => plain(&query, Rcode::SERVFAIL, out),
        None if view.forwards() && query.recursive => Verdict::Forward(Box::new(query)),
        None => plain(&query, Rcode::REFUSED, out),
    }
}

/// An answer with a code and no records, no longer than its query.
pub fn plain(query: &Query, code: Rcode, out: &mut Vec<u8>) -> Verdict {
    let written = question(query, out).and_then(|mut builder| {
        builder.header_mut().set_ra(query.recursive);
        builder.header_mut().set_rcode(code);
        put_opt(builder.additional(), query)
    });
    if written.is_ok() { Verdict::Reply } else { Verdict::Drop }
}

/// Says what we take by EDNS, to whom has said it of himself.
fn put_opt(mut builder: AdditionalBuilder<Target<'_>>, query: &Query) -> Result<(), PushError> {
    let Some(edns) = query.edns else { return Ok(()) };
    builder.opt(|opt| {
        opt.set_udp_payload_size(MAX_DATAGRAM);
        opt.set_dnssec_ok(edns.signatures);
        Ok(())
    })
}

/// Begins an answer: header and question.
fn question<'a>(
    query: &Query,
    out: &'a mut Vec<u8>,
) -> Result<QuestionBuilder<Target<'a>>, PushError> {
    out.clear();
    let mut parser = Parser::from_ref(query.question.as_slice());
    let asked = Question::<ParsedName<&[u8]>>::parse(&mut parser);
    let asked = asked.map_err(|_| PushError::ShortBuf)?;
    let builder = MessageBuilder::from_target(StaticCompressor::new(out));
    let mut builder = builder.map_err(|_| PushError::ShortBuf)?.question();
    let header = builder.header_mut();
    header.set_id(query.id);
    header.set_qr(true);
    header.set_rd(query.recursive);
    header.set_cd(query.unchecked);
    builder.push(asked)?;
    Ok(builder)
}

/// A bare header in answer to what could not be read.
fn header(bytes: &[u8], code: Rcode, out: &mut Vec<u8>) -> Verdict {
    let Some(first) = bytes.get(..4) else { return Verdict::Drop };
    out.clear();
    // The id, the opcode and the wish for recursion are the asker's.
    out.extend([first[0], first[1], 0x80 | first[2] & 0x79, code.to_int()]);
    out.resize(12, 0);
    Verdict::Reply
}

/// The answer to a version of EDNS that nobody knows: which one is known.
fn wrong_version(bytes: &[u8], out: &mut Vec<u8>) -> Verdict {
    let code = OptRcode::BADVERS;
    if let Verdict::Drop = header(bytes, code.rcode(), out) {
        return Verdict::Drop;
    }
    out[11] = 1;
    out.extend([0, 0, 41]);
    out.extend(MAX_DATAGRAM.to_be_bytes());
    out.extend([code.ext(), 0, 0, 0, 0, 0]);
    Verdict::Reply
}

/// What is about to be answered.
struct Reply<'a> {
    names: &'a Names,
    view: View<'a>,
    query: &'a Query,
    room: usize,
}

impl Reply<'_> {
    /// The addresses of a workload, or of all that share an alias.
    fn addresses<'b>(
        &self,
        all: &(impl Iterator<Item = &'b Addresses> + Clone),
        known: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), PushError> {
        let asked = self.query.rtype;
        let v4 = all.clone().flat_map(|one| &one.v4).map(|address| A::new(*address));
        let v6 = all.clone().flat_map(|one| &one.v6).map(|address| Aaaa::new(*address));
        // Types have turns of their own, since most askers ask for both each time.
        let turn = |kind: usize| all.clone().next().map_or(0, |one| one.turn(kind));
        let (any, mut count) = (asked == Rtype::ANY, 0);
        let name = self.name()?;
        let mut builder = self.begin(out)?;
        let mut full = false;
        if asked == Rtype::A || any {
            let total = v4.clone().count();
            count += total;
            for record in turned(v4, total, turn(0)) {
                full = full || builder.push((&name, Class::IN, TTL, record)).is_err();
            }
        }
        if asked == Rtype::AAAA || any {
            let total = v6.clone().count();
            count += total;
            for record in turned(v6, total, turn(1)) {
                full = full || builder.push((&name, Class::IN, TTL, record)).is_err();
            }
        }
        builder.header_mut().set_tc(full);
        match (known, count) {
            (true, 1..) => self.end(builder, None),
            (true, 0) => self.end(builder, Some(Found::Records)),
            (false, _) => self.end(builder, Some(Found::NoName)),
        }
    }

    /// Whose address it is.
    fn pointer(&self, address: IpAddr, out: &mut Vec<u8>) -> Result<(), PushError> {
        let Some(owner) = self.view.owner(address) else {
            return self.nothing(Found::NoName, out);
        };
        if self.query.rtype != Rtype::PTR && self.query.rtype != Rtype::ANY {
            return self.nothing(Found::Records, out);
        }
        let mut builder = self.begin(out)?;
        builder.push((&self.name()?, Class::IN, TTL, Ptr::new(owner)))?;
        self.end(builder, None)
    }

    /// No records.
    fn nothing(&self, found: Found, out: &mut Vec<u8>) -> Result<(), PushError> {
        let builder = self.begin(out)?;
        self.end(builder, Some(found))
    }

    /// The name as the asker spelled it.
    fn name(&self) -> Result<ParsedName<&[u8]>, PushError> {
        let mut parser = Parser::from_ref(self.query.question.as_slice());
        ParsedName::parse(&mut parser).map_err(|_| PushError::ShortBuf)
    }

    fn begin<'b>(&self, out: &'b mut Vec<u8>) -> Result<AnswerBuilder<Target<'b>>, PushError> {
        let mut builder = question(self.query, out)?;
        builder.header_mut().set_aa(true);
        builder.header_mut().set_ra(self.view.forwards());
        builder.set_push_limit(self.room - OPT);
        Ok(builder.answer())
    }

    /// Ends an answer; where it has no records, with the zone's own record if the name is in it.
    fn end(
        &self,
        builder: AnswerBuilder<Target<'_>>,
        without: Option<Found>,
    ) -> Result<(), PushError> {
        let mut builder = builder.authority();
        if let Some(found) = without {
            if let Found::NoName = found {
                builder.header_mut().set_rcode(Rcode::NXDOMAIN);
            }
            if self.query.name.labels().last() == Some(ZONE.as_bytes()) {
                let zone = self.names.zone();
                let generation = self.names.generation() & u64::from(u32::MAX);
                let serial = Serial::from(u32::try_from(generation).unwrap_or_default());
                let soa = Soa::new(zone, zone, serial, TTL, TTL, TTL, TTL);
                builder.push((zone, Class::IN, TTL, soa))?;
            }
        }
        let mut builder = builder.additional();
        builder.clear_push_limit();
        put_opt(builder, self.query)
    }
}

/// All of them, another one first each time.
fn turned<T>(
    all: impl Iterator<Item = T> + Clone,
    total: usize,
    turn: usize,
) -> impl Iterator<Item = T> {
    all.cycle().skip(turn.checked_rem(total).unwrap_or(0)).take(total)
}

fn subject<'a>(names: &Names, view: &View<'_>, query: &'a Query) -> Subject<'a> {
    let name = &query.name;
    let mut labels = [&[][..]; 4];
    let mut count = 0;
    for label in name.labels() {
        if let Some(place) = labels.get_mut(count) {
            *place = label;
        }
        count += 1;
    }
    let zone = ZONE.as_bytes();
    match labels.get(..count) {
        Some([]) => Subject::Foreign,
        Some([only]) if *only == zone => Subject::Zone,
        // The world has records of its topmost names too (`com NS`), but no addresses.
        Some([host]) => {
            let ours =
                matches!(query.rtype, Rtype::A | Rtype::AAAA | Rtype::ANY) || !view.forwards();
            Subject::Host { host, network: None, ours }
        }
        Some([host, last]) if *last == zone => {
            // Where a network's names are, there is something, though it has no records.
            match view.find(host, None).next().is_none() && view.knows(host) {
                true => Subject::Zone,
                false => Subject::Host { host, network: None, ours: true },
            }
        }
        // Whoever has a name by its network keeps it from those who were given it.
        Some([host, network]) if view.find(host, Some(network)).next().is_some() => {
            Subject::Host { host, network: Some(network), ours: true }
        }
        Some([host, network, last]) if *last == zone => {
            Subject::Host { host, network: Some(network), ours: true }
        }
        _ if name.labels().last() == Some(zone) => Subject::Nothing,
        _ if view.find_domain(name).next().is_some() => Subject::Domain,
        // A network may be called as a domain of the world is: what is not here may be there.
        Some([_, network]) if view.knows(network) && !view.forwards() => Subject::Nothing,
        _ => match reversed(name) {
            Some(address) if names.covers(address) => Subject::Address(address),
            _ => Subject::Foreign,
        },
    }
}

/// The address that a name of the reverse lookup is about.
fn reversed(name: &QueryName) -> Option<IpAddr> {
    let count = name.labels().count();
    let mut end = name.labels().skip(count.checked_sub(2)?);
    let (kind, last) = (end.next()?, end.next()?);
    let own = name.labels().take(count - 2);
    match (kind, last, count) {
        (b"in-addr", b"arpa", 6) => {
            let mut bytes = [0; 4];
            for (place, label) in bytes.iter_mut().rev().zip(own) {
                // Not `010`, which is another name.
                *place = std::str::from_utf8(label).ok()?.parse().ok()?;
                if place.to_string().as_bytes() != label {
                    return None;
                }
            }
            Some(Ipv4Addr::from(bytes).into())
        }
        (b"ip6", b"arpa", 34) => {
            let mut bits = 0_u128;
            for (place, label) in own.enumerate() {
                let [digit] = label else { return None };
                bits |= u128::from(char::from(*digit).to_digit(16)?) << (4 * place);
            }
            Some(Ipv6Addr::from_bits(bits).into())
        }
        _ => None,
    }
}
