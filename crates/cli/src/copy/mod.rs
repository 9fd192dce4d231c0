//! Files between this side and the server: where they are, packing them, unpacking what comes.
//!
//! What comes from the server is not trusted: [`unpack`] writes below the folder it was given and nowhere else.

pub(crate) mod location;
pub(crate) mod pack;
pub(crate) mod peek;
pub(crate) mod sink;
pub(crate) mod unpack;

use std::path::Path;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// A problem with a file of this side.
pub(crate) fn file_problem(what: &str, path: &Path, error: &std::io::Error) -> Problem {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        std::io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Resource,
        _ => ErrorKind::General,
    };
    Problem::new(kind, format!("{} can't be {what}", path.display())).because(error)
}
