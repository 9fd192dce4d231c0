//! What goes through networks: counted, limited, and captured for others to read.

use super::net::{address, serve};
use serde_json::Value;
use std::time::{Duration, Instant};
use volt_e2e::{Host, on_hosts};

/// What is sent, in bytes.
const FILE: u64 = 3 << 20;

/// What a container has received and sent.
fn counted(host: &Host, name: &str) -> (u64, u64) {
    let seen = host.volt(&["net", "status", "-o", "json"]).json();
    let own = seen.as_array().unwrap().iter().find(|c| c["name"] == name).unwrap();
    assert!(own["received_packets"].as_u64() > Some(0), "{own}");
    (own["received_bytes"].as_u64().unwrap(), own["sent_bytes"].as_u64().unwrap())
}

on_hosts! {
    fn net_traffic_is_counted_and_limited_both_ways(host) {
        let host = host.private("traffic");
        host.tiny();
        serve(&host, "busy", "--network volt0 --rate 24mbit");
        host.sh("volt exec busy dd if=/dev/zero of=/www/file bs=1M count=3 && mkdir /tmp/www && dd if=/dev/zero of=/tmp/www/file bs=1M count=3").ok();
        host.sh("systemd-run --quiet --collect busybox httpd -f -p 81 -h /tmp/www").ok();
        host.until(Duration::from_secs(10), "busybox nc -w 2 10.0.0.1 81 < /dev/null");
        let down = "volt exec busy wget -q -O /dev/null http://10.0.0.1:81/file".to_owned();
        let up = format!("busybox wget -q -O /dev/null http://{}/file", address(&host, "busy").0);
        let took = |line: &str| {
            let begun = Instant::now();
            host.sh(line).ok();
            begun.elapsed().as_millis()
        };
        for (rate, least, most) in [("24mbit", 950, 4000), ("12mbit", 1900, 7000), ("none", 0, 900)] {
            host.volt(&["container", "update", "--rate", rate, "busy"]).ok();
            for (way, line) in [("down", &down), ("up", &up)] {
                let before = counted(&host, "busy");
                let time = took(line);
                assert!((least..most).contains(&time), "{way} at {rate}: {time} ms");
                let after = counted(&host, "busy");
                let (received, sent) = (after.0 - before.0, after.1 - before.1);
                let (much, little) = if way == "down" { (received, sent) } else { (sent, received) };
                assert!((FILE..FILE * 3 / 2).contains(&much) && little < FILE / 3, "{way}: {received} received, {sent} sent");
            }
        }
        // What another program lifts is put back: seen by the watcher, or by a check.
        host.sh("volt container update --rate 12mbit busy && systemctl is-active volt-network.service").ok();
        let port = host.sh("ip -o link | grep -o 'vo-bus[^@:]*'").ok();
        host.sh(&format!("tc qdisc delete dev {port} root")).ok();
        host.until(Duration::from_secs(10), &format!("tc qdisc show dev {port} | grep -q 'tbf.*rate 12Mbit'"));
        host.sh(&format!("systemctl stop volt-network.service && tc qdisc delete dev {port} root")).ok();
        let check = host.volt(&["system", "check"]);
        assert!(check.code == 1 && check.stdout.contains(&format!("rate of {port}")), "{check:?}");
        host.sh(&format!("volt system check --repair && volt system check && tc qdisc show dev {port} | grep -q 'tbf.*rate 12Mbit'")).ok();
        // By the next start too, and a second of it is told.
        host.sh("volt container restart busy").ok();
        host.until(Duration::from_secs(10), "volt exec busy test -s /www/file");
        let seen = host.sh(&format!("{down} & sleep 0.5; volt top --once -o json; wait")).json();
        let own: &Value = seen.as_array().unwrap().iter().find(|u| u["name"] == "busy").unwrap();
        let (received, sent) = (own["network_receive_rate"].as_u64().unwrap(), own["network_send_rate"].as_u64().unwrap());
        assert!((700_000..2_500_000).contains(&received) && sent < received / 3, "{own}");
        for (words, said) in [("--rate 24", "24"), ("--rate 1kbit", "8kbit"), ("--network host --rate 24mbit", "rate")] {
            let error = host.sh(&format!("volt run --rm {words} tiny true")).fails(2);
            assert!(error.contains(said), "{words}: {error}");
        }
        captured(&host);
        host.sh("volt net capture busy > /tmp/none.pcap").fails(9);
        host.sh("volt delete --force busy && volt system check").ok();
    }
}

/// What passes a container that serves a page.
fn captured(host: &Host) {
    let ip = address(host, "busy").0;
    let lookers = "wc -l < /proc/net/packet";
    let before = host.sh(lookers).ok();
    // Pages are asked for all the time, and echoes.
    let meanwhile = |line: &str| {
        let asked = format!("busybox wget -q -O /dev/null http://{ip}/; ping -c 1 -W 1 {ip}");
        host.sh(&format!("(while :; do {asked}; sleep 0.1; done) > /dev/null 2>&1 & asker=$!; {line}; code=$?; kill $asker; exit $code"))
    };
    meanwhile("volt net capture --count 9 --snap-length 60 busy > /tmp/any.pcap").ok();
    let error = host.volt(&["net", "capture", "busy", "tcp"]).fails(10);
    assert!(error.contains("apt install tcpdump"), "{error}");
    // Pages of manuals are nobody's business here.
    host.sh("rm -f /var/lib/man-db/auto-update; apt-get -qq -o Acquire::Languages=none update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends tcpdump > /dev/null").ok();
    let read = host.sh("tcpdump -n -e -r /tmp/any.pcap").ok();
    assert_eq!(read.lines().count(), 9, "{read}");
    let read =
        meanwhile("volt net capture --count 5 --network volt0 busy tcp port 80 | tcpdump -n -r -")
            .ok();
    assert!(
        read.lines().count() == 5 && read.lines().all(|line| line.contains(&format!("{ip}.80"))),
        "{read}"
    );
    for (words, code, said) in [
        ("busy tcp porto 80", 2, "syntax error"),
        ("busy tcp -z", 2, "filter"),
        ("--network nowhere busy", 3, "nowhere"),
        ("nobody", 3, "nobody"),
    ] {
        let error = host.sh(&format!("volt net capture {words} > /tmp/none.pcap")).fails(code);
        assert!(error.contains(said), "{words}: {error}");
    }
    // Nobody looks on when the reader has gone, and when the container is gone there is nothing to see.
    host.sh("timeout 1 volt net capture busy > /tmp/some.pcap").fails(124);
    host.until(
        Duration::from_secs(5),
        &format!("test $({lookers}) = {before} && volt audit list | grep -q net.capture"),
    );
    host.sh("volt net capture busy > /tmp/rest.pcap & until test -s /tmp/rest.pcap; do sleep 0.1; done; volt stop busy && wait $! && tcpdump -n -r /tmp/rest.pcap").ok();
}
