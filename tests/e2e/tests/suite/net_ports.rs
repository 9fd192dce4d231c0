//! Published ports: from outside, from the host and from other containers, by IPv4 and IPv6; and who has which.

use super::net::{address, reaches};
use std::time::Duration;
use volt_e2e::{on_hosts, xtask};

/// Answers datagrams with what is in them.
const ANSWER: &str = "import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 7))
while True:
    s.sendto(*s.recvfrom(99))";
/// Sends back whatever comes, by connections to port 9 and by datagrams to port 7.
const LINES: &str = r#"
import socket, threading
def stream(s):
    while data := s.recv(99):
        s.sendall(data)
def datagrams():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("::", 7))
    while True:
        s.sendto(*s.recvfrom(99))
threading.Thread(target=datagrams).start()
lines = socket.create_server(("::", 9), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=stream, args=(lines.accept()[0],)).start()
"#;
/// Sends numbers by a connection and by datagrams, each when the one before has come back, until it is enough. Of the connection TCP would
/// send again what is lost, so it is asked how often it did; less what the other end says that it had already.
const FLOW: &str = r#"
import os, socket, struct, sys, time
host, tcp, udp, name = sys.argv[1:]
for _ in range(50):
    try:
        stream = socket.create_connection((host, tcp), timeout=5)
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
datagrams = socket.socket(stream.family, socket.SOCK_DGRAM)
datagrams.settimeout(2)
datagrams.connect((host, int(udp)))
count = 0
while not os.path.exists("/run/enough"):
    number = b"%08d" % count
    for s in (stream, datagrams):
        s.send(number)
        assert s.recv(8) == number, number
    count += 1
    if count == 10:
        open("/run/flows-" + name, "w").close()
    time.sleep(0.005)
info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
again, twice = struct.unpack_from("I", info, 100)[0], struct.unpack_from("I", info, 216)[0]
print(count, again, twice)
assert count > 10 and again <= twice, (again, twice)
"#;
/// Asks for such an answer, from a port of its own where one is said.
const ASK: &str = "import socket, sys
to = socket.getaddrinfo(*sys.argv[1:3], type=socket.SOCK_DGRAM)[0]
s = socket.socket(to[0], to[1])
s.bind(('', int((sys.argv + [0])[3])))
s.settimeout(1)
s.connect(to[4])
s.send(b'hi')
assert s.recv(9) == b'hi'";

