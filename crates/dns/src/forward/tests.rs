//! Replies of resolvers as they may come, and what is made of them.

use super::message::{Answer, Unusable, asked, question};
use crate::query::{Query, Way};
use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::message::Message;
use domain::base::message_builder::MessageBuilder;
use domain::base::{Name, Ttl};
use domain::rdata::{A, Soa};
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::time::Duration;

type DomainName = Name<Vec<u8>>;

fn query(name: &str) -> Query {
    Query::read(&asked(1, name, Rtype::A, true)).unwrap()
}

/// A resolver's reply: TTLs of addresses, TTL and minimum of the zone's own record, with an OPT record.
fn reply(query: &Query, code: Rcode, ttls: &[u32], soa: Option<(u32, u32)>) -> Vec<u8> {
    let sent = question(5, query, true);
    let asked = Message::from_octets(sent).unwrap();
    let name: DomainName = "example.com".parse().unwrap();
    let mut builder = MessageBuilder::new_vec().start_answer(&asked, code).unwrap();
    for ttl in ttls {
        let record = A::new(Ipv4Addr::LOCALHOST);
        builder.push((&name, Class::IN, Ttl::from_secs(*ttl), record)).unwrap();
    }
    let mut builder = builder.authority();
    if let Some((ttl, least)) = soa {
        let zero = Ttl::ZERO;
        let soa = Soa::new(&name, &name, 1.into(), zero, zero, zero, Ttl::from_secs(least));
        builder.push((&name, Class::IN, Ttl::from_secs(ttl), soa)).unwrap();
    }
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(4096);
            Ok(())
        })
        .unwrap();
    builder.finish()
}

#[test]
fn an_answer_is_true_for_as_long_as_its_shortest_record() {
    let query = query("example.com");
    let life = |code, ttls: &[u32], soa| {
        let read = Answer::read(reply(&query, code, ttls, soa), 5, &query);
        read.map(|answer| answer.life().as_secs())
    };
    let refused = Err(Unusable::Refused { not_understood: false });
    for (code, ttls, soa, seconds) in [
        (Rcode::NOERROR, &[300, 60][..], None, Ok(60)),
        (Rcode::NOERROR, &[0, 60], None, Ok(0)),
        (Rcode::NOERROR, &[u32::MAX], None, Ok(0)),
        (Rcode::NOERROR, &[1_000_000], None, Ok(86400)),
        (Rcode::NXDOMAIN, &[], Some((900, 30)), Ok(30)),
        (Rcode::NXDOMAIN, &[], Some((20, 30)), Ok(20)),
        (Rcode::NXDOMAIN, &[], Some((90000, 90000)), Ok(3600)),
        (Rcode::NOERROR, &[], Some((900, 30)), Ok(30)),
        (Rcode::NXDOMAIN, &[], None, Ok(0)),
        (Rcode::SERVFAIL, &[], None, refused),
        (Rcode::FORMERR, &[], None, Err(Unusable::Refused { not_understood: true })),
    ] {
        assert_eq!(life(code, ttls, soa), seconds, "{code} {ttls:?} {soa:?}");
    }
}

#[test]
fn an_answer_is_told_with_the_askers_own_words_and_the_time_that_is_left() {
    let answer = reply(&query("example.com"), Rcode::NOERROR, &[300, 60], None);
    let answer = Answer::read(answer, 5, &query("eXample.com")).unwrap();
    assert_eq!(answer.life(), Duration::from_secs(60));
    let plain = Query::read(&asked(77, "EXAMPLE.com", Rtype::A, false)).unwrap();
    let mut out = Vec::new();
    answer.tell(&plain, 45, plain.room(Way::Datagram), &mut out);
    let message = Message::from_octets(out.clone()).unwrap();
    assert_eq!((message.header().id(), message.header().ra()), (77, true));
    assert_eq!(message.first_question().unwrap().qname().to_string(), "EXAMPLE.com");
    assert!(message.opt().is_none());
    let ttls = message.answer().unwrap().map(|record| record.unwrap().ttl().as_secs());
    assert_eq!(ttls.collect::<Vec<_>>(), [255, 15]);

    answer.tell(&query("example.com"), 0, 1232, &mut out);
    assert!(Message::from_octets(out.clone()).unwrap().opt().is_some());
    answer.tell(&plain, 0, 40, &mut out);
    let cut = Message::from_octets(out).unwrap();
    assert!(cut.header().tc() && cut.header_counts().ancount() == 0);
}

#[test]
fn what_is_not_the_answer_is_not_taken_for_it() {
    let query = query("example.com");
    let good = reply(&query, Rcode::NOERROR, &[60], None);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Answer::read(bytes, 5, &query).err()
    };
    assert_eq!(with(&|_| ()), None);
    assert_eq!(with(&|b| b[1] = 6), Some(Unusable::Foreign), "another id");
    assert_eq!(with(&|b| b[2] &= 0x7f), Some(Unusable::Foreign), "a question");
    assert_eq!(with(&|b| b[13] = b'y'), Some(Unusable::Foreign), "another name");
    assert_eq!(with(&|b| b[7] = 9), Some(Unusable::Foreign), "records that are not there");
    assert_eq!(with(&|b| b[2] |= 2), Some(Unusable::Cut));
    let last = good.len() - 6;
    assert_eq!(with(&|b| b[last] = 1), Some(Unusable::Refused { not_understood: true }));
}

proptest! {
    #[test]
    fn whatever_a_resolver_sends_is_told_whole_or_not_at_all(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0..60_usize,
        age: u32,
        room in 512..1300_usize,
    ) {
        let query = query("example.com");
        let mut reply = reply(&query, Rcode::NOERROR, &[60, 70], Some((5, 5)));
        let end = (at + bytes.len()).min(reply.len());
        if at >= 2 {
            reply.splice(at.min(end)..end, bytes);
        } else {
            reply.truncate(12 + query.question.len());
            reply.extend(bytes);
        }
        if let Ok(answer) = Answer::read(reply, 5, &query) {
            let mut out = Vec::new();
            answer.tell(&query, age, room, &mut out);
            prop_assert!(out.len() <= room);
            let message = Message::from_octets(out).unwrap();
            prop_assert!(message.opt().is_some());
            for section in [message.answer(), message.authority(), message.additional()] {
                prop_assert!(section.unwrap().all(|record| record.is_ok()));
            }
        }
    }
}
