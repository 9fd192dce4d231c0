//! What is said to whom, on the networks of the table in `names/tests.rs`.

use super::*;
use crate::forward::message::asked;
use crate::names::tests::TABLE;
use domain::base::message::Message;
use domain::rdata::AllRecordData;
use proptest::prelude::*;

fn names() -> Names {
    Names::new(&serde_json::from_str(TABLE).unwrap())
}

/// The answer in a line: `forward`, `drop`, or the code and the records.
fn said(names: &Names, source: &str, name: &str, rtype: Rtype) -> String {
    let query = asked(7, name, rtype, true);
    let mut out = Vec::new();
    match answer(names, (source.parse().unwrap(), Way::Datagram), &query, &mut out) {
        Verdict::Drop => return "drop".into(),
        Verdict::Forward(_) => return "forward".into(),
        Verdict::Reply => {}
    }
    let message = Message::from_octets(out).unwrap();
    assert!(message.header().qr() && message.header().id() == 7);
    let mut words = vec![message.header().rcode().to_string()];
    for record in message.answer().unwrap().limit_to::<AllRecordData<_, _>>() {
        words.push(record.unwrap().data().to_string());
    }
    for record in message.authority().unwrap().limit_to::<Soa<_>>() {
        words.push(format!("soa {}", record.unwrap().owner()));
    }
    words.join(" ")
}

#[test]
fn who_asks_what_is_told() {
    let names = names();
    for (source, name, rtype, told) in [
        // By short name, by network, in the zone; in any case of letters.
        ("10.0.1.3", "web", Rtype::A, "NOERROR 10.0.1.2"),
        ("10.0.1.3", "WEB", Rtype::AAAA, "NOERROR fd00:1::2"),
        ("10.0.1.3", "web.back", Rtype::A, "NOERROR 10.0.1.2"),
        ("10.0.1.3", "web.volt", Rtype::A, "NOERROR 10.0.1.2"),
        ("10.0.1.3", "web.back.volt", Rtype::A, "NOERROR 10.0.1.2"),
        ("10.0.1.2", "web.front.volt", Rtype::A, "NOERROR 10.0.2.2"),
        ("10.0.1.2", "proxy", Rtype::A, "NOERROR 10.0.2.3"),
        // By an alias, and no workload loses its name to one.
        ("10.0.1.2", "my_db", Rtype::A, "NOERROR 10.0.1.3"),
        ("10.0.1.2", "S3.Example.com", Rtype::A, "NOERROR 10.0.1.3"),
        ("10.0.1.2", "s3.example.com", Rtype::MX, "NOERROR"),
        ("10.0.1.2", "store.local", Rtype::A, "NOERROR 10.0.1.3 10.0.1.4"),
        ("10.0.1.2", "example.com", Rtype::A, "forward"),
        ("10.0.2.3", "s3.example.com", Rtype::A, "forward"),
        ("10.0.3.2", "s3.example.com", Rtype::A, "REFUSED"),
        // There, but without such records.
        ("10.0.1.3", "db1", Rtype::AAAA, "NOERROR"),
        ("10.0.1.3", "db1.volt", Rtype::MX, "NOERROR soa volt"),
        ("10.0.1.3", "volt", Rtype::SOA, "NOERROR soa volt"),
        ("10.0.1.3", "back.volt", Rtype::A, "NOERROR soa volt"),
        // Not there, or not for this asker: never asked of others.
        ("10.0.1.3", "proxy", Rtype::A, "NXDOMAIN"),
        ("10.0.1.3", "nobody", Rtype::A, "NXDOMAIN"),
        ("10.0.1.3", "proxy.volt", Rtype::A, "NXDOMAIN soa volt"),
        ("10.0.1.3", "proxy.front.volt", Rtype::A, "NXDOMAIN soa volt"),
        ("10.0.1.3", "front.volt", Rtype::A, "NXDOMAIN soa volt"),
        ("10.0.1.3", "a.b.c.volt", Rtype::A, "NXDOMAIN soa volt"),
        // Others may know.
        ("10.0.1.3", "example.com", Rtype::A, "forward"),
        ("10.0.1.3", "web.front", Rtype::A, "forward"),
        ("10.0.1.3", "nobody.back", Rtype::A, "forward"),
        ("10.0.1.3", ".", Rtype::NS, "forward"),
        ("10.0.1.3", "com", Rtype::NS, "forward"),
        ("10.0.1.3", "nobody", Rtype::ANY, "NXDOMAIN"),
        ("10.0.1.3", "db1", Rtype::MX, "NOERROR"),
        ("10.0.3.2", "com", Rtype::NS, "NXDOMAIN"),
        // Reverse.
        ("10.0.1.3", "2.1.0.10.in-addr.arpa", Rtype::PTR, "NOERROR web.volt."),
        ("10.0.1.3", "3.2.0.10.in-addr.arpa", Rtype::PTR, "NXDOMAIN"),
        ("10.0.1.3", "9.1.0.10.in-addr.arpa", Rtype::PTR, "NXDOMAIN"),
        ("10.0.1.3", "2.1.0.10.in-addr.arpa", Rtype::A, "NOERROR"),
        ("10.0.1.3", "1.2.0.192.in-addr.arpa", Rtype::PTR, "forward"),
        ("10.0.1.3", "02.1.0.10.in-addr.arpa", Rtype::PTR, "forward"),
        (
            "10.0.1.3",
            "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa",
            Rtype::PTR,
            "NOERROR web.volt.",
        ),
        // A network that reaches nothing outside; the host; nobody.
        ("10.0.3.2", "probe", Rtype::A, "NOERROR 10.0.3.2"),
        ("10.0.3.2", "nobody.lab", Rtype::A, "NXDOMAIN"),
        ("10.0.3.2", "example.com", Rtype::A, "REFUSED"),
        ("10.0.1.1", "proxy.volt", Rtype::A, "NOERROR 10.0.2.3"),
        ("10.0.1.1", "example.com", Rtype::A, "REFUSED"),
        ("192.0.2.1", "web.volt", Rtype::A, "REFUSED"),
        ("192.0.2.1", "example.com", Rtype::A, "REFUSED"),
    ] {
        assert_eq!(said(&names, source, name, rtype), told, "{source} asks for {name} {rtype}");
    }
}

