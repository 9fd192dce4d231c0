//! The whole server, on the loopback: real sockets, a real table, a resolver whose answers are made up.

mod support;

use domain::base::iana::Rtype;
use std::thread;
use std::time::{Duration, Instant};
use support::{DEAD, RESOLVER, Server, told};
use volt_dns::forward::message::asked;

/// `web` on one network with the member `db`, or without it; another network without members.
fn table(generation: u64, db: &str) -> String {
    format!(
        r#"{{"generation": {generation}, "networks": [
          {{"name": "back", "gateways": ["127.77.1.1"], "subnets": ["127.77.1.0/24"], "forwards": true, "members": [
            {{"name": "web", "addresses": ["127.77.1.2"]}}{db}]}},
          {{"name": "shut", "gateways": ["127.77.2.1"], "subnets": ["127.77.2.0/24"], "forwards": false, "members": []}}]}}"#
    )
}

const DB: &str = r#", {"name": "db", "addresses": ["127.77.1.3"]}"#;

#[test]
fn names_change_with_the_table() {
    let server = Server::begin(&table(1, ""), &[RESOLVER]);
    let ask = |name: &str| server.ask("127.77.1.2", "127.77.1.1", name);
    assert_eq!(ask("db"), "NXDOMAIN");
    for generation in 0..10 {
        let (db, wanted) =
            if generation % 2 == 0 { (DB, "NOERROR 127.77.1.3") } else { ("", "NXDOMAIN") };
        server.write(&table(generation, db));
        let took = server.until("127.77.1.2", "127.77.1.1", "db", wanted);
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
    // What is no table changes nothing; where there is none, there are no names.
    server.write("{");
    thread::sleep(Duration::from_millis(50));
    assert_eq!(ask("web.volt"), "NOERROR 127.77.1.2");
    assert_eq!(server.ask("127.77.2.9", "127.77.2.1", "web"), "NXDOMAIN");
    assert_eq!(
        server.ask("127.77.2.9", "127.77.1.1", "web"),
        "NXDOMAIN",
        "also at another's gateway"
    );
    let more = table(9, "").replace("127.77.2.1", "127.77.2.254");
    server.write(&more);
    server.until("127.77.2.9", "127.77.2.254", "x", "NXDOMAIN");
    assert!(server.heard.lock().unwrap().is_empty(), "nothing of this leaves the host");
}

#[test]
fn others_are_asked_once_and_what_they_say_is_kept() {
    let server = Server::begin(&table(1, ""), &[DEAD, RESOLVER]);
    let ask = |name: &str| server.ask("127.77.1.2", "127.77.1.1", name);
    for _ in 0..3 {
        assert_eq!(ask("a.example"), "NOERROR 192.0.2.0");
        assert_eq!(ask("none.example"), "NXDOMAIN");
        assert_eq!(ask("old.example"), "NOERROR 192.0.2.0");
        assert_eq!(ask("large.example"), "NOERROR cut");
    }
    let heard = || server.heard.lock().unwrap().clone();
    assert_eq!(
        heard(),
        [
            "a.example",
            "none.example",
            "old.example",
            "old.example",
            "large.example",
            "large.example on a connection"
        ]
    );
    // A network that reaches nothing outside, and nobody's network.
    assert_eq!(server.ask("127.77.2.9", "127.77.2.1", "b.example"), "REFUSED");
    assert_eq!(server.ask("127.0.0.1", "127.77.1.1", "b.example"), "REFUSED");
    assert_eq!(heard().len(), 6);
    // Those who ask the same at the same time wait for one answer.
    thread::scope(|scope| {
        let late = || scope.spawn(|| ask("late.example"));
        let all: Vec<_> = (0..20).map(|_| late()).collect();
        assert!(all.into_iter().all(|one| one.join().unwrap() == "NOERROR 192.0.2.0"));
    });
    assert_eq!(heard().iter().filter(|name| *name == "late.example").count(), 1);
}

#[test]
fn who_gets_no_answer_is_told_in_time() {
    let server = Server::begin(&table(1, ""), &[RESOLVER]);
    let ask = |name: &str| server.ask("127.77.1.2", "127.77.1.1", name);
    assert_eq!(ask("broken.example"), "SERVFAIL");
    std::fs::write(server.dir.path().join("resolv.conf"), format!("nameserver {DEAD}\n")).unwrap();
    thread::sleep(Duration::from_millis(1100));
    let begun = Instant::now();
    assert_eq!(ask("lost.example"), "SERVFAIL");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(ask("web"), "NOERROR 127.77.1.2");
}

#[test]
fn several_queries_come_on_one_connection() {
    let server = Server::begin(&table(1, DB), &[RESOLVER]);
    // The host asks: its address is not of a network.
    let queries = ["db.volt", "web.volt", "no.volt"].map(|name| asked(1, name, Rtype::A, false));
    let all: Vec<_> =
        server.connect("127.77.1.1", &queries).iter().map(|reply| told(reply)).collect();
    assert_eq!(all, ["NOERROR 127.77.1.3", "NOERROR 127.77.1.2", "NXDOMAIN"]);
}

#[test]
fn rubbish_is_no_trouble() {
    let server = Server::begin(&table(1, ""), &[RESOLVER]);
    let good = asked(1, "web", Rtype::A, true);
    let socket = std::net::UdpSocket::bind("127.77.1.2:0").unwrap();
    let place = ("127.77.1.1", server.port());
    for length in 0..good.len() {
        for flip in [0x80, 0xff, 0x01] {
            let mut bytes = good[..length].to_vec();
            if let Some(last) = bytes.last_mut() {
                *last ^= flip;
            }
            socket.send_to(&bytes, place).unwrap();
        }
    }
    assert_eq!(server.ask("127.77.1.2", "127.77.1.1", "web"), "NOERROR 127.77.1.2");
}
