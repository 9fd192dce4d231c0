//! `bench container`: what is measured, against what, and what is wanted of it.

use super::host::Host;
use super::report::{Figure, Measured};
use super::samples::Samples;
use super::{Options, Report, podman};
use crate::run::Result;

/// Figures that are measured together, and in how many pairs.
struct Group {
    name: &'static str,
    pairs: usize,
    podman: bool,
    figures: &'static [Figure],
}

const GROUPS: &[Group] = &[
    Group {
        name: "memory",
        pairs: 5,
        podman: false,
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
        podman: true,
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
        podman: false,
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
        podman: false,
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
        podman: false,
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
        podman: true,
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
        podman: false,
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
        podman: true,
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
    // A whole name means just that one, though others begin with it too.
    let exact = GROUPS.iter().find(|group| options.filter.as_deref() == Some(group.name));
    let asked = |group: &Group, figure: &Figure| match exact {
        Some(exact) => exact.name == group.name,
        None => options.wants(figure.name),
    };
    let wanted = |group: &&Group| group.figures.iter().any(|figure| asked(group, figure));
    let groups: Vec<&Group> = GROUPS.iter().filter(wanted).collect();
    let mut report = Report { host: String::new(), figures: Vec::new(), failed: false };
    if groups.is_empty() {
        return Ok(report);
    }
    let host = Host::up(options)?;
    report.host = host.describe()?;
    if groups.iter().any(|group| group.podman) {
        // Without it the figures that need it say so.
        let _noted = podman::get(host.suite())
            .and_then(|folder| host.copy(&folder, "/root/podman"))
            .inspect_err(|failure| eprintln!("podman can't be had: {failure}"));
    }
    for group in groups {
        eprintln!("measuring {}", group.name);
        let samples = host.drive(group.name, options.pairs.unwrap_or(group.pairs));
        let samples = samples.unwrap_or_else(|failure| {
            eprintln!("{failure}");
            report.failed = true;
            let none = |figure: &Figure| Samples::none(figure.name, "its bench failed".into());
            group.figures.iter().map(none).collect()
        });
        let named = |figure: &Figure| {
            let found = samples.iter().find(|samples| samples.figure == figure.name).cloned();
            let samples =
                found.unwrap_or_else(|| Samples::none(figure.name, "not measured".into()));
            Measured { figure: *figure, samples }
        };
        let figures = group.figures.iter().filter(|figure| asked(group, figure));
        report.figures.extend(figures.map(named));
    }
    Ok(report)
}
