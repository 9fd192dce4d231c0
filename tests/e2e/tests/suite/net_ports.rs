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
/// Asks for such an answer.
const ASK: &str = "import socket, sys
to = socket.getaddrinfo(*sys.argv[1:], type=socket.SOCK_DGRAM)[0]
s = socket.socket(to[0], to[1])
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
        // The proxy's socket is there a moment after the container.
        host.until(Duration::from_secs(10), "busybox nc -w 2 127.0.0.1 8080 < /dev/null");
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
        host.sh(&format!("systemd-run --quiet --collect --unit answers ip netns exec volt-echo python3 -c \"{ANSWER}\"")).ok();
        for (from, to) in [(&other, "10.201.0.1"), (&other, "fd20::1"), (&host, "127.0.0.1"), (&host, "::1"), (&host, "10.201.0.1")] {
            from.until(Duration::from_secs(10), &format!("python3 -c \"{ASK}\" {to} 8085"));
        }
        // Started again it is reached again, at whatever address; stopped it is not.
        host.sh("volt container restart web").ok();
        assert!(reaches(&other, None, "10.201.0.1:8080", "web"));
        host.until(Duration::from_secs(10), "busybox nc -w 2 127.0.0.1 8080 < /dev/null");
        // A daemon that ends and a firewall written anew harm no connection.
        host.sh("systemctl stop volt.service volt.socket; systemctl start volt.socket; volt net create anew").ok();
        assert!(reaches(&other, None, "10.201.0.1:8080", "web"));
        host.sh("volt stop web && systemctl is-active volt-proxy@web").fails(3);
        assert!(!reaches(&other, None, "10.201.0.1:8080", "web") && !reaches(&host, None, "127.0.0.1:8080", "web"));
        host.sh("volt delete --force web peer away echo && volt net delete apart anew && volt system check").ok();
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
