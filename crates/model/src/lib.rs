//! The domain of Volt, pure: what things are called, what they may be, what follows from what.
//!
//! Nothing here does I/O, is asynchronous, logs, or knows HTTP or D-Bus. Text and bytes come in, types come out,
//! and the other way round.
//!
//! - Names and words: [`name`], [`image`], [`registry`], [`containerfile`], [`size`], [`time`]
//! - Workloads: [`container`], [`service`], [`task`], [`state`], [`health`], [`limits`], [`mount`], [`restart`]
//! - What systemd reads: [`unitfile`], [`words`]
//! - Networks: [`net`]
//! - Talking to a workload: [`frame`], [`initspec`]
//! - Names on networks: [`dns`]
//! - Confinement: [`caps`], [`seccomp`], [`ids`], [`secret`]
//! - The house: [`percent`], [`kind`] (errors and exit codes), [`paths`], [`config`]

pub mod caps;
pub mod config;
pub mod container;
pub mod containerfile;
pub mod dns;
pub mod frame;
pub mod health;
pub mod ids;
pub mod image;
pub mod initspec;
pub mod kind;
pub mod limits;
pub mod mount;
pub mod name;
pub mod net;
pub mod paths;
pub mod percent;
pub mod registry;
pub mod restart;
pub mod seccomp;
pub mod secret;
pub mod service;
pub mod size;
pub mod state;
pub mod task;
pub mod time;
pub mod unitfile;
pub mod volume;
pub mod words;

/// Gives a string-like type its serde form through `FromStr` and `Display`, so that nothing unparsed gets in.
macro_rules! serde_by_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_by_text;
