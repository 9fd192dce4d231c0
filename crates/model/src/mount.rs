//! What is mounted into a container: named volumes, folders of the host, memory file systems.

use crate::name::Name;
use crate::size::Bytes;
use std::fmt;
use std::str::FromStr;

/// Where a mount's content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A named volume of Volt.
    Volume(Name),
    /// A folder or file in one: no link leads to it, and it must be there.
    Part(Name, String),
    /// A file or folder of the host, by absolute path.
    Host(String),
}

impl Source {
    /// The volume, if it is one or a part of one.
    #[must_use]
    pub const fn volume(&self) -> Option<&Name> {
        match self {
            Self::Volume(name) | Self::Part(name, _) => Some(name),
            Self::Host(_) => None,
        }
    }
}

/// One `-v SOURCE:TARGET[:ro]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// What is mounted.
    pub source: Source,
    /// Where, an absolute path in the container.
    pub target: String,
    /// Whether the container can't write to it.
    pub read_only: bool,
}

/// One `--tmpfs TARGET[:size=SIZE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// Where, an absolute path in the container.
    pub target: String,
    /// How much it may hold.
    pub size: Option<Bytes>,
}

/// A text that is no mount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` can't be mounted: {reason}")]
pub struct MountError {
    text: String,
    reason: String,
}

impl MountError {
    fn new(text: &str, reason: impl fmt::Display) -> Self {
        Self { text: text.chars().take(120).collect(), reason: reason.to_string() }
    }
}

/// Checks that `path` is absolute and goes nowhere but down, and returns it without needless slashes.
fn absolute(text: &str, path: &str) -> Result<String, MountError> {
    if !path.starts_with('/') {
        return Err(MountError::new(text, format!("`{path}` is not an absolute path")));
    }
    if path.contains(|c: char| c.is_control()) {
        return Err(MountError::new(text, "a path has a control character in it"));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(MountError::new(text, format!("`{path}` has `..` in it")));
    }
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    Ok(format!("/{}", parts.join("/")))
}

fn target(text: &str, path: &str) -> Result<String, MountError> {
    let path = absolute(text, path)?;
    let whole = ["/", "/dev"];
    let inside = ["/proc", "/sys", "/run/.volt"];
    let within = |root: &str| path == root || path.starts_with(&format!("{root}/"));
    let taken = whole.iter().find(|r| path == **r).or_else(|| inside.iter().find(|r| within(r)));
    match taken {
        Some(root) => Err(MountError::new(text, format!("{root} of a container belongs to Volt"))),
        None => Ok(path),
    }
}

impl FromStr for Bind {
    type Err = MountError;

    fn from_str(text: &str) -> Result<Self, MountError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (from, to, options) = match parts[..] {
            [from, to] => (from, to, ""),
            [from, to, options] => (from, to, options),
            _ => return Err(MountError::new(text, "write SOURCE:TARGET or SOURCE:TARGET:ro")),
        };
        let read_only = match options {
            "" | "rw" => false,
            "ro" => true,
            other => return Err(MountError::new(text, format!("`{other}` is neither ro nor rw"))),
        };
        let source = if from.starts_with('/') {
            Source::Host(absolute(text, from)?)
        } else if from.starts_with('.') {
            return Err(MountError::new(
                text,
                "a folder of the host is named by its absolute path",
            ));
        } else {
            let (name, part) = from.split_once('/').unwrap_or((from, ""));
            let name = name.parse().map_err(|e| MountError::new(text, e))?;
            match absolute(text, &format!("/{part}"))?.trim_start_matches('/') {
                "" => Source::Volume(name),
                part => Source::Part(name, part.to_owned()),
            }
        };
        Ok(Self { source, target: target(text, to)?, read_only })
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Volume(name) => write!(f, "{name}")?,
            Source::Part(name, part) => write!(f, "{name}/{part}")?,
            Source::Host(path) => f.write_str(path)?,
        }
        write!(f, ":{}{}", self.target, if self.read_only { ":ro" } else { "" })
    }
}

impl FromStr for Tmpfs {
    type Err = MountError;

    fn from_str(text: &str) -> Result<Self, MountError> {
        let (path, size) = match text.split_once(':') {
            None => (text, None),
            Some((path, option)) => {
                let size = option.strip_prefix("size=").and_then(|s| s.parse().ok());
                let wrong = || MountError::new(text, format!("`{option}` is no size=SIZE"));
                (path, Some(size.ok_or_else(wrong)?))
            }
        };
        Ok(Self { target: target(text, path)?, size })
    }
}

impl fmt::Display for Tmpfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target)?;
        self.size.map_or(Ok(()), |size| write!(f, ":size={}", size.0))
    }
}

crate::serde_by_text!(Bind);
crate::serde_by_text!(Tmpfs);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        for text in ["data:/var/lib/x", "/srv/www:/var/www:ro", "/a:/dev/shm/x", "data/a/b.txt:/x"]
        {
            assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
        }
        assert_eq!(
            "/srv//www/:/var/./www".parse::<Bind>().unwrap().to_string(),
            "/srv/www:/var/www"
        );
        for bad in [
            "",
            "a",
            "a:b",
            "a:/b:x",
            "./a:/b",
            "/a/../b:/c",
            "a:/",
            "a:/proc/x",
            "a:/sys",
            "a:/dev",
            "a:/run/.volt/init",
            "a:/b:ro:z",
            "A:/b",
            "data/../b:/x",
        ] {
            assert!(bad.parse::<Bind>().is_err(), "{bad:?} was taken");
        }
        assert_eq!("/cache:size=64M".parse::<Tmpfs>().unwrap().size, Some(Bytes(64 << 20)));
        assert!("/cache:mode=1777".parse::<Tmpfs>().is_err());
    }

    proptest! {
        #[test]
        fn a_target_never_climbs(text in "[a-z/.:]{0,40}") {
            if let Ok(bind) = text.parse::<Bind>() {
                prop_assert!(bind.target.starts_with('/') && !bind.target.split('/').any(|p| p == ".."));
                prop_assert_eq!(bind.to_string().parse::<Bind>().unwrap(), bind);
            }
        }
    }
}
