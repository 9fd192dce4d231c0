//! `bench net`: what is measured of networks, against what, and what is wanted of it.

use super::groups::{self, Group};
use super::peers::NAMES;
use super::report::Figure;
use super::{Options, Report};
use crate::run::Result;

const DNSMASQ: &str = "dnsmasq with the same names and resolver, `dnsperf` at each in turn";
const UNBOUND: &str = "unbound in the same way";

const GROUPS: &[Group] = &[Group {
    name: "dns",
    pairs: 7,
    peers: Some(&NAMES),
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
            name: "dns-memory",
            about: "the server's resident memory after all of this",
            against: "",
            unit: "MiB",
            wanted: "<12",
        },
    ],
}];

/// Runs it.
pub(super) fn run(options: &Options) -> Result<Report> {
    groups::run(GROUPS, options)
}
