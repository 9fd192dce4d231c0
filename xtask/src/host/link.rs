//! Joins two hosts by a pair of network devices, as by a cable.

use super::state::{Kind, State};
use crate::run::{Result, fail, program};

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
    if first.kind == Kind::Vm || second.kind == Kind::Vm {
        return fail("a VM has no network device to join");
    }
    let pid = second.leader.pid.to_string();
    let pair = ["link", "add", one.device, "type", "veth", "peer", "name", other.device];
    ip(&first).args(pair).args(["netns", &pid]).read()?;
    for (state, end) in [(&first, &one), (&second, &other)] {
        if let Some(address) = end.address {
            ip(state).args(["address", "add", address, "dev", end.device]).read()?;
        }
        ip(state).args(["link", "set", end.device, "up"]).read()?;
    }
    Ok(())
}

/// The machine's `ip`, in the network of a host.
fn ip(state: &State) -> crate::run::Program {
    let pid = state.leader.pid.to_string();
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
