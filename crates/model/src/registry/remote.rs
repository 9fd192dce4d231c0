//! Which registry and repository the name of an image means. Pure.

use crate::image::ImageRef;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The registry that Docker's short names mean.
pub const DOCKER: &str = "docker.io";
/// Where that one serves the protocol.
const DOCKER_API: &str = "registry-1.docker.io";

/// A repository of a registry, and what of it is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remote {
    /// The registry, with its port where it has one.
    pub host: String,
    /// The repository there.
    pub repository: String,
    /// A tag or a digest.
    pub reference: String,
}

impl Remote {
    /// What `image` means, where a name without a registry is one of `short`.
    #[must_use]
    pub fn of(image: &ImageRef, short: &str) -> Self {
        let (host, path) = match image.name().split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            _ => (short, image.name()),
        };
        let host = if host == "index.docker.io" { DOCKER } else { host };
        // What Docker makes itself has no name before its own.
        let repository = match path.contains('/') || host != DOCKER {
            true => path.to_owned(),
            false => format!("library/{path}"),
        };
        let reference = image.digest().or(image.tag()).unwrap_or("latest").to_owned();
        Self { host: host.to_owned(), repository, reference }
    }

    /// The same of another tag or digest.
    #[must_use]
    pub fn at(&self, reference: &str) -> Self {
        Self { reference: reference.to_owned(), ..self.clone() }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.reference.contains(':') { '@' } else { ':' };
        write!(f, "{}/{}{separator}{}", self.host, self.repository, self.reference)
    }
}

/// The registry that a person names: `registry.example:5000`, also as the URL of it; none where it can't be one.
#[must_use]
pub fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or(text);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    let image = format!("{bare}/a").parse::<ImageRef>().ok()?;
    let is_one = !bare.contains('/') && is_host(bare);
    is_one.then(|| Remote::of(&image, DOCKER).host)
}

/// Whether the first part of a name is a registry: it has a dot or a port, or is this host.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

/// The host that serves the protocol for a registry.
#[must_use]
pub fn api_host(host: &str) -> &str {
    if host == DOCKER { DOCKER_API } else { host }
}

/// Whether a registry is on this host, where HTTP without TLS shows nothing to anybody.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_mean() {
        for (name, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("team/app:1.2", "docker.io/team/app:1.2"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1"),
            ("index.docker.io/team/app", "docker.io/team/app:latest"),
            ("registry.example/app", "registry.example/app:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
        ] {
            let remote = Remote::of(&name.parse().unwrap(), DOCKER);
            assert_eq!(remote.to_string(), full);
        }
        let digest = format!("sha256:{}", "0".repeat(64));
        let remote = Remote::of(&format!("q.example/a@{digest}").parse().unwrap(), DOCKER);
        assert_eq!(remote.to_string(), format!("q.example/a@{digest}"));
        let elsewhere = Remote::of(&"nginx".parse().unwrap(), "mirror.example");
        assert_eq!(elsewhere.to_string(), "mirror.example/nginx:latest");
    }

    #[test]
    fn registries_by_name() {
        for (text, wanted) in [
            ("docker.io", Some("docker.io")),
            ("index.docker.io", Some("docker.io")),
            ("https://r.example:5000/", Some("r.example:5000")),
            ("localhost", Some("localhost")),
            ("r.example/team", None),
            ("joe", None),
            ("", None),
            ("a b.c", None),
        ] {
            assert_eq!(host(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn this_host() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:1", "127.3.2.1", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "128.0.0.1", "example.org:5000", "[2001:db8::1]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
