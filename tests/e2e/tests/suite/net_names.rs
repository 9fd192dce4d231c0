//! Names on networks, asked with dig from within the containers' network namespaces, and by the host's own resolver.

use super::net::address;
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// A resolver for the host, at 127.77.9.9: every name under `example` has the address 192.0.2.7, and nothing else is there; it says what it
/// was asked.
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
    head = q[:2] + (b"\x81\x80\0\1\0\1\0\0\0\0" if known else b"\x81\x83\0\1\0\0\0\1\0\0")
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x07"
    if not known:
        # The record of the root's zone: there is nothing, for a minute.
        record = b"\0\0\6\0\1\0\0\0\x3c\0\x16\0\0" + b"\0\0\0\x3c" * 5
    s.sendto(head + q[12:end] + record, to)
"#;

/// A resolver that takes every question and answers none.
const SILENT: &str = "import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.77.9.8', 53))
time.sleep(1000)";

/// Asks for the text of a name as fast as it can, by datagrams and by connections, and reads no answer.
const GREEDY: &str = r#"
import socket, sys, time
name = b"".join(bytes([len(label)]) + label for label in sys.argv[2].encode().split(b"."))
question = b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\0\x10\0\1"
streams = [socket.create_connection((sys.argv[1], 53)) for _ in range(4)]
for stream in streams:
    stream.setblocking(False)
    stream.send((len(question).to_bytes(2, "big") + question) * 200)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.connect((sys.argv[1], 53))
for _ in range(10000):
    for _ in range(20):
        datagrams.send(question)
    time.sleep(0.01)
"#;

