//! What a network of ours carries, against a bridge made by hand: between two members, out to a second host by NAT, and in by a
//! published port. iperf3 runs in the namespaces themselves.

use std::path::Path;

use serde_json::Value;

use super::clock::{alternate, run, sized};
use super::volt;
use crate::bench::samples::Samples;
use crate::run::{Context, Result, fail, program};

/// Where the peers' packages are.
const PACKAGES: &str = "/root/traffic";
/// A second host behind a link of its own, and a bridge with two members, NAT and a port that leads in.
const PREPARE: &str = "set -e
ip netns add far
ip link add far0 type veth peer name eth0 netns far
ip addr add 198.51.100.1/24 dev far0
ip link set far0 up
ip -n far addr add 198.51.100.2/24 dev eth0
ip -n far link set lo up
ip -n far link set eth0 up
ip link add hand0 type bridge
ip addr add 10.251.0.1/24 dev hand0
ip link set hand0 up
for n in 1 2; do
    ip netns add hand$n
    ip link add hand0p$n type veth peer name eth0 netns hand$n
    ip link set hand0p$n master hand0 up
    ip -n hand$n addr add 10.251.0.1$n/24 dev eth0
    ip -n hand$n link set lo up
    ip -n hand$n link set eth0 up
    ip -n hand$n route add default via 10.251.0.1
done
sysctl -qw net.ipv4.ip_forward=1
nft -f - <<END
table ip hand {
    chain pre { type nat hook prerouting priority dstnat; tcp dport 5302 dnat to 10.251.0.11:5201; }
    chain post { type nat hook postrouting priority srcnat; ip saddr 10.251.0.0/24 oifname != \"hand0\" masquerade; }
}
END";
const CLEAN: &str = "for name in far hand1 hand2; do ip netns delete $name; done; ip link delete hand0; nft delete table ip hand";
/// Where those serve that are sent to.
const SERVERS: [&str; 3] = ["far", "hand1", "volt-one"];
/// Waits until one of them listens at port 5201.
const LISTENS: &str = "for n in $(seq 100); do if grep -q ':1451 .* 0A ' /proc/net/tcp /proc/net/tcp6; then exit 0; fi; sleep 0.05; done; exit 1";
/// The second host, and how the host is reached from it.
const FAR: &str = "198.51.100.2";
const HOST: &str = "198.51.100.1";

/// All figures.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    if !Path::new(PACKAGES).exists() {
        return fail("the peers' packages could not be fetched");
    }
    run(&["sh", "-c", &format!("dpkg --install --force-confold {PACKAGES}/*.deb")])?;
    volt::ready()?;
    run(&["sh", "-c", PREPARE])?;
    for (name, port) in [("one", "5301:5201"), ("two", "5303:5201")] {
        let words = ["volt", "run", "-d", "--name", name, "--publish", port];
        run(&[&words[..], &[volt::IMAGE, "sleep", "100000"]].concat())?;
    }
    for server in SERVERS {
        let unit = format!("--unit=bench-{server}");
        run(&["systemd-run", &unit, "ip", "netns", "exec", server, "iperf3", "--server"])?;
        run(&["ip", "netns", "exec", server, "sh", "-c", LISTENS])?;
    }
    let seconds = sized(pairs, "2", "1");
    let one = address("volt-one")?;
    let flow =
        |from: &'static str, to: String, port: &'static str| move || sent(from, &to, port, seconds);
    let all = vec![
        alternate(
            "between",
            pairs,
            flow("volt-two", one, "5201"),
            flow("hand2", "10.251.0.11".into(), "5201"),
        )?,
        alternate(
            "out",
            pairs,
            flow("volt-one", FAR.into(), "5201"),
            flow("hand1", FAR.into(), "5201"),
        )?,
        alternate("in", pairs, flow("far", HOST.into(), "5301"), flow("far", HOST.into(), "5302"))?,
    ];
    for server in SERVERS {
        run(&["systemctl", "stop", &format!("bench-{server}.service")])?;
    }
    volt::delete(&["one".to_owned(), "two".to_owned()])?;
    run(&["sh", "-c", CLEAN])?;
    Ok(all)
}

/// The IPv4 address in a namespace.
fn address(namespace: &str) -> Result<String> {
    let words = ["-n", namespace, "-4", "-j", "addr", "show", "dev", "eth0"];
    let said: Value = serde_json::from_str(&program("ip").args(words).read()?)
        .context(|| namespace.to_owned())?;
    match said.pointer("/0/addr_info/0/local").and_then(Value::as_str) {
        Some(address) => Ok(address.to_owned()),
        None => fail(format!("{namespace} has no address: {said}")),
    }
}

/// What arrives, in Gbit/s.
fn sent(from: &str, to: &str, port: &str, seconds: &str) -> Result<f64> {
    let words = ["netns", "exec", from, "iperf3", "--json", "--client", to, "--port", port];
    // A server that has just finished with another may not listen again yet.
    let last = ["--time", seconds, "--connect-timeout", "2000"];
    let text = program("ip").args(words).args(last).read()?;
    let said: Value = serde_json::from_str(&text).context(|| from.to_owned())?;
    match said.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64) {
        Some(bits) => Ok(bits / 1e9),
        None => fail(format!("iperf3 says no rate: {text}")),
    }
}
