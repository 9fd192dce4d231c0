//! The OCI distribution protocol, so far its client: documents and blobs of remote registries, by name and by digest.
//!
//! Nothing here decides what to pull or when, knows what is in a blob, or stores anything. What a registry says is foreign:
//! sizes are bounded, digests are checked, and a secret goes to no one but the registry it is for.
//!
//! - [`challenge`]: how a registry asks who is there
//! - [`client`]: asking, with tokens, retries, mirrors and resumed downloads

pub mod challenge;
pub mod client;
mod error;

pub use client::{Blob, Client, IsOver, Open, Outgoing, Settings, Told};
pub use error::{Error, Result};
pub use volt_model::registry::Digest;