/// Asks for a name again and again, and says at which moment it is known and known no more.
const LOOK: &str = r#"
import socket, sys, time
name = b"".join(bytes([len(label)]) + label for label in sys.argv[2].encode().split(b"."))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 53))
s.settimeout(5)
was = None
while True:
    s.send(b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1")
    known = s.recv(4096)[6:8] != b"\0\0"
    if known != was:
        print(int(known), time.monotonic(), flush=True)
        was = known
    time.sleep(0.001)
"#;

/// Starts `blink`, stops it, starts it and kills what runs in it, five times: how many milliseconds after the command had returned, or the
/// process was dead, its name was known to `asker`, or known no more.
const MOMENTS: &str = r#"
import os, select, signal, subprocess, time
look = subprocess.Popen(["ip", "netns", "exec", "volt-asker", "python3", "/root/look.py", "10.93.0.1", "blink"], stdout=subprocess.PIPE)
def volt(verb):
    subprocess.run(["volt", verb, "blink"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic()
def dies():
    leader = open("/run/volt/containers/blink/leader").read().split()[0]
    pid = int(open(f"/proc/{leader}/task/{leader}/children").read().split()[0])
    watched = select.poll()
    watched.register(os.pidfd_open(pid), select.POLLIN)
    os.kill(pid, signal.SIGKILL)
    watched.poll()
    return time.monotonic()
def told(what, since, known):
    line = look.stdout.readline().split()
    assert line[0] == known, (what, line)
    if what:
        print(what, round((float(line[1]) - since) * 1000))
told(None, 0, b"0")
for _ in range(5):
    told("start", volt("start"), b"1")
    told("stop", volt("stop"), b"0")
    told("start", volt("start"), b"1")
    told("kill", dies(), b"0")
look.kill()
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

/// Of two that share an alias each is the first in every second answer.
fn they_take_turns(host: &Host, rtype: &str) {
    let asked = format!("ip netns exec volt-db1 dig +time=3 +tries=1 +short db {rtype} @10.90.0.1");
    let said = || host.sh(&asked).ok().lines().map(str::to_owned).collect::<Vec<_>>();
    let [first, second, third] = [said(), said(), said()];
    assert!(first.len() == 2 && first[0] != first[1], "{first:?}");
    assert_eq!((second.len(), &second[0], &second[1]), (2, &first[1], &first[0]), "{rtype}");
    assert_eq!(third, first, "{rtype}");
}

/// The first resolver says nothing, the second is dnsmasq: what it cuts off is asked for on a connection, and whoever asks is told as much as
/// he has room for.
fn resolvers_are_asked_in_turn(host: &Host) {
    let text = |name: &str, count: usize| {
        let part = "x".repeat(150);
        format!("--txt-record={name}.example{}", format!(",{part}").repeat(count))
    };
    let texts = [text("small", 2), text("middle", 6), text("large", 30)].join(" ");
    host.run_with(&["sh", "-c", "cat > /root/silent.py"], SILENT.as_bytes()).ok();
    host.sh(&format!(
        "systemd-run --quiet python3 /root/silent.py && systemd-run --quiet dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file \
         --no-resolv --no-hosts --bind-interfaces --listen-address=127.77.9.7 --host-record=b.example,192.0.2.8 {texts}"
    ))
    .ok();
    host.until(Duration::from_secs(10), "dig +time=1 +tries=1 b.example @127.77.9.7");
    // The file is looked at once a second.
    host.sh("for n in 8 7; do echo nameserver 127.77.9.$n; done > /etc/resolv.conf; sleep 1.1")
        .ok();
    assert_eq!(dig(host, "db1", "b.example"), "NOERROR 192.0.2.8");
    let length = |words: &str| {
        let told = host
            .sh(&format!("ip netns exec volt-db1 dig +time=3 +tries=1 {words} TXT @10.90.0.1"))
            .ok();
        (told.matches('x').count() / 150, told.contains(" tc "))
    };
    for (words, told) in [
        ("small.example +ignore +noedns", (2, false)),
        ("middle.example +ignore", (6, false)),
        ("middle.example +ignore +noedns", (0, true)),
        ("middle.example +noedns", (6, false)),
        ("large.example +ignore", (0, true)),
        ("large.example +ignore +bufsize=4096", (0, true)),
        ("large.example", (30, false)),
    ] {
        assert_eq!(length(words), told, "{words}");
    }
}

/// Who is sent less than he asks for keeps nobody else from being answered.
fn slow_askers_hold_nobody_up(host: &Host) {
    host.run_with(&["sh", "-c", "cat > /root/greedy.py"], GREEDY.as_bytes()).ok();
    host.sh("volt run -d --name slow --network back --rate 8kbit tiny sleep 1000").ok();
    // A machine at a TAP is limited in what it is sent alone.
    host.sh("tc -n volt-slow qdisc delete dev eth0 root && systemd-run --quiet --unit=greedy ip netns exec volt-slow python3 /root/greedy.py 10.90.0.1 small.example && sleep 2").ok();
    for _ in 0..10 {
        assert_eq!(dig(host, "db1", "web +time=1"), "NOERROR 10.90.0.10");
        assert_eq!(dig(host, "db2", "b.example +time=1"), "NOERROR 192.0.2.8");
    }
    assert_eq!(dig(host, "db1", "web +tcp +time=1"), "NOERROR 10.90.0.10");
    host.sh("systemctl is-active greedy && systemctl stop greedy && volt delete --force slow").ok();
}

on_hosts! {
    fn net_names_are_served(host) {
        let host = &*host.private("names");
        host.tiny();
        host.sh("apt-get -qq -o Acquire::Languages=none update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends bind9-dnsutils > /dev/null").ok();
        host.run_with(&["sh", "-c", "cat > /root/resolver.py"], RESOLVER.as_bytes()).ok();
        // What a machine has: a network card with an address, before there is any network.
        host.sh("ip link add card type veth peer name card-end && ip addr add 198.51.100.1/24 dev card && ip link set card-end up && ip link set card up").ok();
        host.sh("systemd-run --quiet --unit=resolver python3 /root/resolver.py && echo nameserver 127.77.9.9 > /etc/resolv.conf").ok();
        host.volt(&["net", "create", "back", "--subnet", "10.90.0.0/24", "--ipv6", "fd00:90::/64"]).ok();
        host.volt(&["net", "create", "front", "--subnet", "10.91.0.0/24"]).ok();
        host.volt(&["net", "create", "shut", "--subnet", "10.92.0.0/24", "--internal"]).ok();
        host.volt(&["net", "create", "mute", "--subnet", "10.93.0.0/24", "--no-dns"]).ok();
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
        run("both", &["shut:ip=10.92.0.12", "mute"]);
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
            ("db2", "nothing.invalid", "NXDOMAIN"),
            ("db1", "com NS", "NXDOMAIN"),
            ("probe", "a.example", "REFUSED"),
            // Who reaches outside by a network without names may ask by another.
            ("both", "a.example", "NOERROR 192.0.2.7"),
        ] {
            assert_eq!(dig(host, asker, words), told, "{asker} asks for {words}");
        }
        assert!(dig(host, "db1", "web AAAA").starts_with("NOERROR fd00:90:"));
        let six = address(host, "web").1;
        assert_eq!(dig(host, "db1", &format!("-x {six}")), "NOERROR web.volt.");
        assert_eq!(dig(host, "proxy", &format!("-x {six}")), "NXDOMAIN");
        // The host asks at any gateway, by its own address there.
        for gateway in ["10.90.0.1", "10.91.0.1", "fd00:90::1"] {
            assert_eq!(host.sh(&format!("dig +time=3 +tries=1 +short db1.volt @{gateway}")).ok(), "10.90.0.11", "{gateway}");
        }
        they_take_turns(host, "A");
        they_take_turns(host, "AAAA");
        // What went out: each once, and nothing of Volt's.
        let asked = host.sh("journalctl --quiet --unit resolver --output cat | grep -v ^Started | sort").ok();
        assert_eq!(asked.lines().collect::<Vec<_>>(), ["a.example", "com", "nothing.invalid"]);
        // By whatever a container has itself, in its own resolv.conf.
        host.volt(&["exec", "proxy", "nslookup", "web.front.volt"]).ok();

        resolvers_are_asked_in_turn(host);
        slow_askers_hold_nobody_up(host);

        // After a stop the name is gone, and there again with the start.
        host.volt(&["stop", "db2"]).ok();
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
        // Whatever it asks of others' servers; and what is stopped stays so.
        host.sh("mkdir -p /etc/systemd/resolved.conf.d && printf '[Resolve]\\nDNSOverTLS=yes\\nDNSSEC=yes\\n' > /etc/systemd/resolved.conf.d/strict.conf && systemctl restart systemd-resolved && volt restart db1").ok();
        host.until(Duration::from_secs(10), "resolvectl query --legend=no --cache=no db1.volt");
        host.sh("rm /etc/systemd/resolved.conf.d/strict.conf && systemctl stop systemd-resolved && volt restart db1 && ! systemctl is-active systemd-resolved").ok();
        host.volt(&["delete", "--force", "web", "db1", "db2", "proxy", "probe", "both"]).ok();
        for network in ["back", "front", "shut", "mute"] {
            host.volt(&["net", "delete", network]).ok();
        }
        assert_eq!(host.sh("grep -c back /run/volt/dns.json").stdout.trim(), "0");
    }
}

on_hosts! {
    fn net_names_change_quickly(host) {
        host.tiny();
        let _guards = ["asker", "blink"].map(|name| host.container(name));
        host.sh("volt net delete blinks 2>/dev/null; volt net create --subnet 10.93.0.0/24 blinks").ok();
        host.sh("volt run -d --name asker --network blinks tiny sleep 1000 && volt container create --name blink --network blinks tiny sleep 1000").ok();
        for (file, text) in [("look", LOOK), ("moments", MOMENTS)] {
            host.run_with(&["sh", "-c", &format!("cat > /root/{file}.py")], text.as_bytes()).ok();
        }
        let said = host.sh("timeout 100 python3 /root/moments.py").ok();
        // Other tests assert no time. This one has been promised, so it is measured while nothing else runs, and the middle one of several
        // counts: that names change by being told of it, and not at some next look.
        for what in ["start", "stop", "kill"] {
            let times = said.lines().filter_map(|line| line.strip_prefix(what));
            let mut times: Vec<i64> = times.map(|time| time.trim().parse().unwrap()).collect();
            times.sort_unstable();
            assert!(times.len() >= 5 && times[times.len() / 2] < 100, "{what}: {times:?}");
        }
        host.sh("volt delete --force asker blink && volt net delete blinks").ok();
    }
}
