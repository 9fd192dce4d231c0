//! The gate: how the host's own rules are asked about published ports.
//!
//! Who leads a packet elsewhere must do so before the kernel routes it, and what the host says of packets to itself it says behind that:
//! so a port that is led in is open whatever the host's own rules say. Therefore the first packet of a connection is let go on to the
//! host. What its rules leave of it comes to a chain behind all of theirs (`priority 1000`); that sends it through the gate, a pair of
//! interfaces of which one end is the other's way out, and there it comes in once more and is led to the member. The kernel remembers
//! that, so all further packets of the connection go their way at once. The client's address stays what it is.
//!
//! What members of networks send, and what is published with `--expose`, does not go through the gate. `dup` is in
//! nft(8); it is for one family each, so there are two tables.

use super::Network;
use super::ruleset::Family;
use std::fmt::Write as _;

/// What both are called by; no bridge of others' is.
pub const PREFIX: &str = "voltgate";
/// The end of the gate that packets go into.
pub const INTO: &str = "voltgate0";
/// The end that they come out of.
pub const OUT_OF: &str = "voltgate1";

/// What `ip volt` or `ip6 volt` has.
pub(super) fn chains(out: &mut String, family: Family, networks: &[Network]) {
    // Nobody is asked for it: the gate has no neighbours.
    let next = if family == Family::Ip { "169.254.0.1" } else { "fe80::1" };
    let bridges = networks.iter().map(|network| format!(", \"{}\"", network.bridge()));
    let bridges: String = bridges.collect();
    if family == Family::Ip {
        // `dup` says of each packet that it may not be sent on in parts, whatever its sender said: one that is larger than the network
        // takes would be lost.
        let _ = write!(
            out,
            "\tchain prerouting {{
\t\ttype filter hook prerouting priority -150; policy accept;
\t\tiifname \"{OUT_OF}\" ip frag-off set 0 comment \"on in parts where it is large\"
\t}}
"
        );
    }
    let _ = write!(
        out,
        "\tchain through {{
\t\tfib daddr type != local accept
\t\tdup to {next} device \"{INTO}\" drop comment \"the host lets it in: on to the member\"
\t}}
\tchain input {{
\t\ttype filter hook input priority 1000; policy accept;
\t\tiifname \"{OUT_OF}\" drop comment \"it led nowhere\"
\t\tiifname {{ \"lo\"{bridges} }} accept
\t\tct state != new accept
\t\tmeta l4proto . th dport @published goto through
\t\t{family} daddr . meta l4proto . th dport @published_at goto through
\t}}
"
    );
}
