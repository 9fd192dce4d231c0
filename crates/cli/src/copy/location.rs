//! The two sides of `volt copy`: `NAME:/path` in a container, a path here, or `-` for a tar archive.

use std::path::PathBuf;
use volt_api::Problem;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// One side of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A path in a container, absolute.
    Container {
        /// The container.
        name: String,
        /// The path as it was written, so that `/.` at its end is still seen.
        path: String,
    },
    /// A path here.
    Here(PathBuf),
    /// A tar archive on standard input or output.
    Archive,
}

impl Location {
    /// Reads one side. What begins with `/` or `.` is a path here, whatever colons it has.
    pub(crate) fn parse(text: &str) -> Self {
        if text == "-" {
            return Self::Archive;
        }
        match text.split_once(':') {
            Some((name, path)) if name.parse::<Name>().is_ok() => {
                let slash = if path.starts_with('/') { "" } else { "/" };
                Self::Container { name: name.to_owned(), path: format!("{slash}{path}") }
            }
            _ => Self::Here(PathBuf::from(text)),
        }
    }
}

/// A copy in one of the two directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Out of a container.
    Out {
        /// The container.
        name: String,
        /// What is copied.
        path: String,
        /// Where to; none is the archive on standard output.
        to: Option<PathBuf>,
    },
    /// Into a container.
    In {
        /// What is copied; none is the archive on standard input.
        from: Option<PathBuf>,
        /// The container.
        name: String,
        /// Where to.
        path: String,
    },
}

/// Which direction two sides make.
///
/// # Errors
/// When not exactly one of them is in a container.
pub(crate) fn direction(from: &str, to: &str) -> Result<Direction, Problem> {
    let here = |location| match location {
        Location::Here(path) => Some(path),
        _ => None,
    };
    match (Location::parse(from), Location::parse(to)) {
        (Location::Container { .. }, Location::Container { .. }) => {
            Err(Problem::new(ErrorKind::Usage, "Both sides are in a container")
                .hinted("Copy to a folder here first, then on from there"))
        }
        (Location::Container { name, path }, to) => Ok(Direction::Out { name, path, to: here(to) }),
        (from, Location::Container { name, path }) => {
            Ok(Direction::In { from: here(from), name, path })
        }
        _ => Err(Problem::new(ErrorKind::Usage, "Neither side is in a container")
            .hinted("Write NAME:/path for the side in the container")),
    }
}

/// Whether only what is in the folder is meant, not the folder itself: the path ends in `/.`.
pub(crate) fn is_contents(path: &str) -> bool {
    path == "." || path.ends_with("/.")
}

/// The folder and the last part of an absolute path in a container; the root has no last part.
pub(crate) fn split(path: &str) -> (String, Option<String>) {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    match parts.split_last() {
        None => ("/".to_owned(), None),
        Some((last, folder)) => (format!("/{}", folder.join("/")), Some((*last).to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sides() {
        let inside = |name: &str, path: &str| Location::Container {
            name: name.to_owned(),
            path: path.to_owned(),
        };
        for (text, location) in [
            ("web:/etc/hosts", inside("web", "/etc/hosts")),
            ("web:etc", inside("web", "/etc")),
            ("web:", inside("web", "/")),
            ("web:/srv/a:b", inside("web", "/srv/a:b")),
            ("-", Location::Archive),
            ("./web:/x", Location::Here("./web:/x".into())),
            ("/a:b", Location::Here("/a:b".into())),
            ("Web:/x", Location::Here("Web:/x".into())),
            ("file", Location::Here("file".into())),
        ] {
            assert_eq!(Location::parse(text), location, "{text}");
        }
    }

    #[test]
    fn directions() {
        assert!(matches!(direction("web:/a", "-"), Ok(Direction::Out { to: None, .. })));
        assert!(matches!(direction("x", "web:/a"), Ok(Direction::In { from: Some(_), .. })));
        for (from, to) in [("web:/a", "db:/a"), ("a", "b"), ("-", "-"), ("-", "a")] {
            assert_eq!(direction(from, to).unwrap_err().kind(), ErrorKind::Usage, "{from} {to}");
        }
    }

    #[test]
    fn last_parts() {
        for (path, folder, last) in [
            ("/", "/", None),
            ("/a", "/", Some("a")),
            ("/a/b/", "/a", Some("b")),
            ("/a/b/.", "/a", Some("b")),
            ("//a//b", "/a", Some("b")),
        ] {
            assert_eq!(split(path), (folder.to_owned(), last.map(str::to_owned)), "{path}");
        }
        assert!(
            is_contents("/a/.") && is_contents(".") && !is_contents("/a.") && !is_contents("/a")
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(a in ".{0,40}", b in ".{0,40}") {
            drop(direction(&a, &b));
            drop(split(&a));
        }
    }
}
