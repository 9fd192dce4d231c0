//! `bench net`: what is measured of networks, against what, and what is wanted of it.

use super::groups::{self, Group};
use super::peers::{NAMES, NETAVARK, TRAFFIC};
use super::report::Figure;
use super::{Options, Report};
use crate::run::Result;

const DNSMASQ: &str = "dnsmasq with the same names and resolver, `dnsperf` at each in turn";
const UNBOUND: &str = "unbound in the same way";

const ATTACH: Group = Group {
    name: "attach",
    pairs: 61,
    peers: &[&NETAVARK],
    figures: &[
        Figure {
            name: "attach",
            about: "`volt net connect` and `disconnect` of a container that runs: two commands, and what must not be lost is on disk",
            against: "the same interfaces, addresses, routes and elements by `ip -batch` and `nft` in one script",
            unit: "ms",
            wanted: "<1",
        },
        Figure {
            name: "attach-netavark",
            about: "the same",
            against: "`netavark setup` and `teardown`, what podman calls for that, with nftables, without names",
            unit: "ms",
            wanted: "<1",
        },
        Figure {
            name: "start-linked",
            about: "`volt start` of a container with a network",
            against: "the same with `--network none`",
            unit: "ms",
            wanted: "",
        },
    ],
};
const SWAP: Group = Group {
    name: "swap",
    pairs: 21,
    peers: &[],
    figures: &[
        Figure {
            name: "swap",
            about: "`volt firewall reload` where all policies have changed, with 1,000 published ports of 100 workloads and 500 policies from one to another: elements of sets",
            against: "",
            unit: "ms",
            wanted: "<50",
        },
        Figure {
            name: "swap-whole",
            about: "`volt firewall reload` of what is in force already: all tables, with the same ports and policies of pairs, are rendered anew and swapped",
            against: "",
            unit: "ms",
            wanted: "<50",
        },
        Figure {
            name: "swap-rules",
            about: "the same with 500 policies between labels and networks: the tables are rendered anew and swapped whole",
            against: "",
            unit: "ms",
            wanted: "<50",
        },
    ],
};
const GROUPS: &[Group] = &[DNS, ATTACH, THROUGHPUT, SWAP];

const DNS: Group = Group {
    name: "dns",
    pairs: 15,
    peers: &[&NAMES],
    figures: &[
        Figure {
            name: "dns-local",
            about: "names of 500 workloads, as many queries as it answers",
            against: DNSMASQ,
            unit: "queries/s",
            wanted: ">=1",
        },
        Figure {
            name: "dns-local-p99",
            about: "the time that 99 of 100 such answers take, at 10,000 queries a second",
            against: DNSMASQ,
            unit: "ms",
            wanted: "<=1",
        },
        Figure {
            name: "dns-kept",
            about: "2,000 names of others that were asked for before",
            against: DNSMASQ,
            unit: "queries/s",
            wanted: ">=1",
        },
        Figure {
            name: "dns-kept-p99",
            about: "the time that 99 of 100 such answers take, at 10,000 queries a second",
            against: DNSMASQ,
            unit: "ms",
            wanted: "<=1",
        },
        Figure {
            name: "dns-local-unbound",
            about: "names of 500 workloads, as many queries as it answers",
            against: UNBOUND,
            unit: "queries/s",
            wanted: "",
        },
        Figure {
            name: "dns-kept-unbound",
            about: "2,000 names of others that were asked for before",
            against: UNBOUND,
            unit: "queries/s",
            wanted: "",
        },
        Figure {
            name: "dns-local-unbound-p99",
            about: "the time that 99 of 100 answers about names of workloads take, at 10,000 queries a second",
            against: UNBOUND,
            unit: "ms",
            wanted: "",
        },
        Figure {
            name: "dns-kept-unbound-p99",
            about: "the time that 99 of 100 answers about kept names take, at 10,000 queries a second",
            against: UNBOUND,
            unit: "ms",
            wanted: "",
        },
        Figure {
            name: "dns-memory",
            about: "the server's resident memory after all of this",
            against: "",
            unit: "MiB",
            wanted: "<12",
        },
    ],
};

const BY_HAND: &str = "a bridge, veth pairs and NAT made by `ip` and `nft`";

const THROUGHPUT: Group = Group {
    name: "throughput",
    pairs: 9,
    peers: &[&TRAFFIC],
    figures: &[
        Figure {
            name: "between",
            about: "one TCP stream between two members of a network",
            against: BY_HAND,
            unit: "Gbit/s",
            wanted: ">=noise",
        },
        Figure {
            name: "out",
            about: "one TCP stream to a second host, through NAT",
            against: BY_HAND,
            unit: "Gbit/s",
            wanted: ">=noise",
        },
        Figure {
            name: "in",
            about: "one TCP stream from a second host by a published port",
            against: BY_HAND,
            unit: "Gbit/s",
            wanted: ">=noise",
        },
    ],
};

/// Runs it.
pub(super) fn run(options: &Options) -> Result<Report> {
    groups::run(GROUPS, options)
}
