//! Messages of DNS, from askers and from resolvers: no panic, answers within bounds, nothing of Volt's own zone for others.
#![no_main]

use std::net::IpAddr;
use volt_dns::answer::{Verdict, answer};
use volt_dns::forward::message::Answer;
use volt_dns::names::Names;
use volt_dns::query::{Query, Way};

const TABLE: &str = r#"{"generation":1,"networks":[{"name":"n","gateways":["10.0.0.1"],"subnets":["10.0.0.0/24"],"forwards":true,"members":[{"name":"a","addresses":["10.0.0.2","fd00::2"],"aliases":["b"]}]}]}"#;

libfuzzer_sys::fuzz_target!(|data: (&[u8], &[u8], u16, u32)| {
    let (asked, replied, id, age) = data;
    let names = Names::new(&serde_json::from_str(TABLE).expect("it is a table"));
    let mut out = Vec::new();
    for (source, most) in [([10, 0, 0, 2], 1232), ([192, 0, 2, 1], asked.len())] {
        let from = (IpAddr::from(source), Way::Datagram);
        match answer(&names, from, asked, &mut out) {
            Verdict::Drop => {}
            Verdict::Reply => assert!(out.len() <= most && out[2] & 0x80 != 0),
            Verdict::Forward(query) => assert_ne!(query.name.labels().last(), Some(&b"volt"[..])),
        }
    }
    if let Ok(query) = Query::read(asked)
        && let Ok(answer) = Answer::read(replied.to_vec(), id, &query)
    {
        answer.tell(&query, age, query.room(Way::Datagram), &mut out);
        assert!(out.len() <= 1232);
    }
});
