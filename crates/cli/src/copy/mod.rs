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
    // Where a temporary file can't be made, its name, which stands in the error around the kernel's, is of no interest.
    let plain = error.get_ref().map(|_| std::io::Error::from(error.kind()));
    let error = plain.as_ref().filter(|_| error.to_string().contains(".tmp")).unwrap_or(error);
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        std::io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Resource,
        _ => ErrorKind::General,
    };
    let problem = Problem::new(kind, format!("{} can't be {what}", path.display())).because(error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    match folder {
        Some(folder) => problem.hinted(format!("There is no folder {}", folder.display())),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_is_not_what_the_person_named() {
        let nowhere = Path::new("/no/such/folder");
        let error = tempfile::NamedTempFile::new_in(nowhere).unwrap_err();
        let problem = file_problem("written", &nowhere.join("x.tar"), &error);
        assert_eq!(problem.kind(), ErrorKind::NotFound);
        let told = problem.to_string();
        assert!(told.contains("x.tar") && !told.contains(".tmp"), "{told}");
    }
}
