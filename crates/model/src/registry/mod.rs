//! Registries: which one the name of an image means, and who we are there.

mod credentials;
mod remote;

pub use credentials::{Account, Credentials};
pub use remote::{DOCKER, Remote, api_host, is_loopback};
