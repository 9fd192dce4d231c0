//! Registries: which one the name of an image means, and who we are there.

mod credentials;
mod digest;
mod file;
mod remote;

pub use credentials::{Account, Credentials, Helper};
pub use digest::{Digest, Hasher, NoDigest};
pub use file::{with_account, without_account};
pub use remote::{DOCKER, Remote, api_host, host, is_loopback};