#[test]
fn replicas_take_turns_in_each_type() {
    let names = names();
    let ask = |rtype| said(&names, "10.0.1.2", "db", rtype);
    let both = ["NOERROR 10.0.1.3 10.0.1.4", "NOERROR 10.0.1.4 10.0.1.3"];
    for turn in 0..6 {
        assert_eq!(ask(Rtype::A), both[turn % 2]);
        assert_eq!(ask(Rtype::AAAA), "NOERROR");
    }
}

#[test]
fn what_does_not_fit_is_cut_and_whole_on_a_connection() {
    let member = |n: u16| {
        let [high, low] = n.to_be_bytes();
        format!(r#"{{"name":"m{n}","addresses":["10.1.{high}.{low}"],"aliases":["all"]}}"#)
    };
    let members: Vec<String> = (0..500).map(member).collect();
    let table = format!(
        r#"{{"generation":1,"networks":[{{"name":"n","gateways":["10.1.9.1"],"subnets":["10.1.0.0/16"],"forwards":true,"members":[{}]}}]}}"#,
        members.join(",")
    );
    let names = Names::new(&serde_json::from_str(&table).unwrap());
    for (way, edns, most, cut) in [
        (Way::Datagram, false, 512, true),
        (Way::Datagram, true, 1232, true),
        (Way::Stream, true, 65535, false),
    ] {
        let (mut out, source) = (Vec::new(), "10.1.0.1".parse().unwrap());
        answer(&names, (source, way), &asked(1, "all", Rtype::A, edns), &mut out);
        let message = Message::from_octets(out.as_slice()).unwrap();
        assert!(out.len() <= most && message.header().tc() == cut, "{} bytes", out.len());
        assert_eq!(message.opt().is_some(), edns);
        assert!(cut || message.header_counts().ancount() == 500);
    }
}

#[test]
fn what_can_not_be_read_is_answered_with_a_header_or_not_at_all() {
    let ask = |bytes: &[u8]| {
        let mut out = Vec::new();
        match answer(&names(), ("10.0.1.3".parse().unwrap(), Way::Datagram), bytes, &mut out) {
            Verdict::Reply => Some(out),
            _ => None,
        }
    };
    let mut query = asked(9, "web", Rtype::A, true);
    query[27] = 1;
    let version = ask(&query).unwrap();
    let message = Message::from_octets(version.as_slice()).unwrap();
    assert_eq!(message.opt_rcode(), OptRcode::BADVERS);
    query[2] = 0x28;
    assert_eq!(ask(&query).unwrap(), [0, 9, 0xa8, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
    query[2] = 0x80;
    assert_eq!(ask(&query), None, "an answer is never answered");
    assert_eq!(ask(b"\0\x01\x01\0\0\x01\0\0\0\0\0"), None);
}

proptest! {
    /// Whatever comes from whomever: no panic; who is on no network never gets more than was sent; nobody more than is safe.
    #[test]
    fn nothing_is_amplified(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        shape in 0..3,
        name in "[a-z0-9.]{0,40}",
        rtype in 0..300_u16,
    ) {
        match shape {
            0 if bytes.len() >= 12 => bytes[..12].copy_from_slice(b"\0\x01\x01\0\0\x01\0\0\0\0\0\x01"),
            1 => bytes = asked(1, &name, Rtype::from_int(rtype), true),
            _ => {}
        }
        let names = names();
        for (source, most) in [("192.0.2.1", bytes.len()), ("10.0.1.3", 1232), ("10.0.3.2", 1232)] {
            let mut out = Vec::new();
            let verdict = answer(&names, (source.parse().unwrap(), Way::Datagram), &bytes, &mut out);
            match verdict {
                Verdict::Reply => {
                    prop_assert!(out.len() <= most, "{} for {}", out.len(), bytes.len());
                    prop_assert!(Message::from_octets(&out).unwrap().header().qr());
                }
                Verdict::Forward(query) => {
                    prop_assert_eq!(source, "10.0.1.3");
                    let last = query.name.labels().last().unwrap_or_default();
                    let address = matches!(query.rtype, Rtype::A | Rtype::AAAA | Rtype::ANY);
                    prop_assert!(last != b"volt" && !(address && query.name.labels().count() == 1));
                }
                Verdict::Drop => {}
            }
        }
    }
}
