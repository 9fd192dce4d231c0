//! Everything that touches Linux, one module per facility.
//!
//! This crate knows programs, files, units, mounts, namespaces and processes; it knows nothing of containers,
//! images or virtual machines. Its calls block; async callers wrap them in `spawn_blocking`. What is worth a fake is
//! a narrow trait with a same-named fake behind the feature `fakes`.

pub mod block;
pub mod capture;
pub mod cgroup;
pub mod command;
pub mod credentials;
pub mod files;
pub mod join;
pub mod journal;
pub mod mounts;
pub mod namespaces;
pub mod netlink;
pub mod nft;
pub mod notify;
pub mod peer;
pub mod probe;
pub mod process;
pub mod proxy;
pub mod reach;
pub mod systemd;
pub mod watch;
