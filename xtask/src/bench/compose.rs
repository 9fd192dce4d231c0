//! `bench compose`: what is measured, against what, and what is wanted of it.

use super::groups::{self, Group};
use super::peers::PODMAN;
use super::report::Figure;
use super::{Options, Report};
use crate::run::Result;

const GROUPS: &[Group] = &[
    Group {
        name: "compose",
        pairs: 10,
        peers: &[],
        figures: &[
            Figure {
                name: "up-20",
                about: "`volt compose up -d` of 20 services on a network, from nothing to the last one running",
                against: "a loop of `systemctl start` over 20 hand-written nspawn units, on overlays and in network namespaces made before",
                unit: "ms",
                wanted: "<=1.5",
            },
            Figure {
                name: "down-20",
                about: "`volt compose down` of them, to nothing",
                against: "a loop of `systemctl stop` over those units",
                unit: "ms",
                wanted: "<=1.5",
            },
            Figure {
                name: "again-20",
                about: "`volt compose up -d` of what is up",
                against: "",
                unit: "ms",
                wanted: "<150",
            },
        ],
    },
    Group {
        name: "compose-podman",
        pairs: 5,
        peers: &[&PODMAN],
        figures: &[
            Figure {
                name: "kube-up-20",
                about: "`volt compose up -d` of 20 services on a network",
                against: "`podman kube play` of 20 pods of one container, on podman's network",
                unit: "ms",
                wanted: "<1",
            },
            Figure {
                name: "kube-down-20",
                about: "`volt compose down` of them",
                against: "`podman kube down`",
                unit: "ms",
                wanted: "<1",
            },
        ],
    },
];

/// Measures.
pub(super) fn run(options: &Options) -> Result<Report> {
    groups::run(GROUPS, options)
}
