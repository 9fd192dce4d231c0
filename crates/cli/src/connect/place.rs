//! Who answers, and how that is said to people. Chooses; connects to nothing.

use super::target::Target;
use crate::embed::EmbedRequest;
use std::fmt;
use std::io;
use std::path::PathBuf;
use volt_model::paths::Paths;

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The host that was named.
    Named(Target),
    /// The daemon behind a socket of this host; below which root, where that is not `/`.
    Socket {
        /// The socket.
        path: PathBuf,
        /// `--root`.
        root: Option<PathBuf>,
    },
    /// The server inside this process.
    Embedded {
        /// The installation.
        request: EmbedRequest,
        /// The folder of a user's own installation.
        own: Option<PathBuf>,
        /// Whether the user could ask only what is there, not change it.
        looks_only: bool,
        /// What the socket said.
        socket: Option<io::ErrorKind>,
    },
}

/// What was found out about this host, where no socket answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) root: Option<PathBuf>,
    pub(super) config: Option<PathBuf>,
    pub(super) is_root: bool,
    pub(super) own: PathBuf,
    pub(super) has_own: bool,
    pub(super) has_system: bool,
    pub(super) socket: Option<io::ErrorKind>,
}

impl Place {
    /// Who answers where no socket does: `--root` is taken at its word (`/` is the system's own), a user who has an installation
    /// of their own has that, and everybody else the system's. Only a host without Volt gives a user a new one: where the
    /// daemon is just down, a command must not go on in another place.
    pub(super) fn without_socket(facts: &Facts) -> Self {
        let nameless_user = !facts.is_root && facts.root.is_none();
        let rootless = nameless_user && (facts.has_own || !facts.has_system);
        Self::Embedded {
            request: EmbedRequest {
                root: facts.root.clone(),
                rootless,
                config: facts.config.clone(),
            },
            own: rootless.then(|| facts.own.clone()),
            looks_only: nameless_user && !rootless,
            socket: facts.socket,
        }
    }

    /// What people have to know to understand an error from there; nothing where it is this host's own Volt.
    pub(crate) fn remark(&self) -> Option<String> {
        match self {
            Self::Named(target) => Some(format!("this is what {target} says")),
            Self::Socket { root: Some(root), .. } => {
                Some(format!("this is about the installation below {}", root.display()))
            }
            Self::Socket { root: None, .. } => None,
            Self::Embedded { own: Some(own), socket, .. } => Some(format!(
                "this is about your own installation, {}, because the system's Volt {} at {}",
                own.display(),
                why_not(*socket),
                Paths::below("/".as_ref()).socket().display(),
            )),
            Self::Embedded { looks_only: true, socket, .. } => Some(format!(
                "the system's Volt {} at {}, so this only looks; `--root DIR` makes an installation of your own",
                why_not(*socket),
                Paths::below("/".as_ref()).socket().display(),
            )),
            Self::Embedded { request: EmbedRequest { root: Some(root), .. }, .. } => {
                (root.as_os_str() != "/")
                    .then(|| format!("this is about the installation below {}", root.display()))
            }
            Self::Embedded { .. } => None,
        }
    }
}

fn why_not(socket: Option<io::ErrorKind>) -> &'static str {
    match socket {
        Some(io::ErrorKind::PermissionDenied) => "may not be asked by you",
        Some(io::ErrorKind::NotFound) => "does not listen",
        _ => "does not answer",
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(target) => write!(f, "{target}"),
            Self::Socket { path, .. } => write!(f, "the daemon at {}", path.display()),
            Self::Embedded { request, own, .. } => {
                let folder = own.as_ref().or(request.root.as_ref());
                match folder {
                    Some(folder) => write!(f, "this process, about {}", folder.display()),
                    None => f.write_str("this process, about the system's installation"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Facts {
        Facts {
            own: "/home/joe/.local/share/volt".into(),
            socket: Some(io::ErrorKind::NotFound),
            ..Facts::default()
        }
    }

    #[test]
    fn who_answers_without_a_socket() {
        let root = |root: &str| Some(PathBuf::from(root));
        for (facts, request) in [
            (Facts { is_root: true, ..user() }, EmbedRequest::default()),
            (
                Facts { root: root("/srv/x"), ..user() },
                EmbedRequest { root: root("/srv/x"), ..EmbedRequest::default() },
            ),
            (
                Facts { root: root("/"), ..user() },
                EmbedRequest { root: root("/"), ..EmbedRequest::default() },
            ),
            (user(), EmbedRequest { rootless: true, ..EmbedRequest::default() }),
            (
                Facts { has_own: true, has_system: true, ..user() },
                EmbedRequest { rootless: true, ..EmbedRequest::default() },
            ),
            (Facts { has_system: true, ..user() }, EmbedRequest::default()),
        ] {
            let Place::Embedded { request: found, own, .. } = Place::without_socket(&facts) else {
                panic!("{facts:?}")
            };
            assert_eq!(own.is_some(), request.rootless, "{facts:?}");
            assert_eq!(found, request, "{facts:?}");
        }
    }

    #[test]
    fn an_error_says_which_installation_was_meant() {
        let remark = Place::without_socket(&user()).remark().unwrap();
        assert!(remark.contains("/home/joe/.local/share/volt"), "{remark}");
        assert!(remark.contains("does not listen at /run/volt/volt.sock"), "{remark}");
        let looks = Place::without_socket(&Facts { has_system: true, ..user() });
        let remark = looks.remark().unwrap();
        assert!(
            remark.contains("only looks") && remark.contains("/run/volt/volt.sock"),
            "{remark}"
        );
        let below = Facts { root: Some("/srv/x".into()), ..user() };
        assert!(Place::without_socket(&below).remark().unwrap().contains("/srv/x"));
        assert_eq!(Place::without_socket(&Facts { is_root: true, ..user() }).remark(), None);
        let there = Place::Named("tcp://box:1".parse().unwrap());
        assert_eq!(there.remark().unwrap(), "this is what tcp://box:1 says");
    }
}
