//! `bench store`: what is measured of the content-addressed store, against what, and what is wanted of it. Each side ends with
//! what it wrote on disk: the peers are followed by `sync -f`, ours is durable when it returns.

use super::groups::{self, Group};
use super::peers::{IMAGES, STORES, UPDATES};
use super::report::Figure;
use super::{Options, Report};
use crate::run::Result;

const GROUPS: &[Group] = &[
    Group {
        name: "store-root",
        pairs: 15,
        peers: &[&STORES],
        figures: &[
            Figure {
                name: "build-root",
                about: "a first `volt cas build` of a Debian root",
                against: "`cp -a`",
                unit: "ms",
                wanted: "<=0.8",
            },
            Figure {
                name: "build-root-stores",
                about: "the same",
                against: "the fastest of `ostree commit`, `casync make`, `restic backup` and `borg create`",
                unit: "ms",
                wanted: "<=0.4",
            },
            Figure {
                name: "rebuild-root",
                about: "a second `volt cas build` of the same tree, unchanged",
                against: "the first",
                unit: "ms",
                wanted: "<=0.3",
            },
            Figure {
                name: "verify-root",
                about: "`volt cas verify` of all that is stored of it",
                against: "`b3sum` over the objects, two at a time",
                unit: "ms",
                wanted: "<=1.2",
            },
            Figure {
                name: "cores-root",
                about: "the processors that the first build keeps busy, until all is on disk",
                against: "",
                unit: "CPUs",
                wanted: ">=1.2",
            },
            Figure {
                name: "memory-root",
                about: "the most memory that the first build had",
                against: "",
                unit: "MiB",
                wanted: "<200",
            },
        ],
    },
    Group {
        name: "store-large",
        pairs: 7,
        peers: &[&STORES],
        figures: &[
            Figure {
                name: "build-large",
                about: "a first `volt cas build` of 1 GiB in 8 files",
                against: "`cp -a`",
                unit: "ms",
                wanted: "<=0.8",
            },
            Figure {
                name: "build-large-stores",
                about: "the same",
                against: "the fastest of `ostree commit`, `casync make`, `restic backup` and `borg create`",
                unit: "ms",
                wanted: "<=0.4",
            },
            Figure {
                name: "rebuild-large",
                about: "a second `volt cas build` of the same tree, unchanged",
                against: "the first",
                unit: "ms",
                wanted: "<=0.3",
            },
            Figure {
                name: "verify-large",
                about: "`volt cas verify` of all that is stored of it",
                against: "`b3sum` over the objects, two at a time",
                unit: "ms",
                wanted: "<=1.2",
            },
            Figure {
                name: "cores-large",
                about: "the processors that the first build keeps busy, until all is on disk",
                against: "",
                unit: "CPUs",
                wanted: ">=1.2",
            },
            Figure {
                name: "memory-large",
                about: "the most memory that the first build had",
                against: "",
                unit: "MiB",
                wanted: "<200",
            },
        ],
    },
    Group {
        name: "store-small",
        pairs: 7,
        peers: &[&STORES],
        figures: &[
            Figure {
                name: "build-small",
                about: "a first `volt cas build` of 45,000 small files",
                against: "`cp -a`",
                unit: "ms",
                wanted: "<=0.8",
            },
            Figure {
                name: "build-small-stores",
                about: "the same",
                against: "the fastest of `ostree commit`, `casync make`, `restic backup` and `borg create`",
                unit: "ms",
                wanted: "<=0.4",
            },
            Figure {
                name: "rebuild-small",
                about: "a second `volt cas build` of the same tree, unchanged",
                against: "the first",
                unit: "ms",
                wanted: "<=0.3",
            },
            Figure {
                name: "verify-small",
                about: "`volt cas verify` of all that is stored of it",
                against: "`b3sum` over the objects, two at a time",
                unit: "ms",
                wanted: "<=1.2",
            },
            Figure {
                name: "cores-small",
                about: "the processors that the first build keeps busy, until all is on disk",
                against: "",
                unit: "CPUs",
                wanted: ">=1.2",
            },
            Figure {
                name: "memory-small",
                about: "the most memory that the first build had",
                against: "",
                unit: "MiB",
                wanted: "<200",
            },
        ],
    },
    Group {
        name: "store-images",
        pairs: 7,
        peers: &[&IMAGES],
        figures: &[
            Figure {
                name: "oci-umoci",
                about: "`volt image import` of an OCI layout of a Debian root, one gzip layer",
                against: "`skopeo copy` to a layout and `umoci unpack`",
                unit: "ms",
                wanted: "<=0.333",
            },
            Figure {
                name: "oci-podman",
                about: "the same",
                against: "`podman pull oci:`",
                unit: "ms",
                wanted: "<=0.5",
            },
            Figure {
                name: "cores-import",
                about: "the processors that such an import of three gzip layers keeps busy, until all is on disk",
                against: "",
                unit: "CPUs",
                wanted: ">=1.2",
            },
            Figure {
                name: "root",
                about: "a container's root put together on an image that is there, with all that a start prepares but a network, by a process of its own",
                against: "",
                unit: "ms",
                wanted: "<30",
            },
            Figure {
                name: "root-links",
                about: "the same on a tree of hard links, as before Linux 6.5",
                against: "",
                unit: "ms",
                wanted: "<30",
            },
            Figure {
                name: "root-image",
                about: "the first such root of an image: the EROFS image that all stand on is made of the tree on the way, its objects were verified before",
                against: "",
                unit: "ms",
                wanted: "",
            },
            Figure {
                name: "memory-image",
                about: "the most memory that `volt image import` of an OCI archive had: one zstd layer of 10 GiB in 20,480 small files and 5 with holes",
                against: "",
                unit: "MiB",
                wanted: "<200",
            },
        ],
    },
    Group {
        name: "store-dedup",
        pairs: 2,
        peers: &[&STORES, &UPDATES],
        figures: &[Figure {
            name: "dedup",
            about: "what the store takes on disk for two Debian roots that differ as point releases do",
            against: "the least that `ostree`, `restic` and `borg` take, without compression",
            unit: "MiB",
            wanted: "",
        }],
    },
];

/// Runs it.
pub(super) fn run(options: &Options) -> Result<Report> {
    groups::run(GROUPS, options)
}
