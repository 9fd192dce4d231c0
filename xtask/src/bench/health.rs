//! `bench health`: what it costs to look whether workloads are well.

use super::groups::{self, Group};
use super::report::Figure;
use super::{Options, Report};
use crate::run::Result;

const GROUPS: &[Group] = &[Group {
    name: "health",
    pairs: 5,
    peers: &[],
    figures: &[
        Figure {
            name: "health-http",
            about: "CPU time of `volt-health.service` for 500 web pages a second, of 50 containers",
            against: "",
            unit: "% of a core",
            wanted: "<10",
        },
        Figure {
            name: "health-tcp",
            about: "the same for 500 ports a second",
            against: "",
            unit: "% of a core",
            wanted: "<10",
        },
        Figure {
            name: "health-memory",
            about: "its resident memory after that",
            against: "",
            unit: "MiB",
            wanted: "",
        },
    ],
}];

/// Runs it.
pub(super) fn run(options: &Options) -> Result<Report> {
    groups::run(GROUPS, options)
}
