//! Connecting and disconnecting, against the same by `ip` and `nft` in a script and by netavark; and what a network adds to a start.

use super::clock::{alternate, run, time, time_command};
use super::volt;
use crate::bench::samples::Samples;
use crate::run::{Result, fail};
use std::path::Path;

/// A bridge, a namespace and a table as ours are, made once.
const PREPARE: &str = "ip link add peer0 type bridge && ip link set peer0 up && ip addr add 10.251.0.1/24 dev peer0 && \
    ip addr add fd25::1/64 dev peer0 nodad && ip netns add peer && ip -n peer link set lo up && \
    nft 'add table bridge peer; add set bridge peer own { type ifname . ether_addr; }; \
    add set bridge peer own4 { type ifname . ether_addr . ipv4_addr; }; add set bridge peer own6 { type ifname . ether_addr . ipv6_addr; }; \
    add chain bridge peer pre { type filter hook prerouting priority -300; }; add rule bridge peer pre iifname . ether saddr . ip saddr @own4 accept'";
/// The same steps as ours, each tool called as seldom as can be.
const ATTACH: &str = "set -e
ip -batch - <<END
link add peer1 type veth peer name eth0 address 02:00:00:00:00:09 netns peer
link set peer1 master peer0 up
END
ip -n peer -batch - <<END
link set eth0 up
addr add 10.251.0.2/24 dev eth0
addr add fd25::2/64 dev eth0 nodad
route add default via 10.251.0.1
route add default via fd25::1
END
nft -f - <<END
add element bridge peer own { peer1 . 02:00:00:00:00:09 }
add element bridge peer own4 { peer1 . 02:00:00:00:00:09 . 10.251.0.2 }
add element bridge peer own6 { peer1 . 02:00:00:00:00:09 . fd25::2 }
END
nft 'flush set bridge peer own; flush set bridge peer own4; flush set bridge peer own6'
ip link delete peer1";
/// What podman tells netavark of a container (netavark's `src/network/types.rs`, `NetworkOptions`).
const NETAVARK: &str = r#"{"container_id": "peer2", "container_name": "peer2",
"networks": {"peer": {"static_ips": ["10.250.0.2", "fd24::2"], "interface_name": "eth0"}},
"network_info": {"peer": {"name": "peer", "id": "0000000000000000000000000000000000000000000000000000000000000002", "driver": "bridge",
"network_interface": "peer2", "subnets": [{"subnet": "10.250.0.0/24", "gateway": "10.250.0.1"}, {"subnet": "fd24::/64", "gateway": "fd24::1"}],
"ipv6_enabled": true, "internal": false, "dns_enabled": false, "ipam_options": {"driver": "host-local"}}}}"#;
const CALL_NETAVARK: &str = "set -e; export NETAVARK_FW=nftables
netavark() { /usr/lib/podman/netavark --config /run/bench/netavark \"$1\" /run/netns/peer2 < /run/bench/netavark.json; }
netavark setup; netavark teardown";
const PACKAGES: &str = "/root/netavark";
const CLEAN: &str = "ip netns delete peer; ip link delete peer0; nft delete table bridge peer";

/// All three figures.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    run(&["sh", "-c", PREPARE])?;
    run(&["volt", "net", "create", "--subnet", "10.252.0.0/24", "--ipv6", "fd26::/64", "bench"])?;
    run(&[
        "volt",
        "run",
        "-d",
        "--name",
        "held",
        "--network",
        "none",
        volt::IMAGE,
        "sleep",
        "100000",
    ])?;
    for (name, network) in [("alone", "none"), ("linked", "bench")] {
        run(&[
            "volt",
            "container",
            "create",
            "--name",
            name,
            "--network",
            network,
            volt::IMAGE,
            "sleep",
            "100000",
        ])?;
    }
    let attach = alternate("attach", pairs, ours, || time_command(&["sh", "-c", ATTACH]));
    let netavark = against_netavark(pairs);
    let start = |name: &'static str| {
        move || {
            let taken = time_command(&["volt", "start", name])?;
            run(&["volt", "stop", "--time", "0", name])?;
            Ok(taken)
        }
    };
    let started = alternate("start-linked", pairs, start("linked"), start("alone"));
    volt::delete(&["held".to_owned(), "alone".to_owned(), "linked".to_owned()])?;
    run(&["volt", "net", "delete", "bench"])?;
    run(&["sh", "-c", CLEAN])?;
    Ok(vec![attach?, netavark?, started?])
}

/// A container that runs is connected, and disconnected.
fn ours() -> Result<f64> {
    time(|| {
        run(&["volt", "net", "connect", "bench", "held"])?;
        run(&["volt", "net", "disconnect", "bench", "held"])
    })
}

fn against_netavark(pairs: usize) -> Result<Samples> {
    if !Path::new(PACKAGES).exists() {
        return fail("netavark's packages could not be fetched");
    }
    run(&["sh", "-c", &format!("dpkg --install --force-confold {PACKAGES}/*.deb")])?;
    crate::cache::write(Path::new("/run/bench/netavark.json"), NETAVARK)?;
    run(&["sh", "-c", "mkdir -p /run/bench/netavark && ip netns add peer2"])?;
    let samples =
        alternate("attach-netavark", pairs, ours, || time_command(&["sh", "-c", CALL_NETAVARK]));
    run(&["ip", "netns", "delete", "peer2"])?;
    samples
}
