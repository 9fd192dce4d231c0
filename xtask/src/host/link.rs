//! Joins two hosts by a pair of network devices, as by a cable. A VM has sockets for it: network cards whose other ends are devices in
//! the namespace that its QEMU runs in, which are moved to the other host, or joined by a bridge where that is a VM too.

use super::exec;
use super::state::{Kind, State};
use crate::run::{Result, program};
use crate::vm::cable::{self, Cable};

/// One end of a cable: `HOST[:DEVICE][=ADDRESS/LENGTH]`.
#[derive(Debug, PartialEq, Eq)]
struct End<'a> {
    host: &'a str,
    device: &'a str,
    address: Option<&'a str>,
}

impl<'a> End<'a> {
    fn parse(text: &'a str) -> Self {
        let (place, address) = match text.split_once('=') {
            Some((place, address)) => (place, Some(address)),
            None => (text, None),
        };
        let (host, device) = place.split_once(':').unwrap_or((place, "wan0"));
        Self { host, device, address }
    }
}

/// Joins the hosts of these two ends.
pub(crate) fn link(one: &str, other: &str) -> Result<()> {
    let (one, other) = (End::parse(one), End::parse(other));
    let (first, second) = (State::running(one.host)?, State::running(other.host)?);
    match (first.kind, second.kind) {
        (Kind::Namespaces, Kind::Namespaces) => {
            let pid = second.leader.pid.to_string();
            let pair = ["link", "add", one.device, "type", "veth", "peer", "name", other.device];
            ip(&first).args(pair).args(["netns", &pid]).read()?;
            settle(&first, &one)?;
            settle(&second, &other)
        }
        (Kind::Vm, Kind::Namespaces) => plug((&first, &one), (&second, &other)),
        (Kind::Namespaces, Kind::Vm) => plug((&second, &other), (&first, &one)),
        (Kind::Vm, Kind::Vm) => {
            let (left, right) = (cable::free(&first)?, cable::free(&second)?);
            let (tap, bridge) = (format!("far-{}", left.tap), format!("join-{}", right.tap));
            hand_over(&first, &left, &second, &tap)?;
            ip(&second).args(["link", "add", &bridge, "type", "bridge"]).read()?;
            for device in [&tap, &right.tap] {
                ip(&second).args(["link", "set", device, "master", &bridge, "up"]).read()?;
            }
            ip(&second).args(["link", "set", &bridge, "up"]).read()?;
            settle_card(&first, &one, &left)?;
            settle_card(&second, &other, &right)
        }
    }
}

/// Joins a VM and a host in namespaces.
fn plug((vm, card): (&State, &End<'_>), (host, end): (&State, &End<'_>)) -> Result<()> {
    let cable = cable::free(vm)?;
    hand_over(vm, &cable, host, end.device)?;
    settle(host, end)?;
    settle_card(vm, card, &cable)
}

/// Moves a cable's far end into the network of another host, under this name.
fn hand_over(from: &State, cable: &Cable, to: &State, name: &str) -> Result<()> {
    let pid = outside(to).to_string();
    ip(from).args(["link", "set", &cable.tap, "name", name, "netns", &pid]).read().map(drop)
}

/// Gives an end its address.
fn settle(state: &State, end: &End<'_>) -> Result<()> {
    if let Some(address) = end.address {
        ip(state).args(["address", "add", address, "dev", end.device]).read()?;
    }
    ip(state).args(["link", "set", end.device, "up"]).read().map(drop)
}

/// Names the card of a VM and gives it its address.
fn settle_card(vm: &State, end: &End<'_>, cable: &Cable) -> Result<()> {
    // udev has names for cards too, and is to be done with it.
    let script = "modprobe virtio_net; n=0; \
        until grep -qs \"$0\" /sys/class/net/*/address; do \
        n=$((n+1)); test $n -lt 100 || exit 1; sleep 0.1; done; udevadm settle; \
        device=$(dirname $(grep -ls \"$0\" /sys/class/net/*/address)); \
        ip link set \"${device##*/}\" name \"$1\"; \
        test -z \"$2\" || ip address add \"$2\" dev \"$1\"; ip link set \"$1\" up";
    let address = end.address.unwrap_or_default();
    exec::read(vm, &["sh", "-e", "-c", script, &cable.mac, end.device, address]).map(drop)
}

/// A process in the network of a host; for a VM in that of its QEMU.
fn outside(state: &State) -> i32 {
    match state.kind {
        Kind::Namespaces => state.leader.pid,
        Kind::Vm => state.keeper.pid,
    }
}

/// The machine's `ip`, in the network of a host.
fn ip(state: &State) -> crate::run::Program {
    let pid = outside(state).to_string();
    program("nsenter").args(["--target", &pid, "--net", "--", "ip"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_parsed() {
        let end = |host, device, address| End { host, device, address };
        assert_eq!(End::parse("a"), end("a", "wan0", None));
        assert_eq!(End::parse("a:lan0=10.0.0.1/24"), end("a", "lan0", Some("10.0.0.1/24")));
        assert_eq!(End::parse("a=fd00::1/64"), end("a", "wan0", Some("fd00::1/64")));
    }
}
