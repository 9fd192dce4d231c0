//! The server of names on Volt's networks: a process of its own that reads one file and knows nothing of containers.
//!
//! Names of workloads are answered from the table in `run/volt/dns.json` ([`volt_model::dns::Table`]), all others by the host's
//! resolvers. Start with [`answer::answer`]: what is said of a workload follows from the table, the asker and the query, without
//! I/O. `forward` asks others and keeps what they said; `server` has the sockets.

pub mod answer;
pub mod forward;
pub mod names;
pub mod query;
mod server;

pub use server::{Error, Settings, serve};