on_hosts! {
    fn net_ports_lead_in_from_everywhere(host) {
        let host = host.private("ports");
        host.tiny();
        let other = host.private("client");
        xtask(&["host", "link", &format!("{}:wan=10.201.0.1/24", host.name()), &format!("{}:wan=10.201.0.2/24", other.name())]);
        host.sh("ip addr add fd20::1/64 nodad dev wan").ok();
        other.sh("ip addr add fd20::2/64 nodad dev wan").ok();
        host.sh("mkdir -p /tmp/www/cgi-bin && echo web > /tmp/www/index.html && printf '#!/bin/sh\nprintf \"\\n\"; echo $REMOTE_ADDR\n' > /tmp/www/cgi-bin/who && chmod -R a+rx /tmp/www").ok();
        host.sh("volt run -d --name web -v /tmp/www:/www:ro --network volt0 -p 8080:80 -p 127.0.0.1:8081:80 -p 10.201.0.1:8082:80 -p 8083-8084:80-81 tiny httpd -f -p 80 -h /www").ok();
        host.sh("volt run -d --name peer --network volt0 tiny sleep 1000 && volt net create apart && volt run -d --name away --network apart tiny sleep 1000").ok();
        // Also by the loopback, at once.
        for (from, to, reached) in [
            (None, "127.0.0.1:8080", true),
            (None, "[::1]:8080", true),
            (None, "10.201.0.1:8080", true),
            (None, "[fd20::1]:8080", true),
            (None, "127.0.0.1:8081", true),
            (None, "10.201.0.1:8081", false),
            (None, "10.201.0.1:8082", true),
            (None, "127.0.0.1:8082", false),
            (None, "127.0.0.1:8083", true),
            (Some("peer"), "10.201.0.1:8080", true),
            (Some("peer"), "[fd20::1]:8080", true),
            (Some("peer"), "10.0.0.1:8080", true),
            (Some("away"), "10.201.0.1:8080", true),
            (Some("web"), "10.201.0.1:8080", true),
            (Some("web"), "[fd20::1]:8080", true),
            (Some("peer"), "10.201.0.1:8081", false),
        ] {
            assert_eq!(reaches(&host, from, to, "web"), reached, "{from:?} {to}");
        }
        for (to, reached) in [("10.201.0.1:8080", true), ("[fd20::1]:8080", true), ("10.201.0.1:8082", true), ("10.201.0.1:8081", false), ("10.201.0.1:8083", true)] {
            assert_eq!(reaches(&other, None, to, "web"), reached, "from outside {to}");
        }
        // The container sees who asks.
        assert!(other.sh("busybox wget -q -O - http://10.201.0.1:8080/cgi-bin/who").ok().contains("10.201.0.2"));
        // Datagrams.
        host.sh("volt run -d --name echo --network volt0 -p 8085:7/udp tiny sleep 1000").ok();
        let answers = format!("systemd-run --quiet --collect --unit answers ip netns exec volt-echo python3 -c \"{ANSWER}\"");
        host.sh(&answers).ok();
        for (from, to) in [(&other, "10.201.0.1"), (&other, "fd20::1"), (&host, "127.0.0.1"), (&host, "::1"), (&host, "10.201.0.1")] {
            from.until(Duration::from_secs(10), &format!("python3 -c \"{ASK}\" {to} 8085"));
        }
        // Started again it is reached again, at whatever address; stopped it is not.
        host.sh("volt container restart web").ok();
        assert!(reaches(&other, None, "10.201.0.1:8080", "web") && reaches(&host, None, "127.0.0.1:8080", "web"));
        // So is a port for datagrams, whatever had been sent to it while nobody was there.
        let ask = format!("python3 -c \"{ASK}\" 10.201.0.1 8085 5353");
        other.sh(&ask).ok();
        host.sh("systemctl stop answers; volt stop -t 1 echo").ok();
        other.sh(&ask).fails(1);
        host.sh(&format!("volt start echo && {answers}")).ok();
        other.until(Duration::from_secs(3), &ask);
        // Whoever publishes the port of names takes them from nobody.
        host.sh("volt run -d --name names --network volt0 -p 53:53 -p 53:53/udp tiny sleep 1000").ok();
        host.sh("volt exec peer nslookup web && volt exec away nslookup away").ok();
        assert!(host.sh("volt run --rm --network volt0 -p 10.0.0.1:53:53/udp tiny true").fails(9).contains("names"));
        // What serves names, what answers and what watches may end and begin again, the firewall be written anew: no packet of whoever is
        // connected is lost, of no kind.
        host.sh("volt run -d --name lines --network volt0 -p 8086:9 -p 8087:7/udp tiny sleep 1000 && volt run -d --name mate --network volt0 tiny sleep 1000").ok();
        host.sh("volt net policy create --deny --from mate --to lines --port 99 closed").ok();
        for (file, text, to) in [("lines", LINES, &host), ("flow", FLOW, &host), ("flow", FLOW, &other)] {
            to.run_with(&["sh", "-c", &format!("cat > /root/{file}.py")], text.as_bytes()).ok();
        }
        host.sh("systemd-run --quiet --collect --unit=lines ip netns exec volt-lines python3 /root/lines.py").ok();
        // From outside, and between members by either version, where a policy judges.
        let (four, six) = address(&host, "lines");
        let flows = [(&other, "out4", "", "10.201.0.1 8086 8087"), (&other, "out6", "", "fd20::1 8086 8087"), (&host, "in4", "ip netns exec volt-mate ", &format!("{four} 9 7")), (&host, "in6", "ip netns exec volt-mate ", &format!("{six} 9 7"))];
        for (from, name, space, to) in &flows {
            from.sh(&format!("systemd-run --quiet --unit=flow-{name} --property=RemainAfterExit=yes {space}python3 /root/flow.py {to} {name}")).ok();
        }
        for (from, name, ..) in &flows {
            from.until(Duration::from_secs(10), &format!("test -e /run/flows-{name}"));
        }
        host.sh("systemctl restart volt.service volt-dns.service volt-network.service; volt net create anew && volt restart -t 1 peer && systemctl kill --signal KILL volt.service; volt net delete anew && volt net create anew; volt ps").ok();
        for (from, name, ..) in &flows {
            from.sh("touch /run/enough").ok();
            from.until(Duration::from_secs(5), &format!("test \"$(systemctl show -P SubState flow-{name})\" != running"));
            from.sh(&format!("systemctl is-active flow-{name} || {{ journalctl -u flow-{name} >&2; false; }}")).ok();
        }
        host.sh("systemctl stop lines && volt net policy delete closed").ok();
        host.sh("volt stop web && systemctl is-active volt-proxy@web").fails(3);
        assert!(!reaches(&other, None, "10.201.0.1:8080", "web") && !reaches(&host, None, "127.0.0.1:8080", "web"));
        host.sh("volt delete --force web peer away echo names lines mate && volt net delete apart anew && volt system check").ok();
    }
}

