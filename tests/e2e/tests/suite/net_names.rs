//! Names on networks, asked with dig from within the containers' network namespaces, and by the host's own resolver.

use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// A resolver for the host, at 127.77.9.9: every name under `example` has the address 192.0.2.7; it says what it was asked.
const RESOLVER: &str = r#"
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.77.9.9", 53))
while True:
    q, to = s.recvfrom(4096)
    end = 12
    labels = []
    while q[end]:
        labels.append(q[end + 1:end + 1 + q[end]].decode())
        end += q[end] + 1
    end += 5
    print(".".join(labels), flush=True)
    known = labels[-1:] == ["example"] and q[end - 3] == 1
    head = q[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\0\1" + (b"\0\1" if known else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x07" if known else b""
    s.sendto(head + q[12:end] + record, to)
"#;

/// What dig is told in the network namespace of a container.
fn dig(host: &Host, container: &str, words: &str) -> String {
    let command = format!(
        "ip netns exec volt-{container} dig +time=3 +tries=1 +noall +answer +comments {words} \
         @$(awk '/^nameserver/ {{ print $2; exit }}' /run/volt/containers/{container}/resolv.conf)"
    );
    let said = host.sh(&command).ok();
    let code = said.split("status: ").nth(1).and_then(|rest| rest.split(',').next());
    let records = said.lines().filter(|line| !line.starts_with(';') && !line.is_empty());
    let values = records.filter_map(|line| line.split_whitespace().last());
    let mut values: Vec<&str> = values.collect();
    values.sort_unstable();
    format!("{} {}", code.unwrap_or("no answer"), values.join(" ")).trim_end().to_owned()
}

on_hosts! {
    fn net_names_are_served(host) {
        let host = &*host.private("names");
        host.tiny();
        host.sh("apt-get -qq -o Acquire::Languages=none update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends bind9-dnsutils > /dev/null").ok();
        host.run_with(&["sh", "-c", "cat > /root/resolver.py"], RESOLVER.as_bytes()).ok();
        host.sh("systemd-run --quiet --unit=resolver python3 /root/resolver.py && echo nameserver 127.77.9.9 > /etc/resolv.conf").ok();
        host.volt(&["net", "create", "back", "--subnet", "10.90.0.0/24", "--ipv6", "fd00:90::/64"]).ok();
        host.volt(&["net", "create", "front", "--subnet", "10.91.0.0/24"]).ok();
        host.volt(&["net", "create", "shut", "--subnet", "10.92.0.0/24", "--internal"]).ok();
        let run = |name: &str, networks: &[&str]| {
            let mut words = vec!["run", "--detach", "--name", name];
            words.extend(networks.iter().flat_map(|network| ["--network", network]));
            host.volt(&[&words[..], &["tiny", "sleep", "1000"]].concat()).ok();
        };
        run("web", &["back:ip=10.90.0.10", "front:ip=10.91.0.10"]);
        run("db1", &["back:ip=10.90.0.11:alias=db"]);
        run("db2", &["back:ip=10.90.0.12:alias=db"]);
        run("proxy", &["front:ip=10.91.0.11"]);
        run("probe", &["shut:ip=10.92.0.11"]);
        for (asker, words, told) in [
            ("db1", "web", "NOERROR 10.90.0.10"),
            ("db1", "web.back", "NOERROR 10.90.0.10"),
            ("db1", "WEB.volt", "NOERROR 10.90.0.10"),
            ("db1", "web.back.volt", "NOERROR 10.90.0.10"),
            ("db1", "db +tcp", "NOERROR 10.90.0.11 10.90.0.12"),
            ("db1", "-x 10.90.0.10", "NOERROR web.volt."),
            ("web", "proxy", "NOERROR 10.91.0.11"),
            ("web", "db", "NOERROR 10.90.0.11 10.90.0.12"),
            // Not of a network that the asker is on, or nobody's.
            ("db1", "proxy", "NXDOMAIN"),
            ("db1", "proxy.front.volt", "NXDOMAIN"),
            ("db1", "-x 10.91.0.11", "NXDOMAIN"),
            ("db1", "nobody.volt", "NXDOMAIN"),
            ("db1", "nobody", "NXDOMAIN"),
            ("probe", "probe", "NOERROR 10.92.0.11"),
            // Of others.
            ("db1", "a.example", "NOERROR 192.0.2.7"),
            ("db1", "a.example", "NOERROR 192.0.2.7"),
            ("db1", "nothing.invalid", "NXDOMAIN"),
            ("db1", "com NS", "NXDOMAIN"),
            ("probe", "a.example", "REFUSED"),
        ] {
            assert_eq!(dig(host, asker, words), told, "{asker} asks for {words}");
        }
        assert!(dig(host, "db1", "web AAAA").starts_with("NOERROR fd00:90:"));
        // What went out: each once, and nothing of Volt's.
        let asked = host.sh("journalctl --quiet --unit resolver --output cat | grep -v ^Started | sort").ok();
        assert_eq!(asked.lines().collect::<Vec<_>>(), ["a.example", "com", "nothing.invalid"]);
        // By whatever a container has itself, in its own resolv.conf.
        host.volt(&["exec", "proxy", "nslookup", "web.front.volt"]).ok();

        // A moment after a stop the name is gone, and there again with the start.
        host.sh("volt stop db2 && sleep 0.1 && touch /run/stopped").ok();
        assert_eq!(dig(host, "db1", "db"), "NOERROR 10.90.0.11");
        host.volt(&["start", "db2"]).ok();
        assert_eq!(dig(host, "db1", "db"), "NOERROR 10.90.0.11 10.90.0.12");
        host.volt(&["net", "disconnect", "front", "web"]).ok();
        assert_eq!(dig(host, "proxy", "web"), "NXDOMAIN");
        host.volt(&["net", "connect", "--alias", "shop", "front", "web"]).ok();
        assert!(dig(host, "proxy", "shop").starts_with("NOERROR 10.91.0."));

        // Without the daemon, and by a server that was killed a moment ago.
        host.sh("systemctl stop volt.socket volt.service && systemctl kill --signal KILL volt-dns.service").ok();
        host.until(Duration::from_secs(5), "test $(systemctl show -P NRestarts volt-dns.service) -ge 1 && systemctl is-active --quiet volt-dns.service");
        assert_eq!(dig(host, "db1", "web"), "NOERROR 10.90.0.10");
        host.sh("systemctl restart volt-dns.service").ok();
        assert_eq!(dig(host, "db1", "web"), "NOERROR 10.90.0.10");
        host.sh("systemctl start volt.socket").ok();
        // It runs as nobody in particular, with one capability.
        let status = host.sh("cat /proc/$(systemctl show --value -p MainPID volt-dns.service)/status").ok();
        assert!(status.contains("CapEff:\t0000000000000400") && !status.contains("Uid:\t0\t"), "{status}");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        assert!(rss.is_some_and(|rss| rss.trim().parse::<u32>().is_ok_and(|rss| rss < 20 << 10)), "{status}");

        // With systemd-resolved the host knows the names of all networks, and containers reach others through it.
        host.sh("DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends systemd-resolved > /dev/null 2>&1; systemctl restart systemd-resolved; until resolvectl status > /dev/null; do sleep 0.1; done").ok();
        host.volt(&["restart", "db1", "proxy"]).ok();
        for name in ["db1.volt", "proxy.volt"] {
            host.until(Duration::from_secs(10), &format!("resolvectl query --legend=no {name}"));
        }
        host.sh("resolvectl query --legend=no nobody.volt").fails(1);
        // What it has forgotten it is told again.
        host.sh("for n in back front; do resolvectl revert volt-$n; done; ! resolvectl query --legend=no --cache=no db1.volt && volt restart db1 && resolvectl query --legend=no --cache=no db1.volt").ok();
        host.volt(&["delete", "--force", "web", "db1", "db2", "proxy", "probe"]).ok();
        for network in ["back", "front", "shut"] {
            host.volt(&["net", "delete", network]).ok();
        }
        assert_eq!(host.sh("grep -c back /run/volt/dns.json").stdout.trim(), "0");
    }
}
