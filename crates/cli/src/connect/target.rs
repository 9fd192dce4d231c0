//! A host as the user names it: a path, `unix://PATH` or `tcp://HOST:PORT`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A socket in the file system.
    Unix(PathBuf),
    /// `HOST:PORT`.
    Tcp(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "the daemon at {}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl FromStr for Target {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(ErrorKind::Usage, format!("`{text}` is no host"))
                .hinted("Write a socket's path, unix://PATH or tcp://HOST:PORT")
        };
        if let Some(address) = text.strip_prefix("tcp://") {
            let address = address.trim_end_matches('/');
            let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
            return match (host.is_empty(), port.parse::<u16>()) {
                (false, Ok(1..)) => Ok(Self::Tcp(address.to_owned())),
                _ => Err(wrong()),
            };
        }
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if path.is_empty() || path.contains("://") || !path.contains('/') {
            return Err(wrong());
        }
        Ok(Self::Unix(PathBuf::from(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_host() {
        let unix = |path: &str| Target::Unix(path.into());
        for (text, target) in [
            ("/run/volt/volt.sock", unix("/run/volt/volt.sock")),
            ("./volt.sock", unix("./volt.sock")),
            ("unix:///run/x.sock", unix("/run/x.sock")),
            ("tcp://box.example:7070", Target::Tcp("box.example:7070".into())),
            ("tcp://[::1]:7070/", Target::Tcp("[::1]:7070".into())),
        ] {
            assert_eq!(text.parse::<Target>().unwrap(), target, "{text}");
        }
        for bad in ["", "box", "tcp://box", "tcp://:1", "tcp://box:0", "http://box:1", "unix://"] {
            let problem = bad.parse::<Target>().unwrap_err();
            assert_eq!(problem.kind(), ErrorKind::Usage, "{bad}");
        }
    }
}