on_hosts! {
    fn net_ports_lead_by_the_loopback_to_who_has_one_version(host) {
        host.tiny();
        let _guards = ["four", "six"].map(|name| host.container(name));
        // `localhost` is ::1 first, and many programs listen on IPv4 alone.
        for (name, at, port) in [("four", "0.0.0.0:80", 8096), ("six", "[::]:80", 8097)] {
            host.sh(&format!("volt run -d --name {name} --network volt0 -p {port}:80 tiny httpd -f -p {at} -h /etc")).ok();
            for to in ["127.0.0.1", "[::1]", "localhost"] {
                host.until(Duration::from_secs(10), &format!("curl -s -m 5 http://{to}:{port}/hostname | grep -qx {name}"));
            }
        }
    }
}

on_hosts! {
    fn net_ports_are_one_containers(host) {
        host.tiny();
        let _guards = ["port1", "port2", "port3"].map(|name| host.container(name));
        host.sh("volt run -d --name port1 --network volt0 -p 9311:80 tiny sleep 1000").ok();
        assert!(host.sh("volt run -d --name port2 --network volt0 -p 127.0.0.1:9311:80 tiny sleep 1000").fails(9).contains("port1"));
        // It can wait its turn.
        host.sh("volt stop port1 && volt start port2").ok();
        assert!(host.volt(&["start", "port1"]).fails(9).contains("port2"));
        host.sh("systemd-run --quiet --unit held-port busybox nc -l -p 9312 -e cat").ok();
        host.until(Duration::from_secs(10), "ss -ltn 2>/dev/null | grep -q :9312 || grep -qi :2460 /proc/net/tcp");
        assert!(host.sh("volt run --name port3 --network volt0 -p 9312:80 tiny true").fails(9).contains("busybox"));
        host.sh("systemctl stop held-port; volt delete port3").ok();
        // Any free one.
        let said = host.sh("volt run -d --name port3 --network volt0 -p 80 tiny sleep 1000 && volt container inspect port3 -o json").ok();
        assert!(said.contains(":80/tcp"), "{said}");
        let port = said.split(":80/tcp").next().and_then(|before| before.rsplit(|c: char| !c.is_ascii_digit()).next()).unwrap();
        host.sh("systemd-run --quiet --collect ip netns exec volt-port3 busybox httpd -f -p 80 -h /etc").ok();
        for at in ["127.0.0.1", "10.0.0.1"] {
            host.until(Duration::from_secs(10), &format!("timeout 3 busybox wget -q -O /dev/null http://{at}:{port}/passwd"));
        }
        for (words, code) in [("-p 80:80", 2), ("--network none -p 80:80", 2), ("--network host -p 80:80", 2), ("--network volt0 -p 80:80/icmp", 2), ("--network volt0 -p 90:90 -p 90:91", 2)] {
            let line = format!("volt run --rm {words} tiny true");
            // Where networks are the default the first of these is no fault.
            if words == "-p 80:80" && host.sh("volt config get container.network").ok().trim() != "none" {
                continue;
            }
            host.sh(&line).fails(code);
        }
        let (ip, _) = address(host, "port3");
        assert!(!ip.is_empty());
    }
}
