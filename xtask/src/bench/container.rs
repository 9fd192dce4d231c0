//! `bench container`: what is measured, against what, and what is wanted of it.

use super::groups::{self, Group};
use super::peers::PODMAN;
use super::report::Figure;
use super::{Options, Report};
use crate::run::Result;

const GROUPS: &[Group] = &[
    Group {
        name: "memory",
        pairs: 5,
        peers: &[],
        figures: &[
            Figure {
                name: "daemon-rss",
                about: "the daemon's resident memory after each 100 requests of several kinds and an exec",
                against: "",
                unit: "MiB",
                wanted: "<20",
            },
            Figure {
                name: "daemon-pss",
                about: "the same, with what it shares counted in shares",
                against: "",
                unit: "MiB",
                wanted: "<20",
            },
        ],
    },
    Group {
        name: "version",
        pairs: 30,
        peers: &[&PODMAN],
        figures: &[Figure {
            name: "version",
            about: "`volt version`",
            against: "",
            unit: "ms",
            wanted: "<3",
        }],
    },
    Group {
        name: "start",
        pairs: 25,
        peers: &[],
        figures: &[Figure {
            name: "start",
            about: "`volt container start` to the first line of its command",
            against: "`systemctl start` of a hand-written nspawn unit with nspawn's own seccomp filter, on a mounted overlay and in a network namespace made before",
            unit: "ms",
            wanted: "<=0.8",
        }],
    },
    Group {
        name: "start-50",
        pairs: 15,
        peers: &[],
        figures: &[Figure {
            name: "start-50",
            about: "50 containers in one `volt container start`, to the last one's first line",
            against: "50 such units in one `systemctl start`",
            unit: "ms",
            wanted: "<=0.5",
        }],
    },
    Group {
        name: "run",
        pairs: 25,
        peers: &[],
        figures: &[Figure {
            name: "run",
            about: "`volt run --rm tiny true`, create to delete",
            against: "mkdir, mount of an overlay, `systemctl start --wait` of the hand-written unit, umount, rm",
            unit: "ms",
            wanted: "<=1.2",
        }],
    },
    Group {
        name: "run-podman",
        pairs: 15,
        peers: &[&PODMAN],
        figures: &[Figure {
            name: "run-podman",
            about: "the same",
            against: "`podman run --rm`, the same root, own network namespace, user namespace",
            unit: "ms",
            wanted: "<1",
        }],
    },
    Group {
        name: "create",
        pairs: 25,
        peers: &[],
        figures: &[Figure {
            name: "create",
            about: "`volt container create` on an image of 1 GiB in 16,000 files",
            against: "the same on an image of 5 MiB",
            unit: "ms",
            wanted: "<=1.2",
        }],
    },
    Group {
        name: "ps",
        pairs: 15,
        peers: &[&PODMAN],
        figures: &[
            Figure {
                name: "ps",
                about: "`volt ps -a` with 500 containers",
                against: "`podman ps -a` with 500 created ones",
                unit: "ms",
                wanted: "<=0.25",
            },
            Figure {
                name: "ps-time",
                about: "the same, in itself",
                against: "",
                unit: "ms",
                wanted: "<40",
            },
        ],
    },
];

/// Runs it.
pub(super) fn run(options: &Options) -> Result<Report> {
    groups::run(GROUPS, options)
}
