//! Where the API is: a host that was named, the system's socket, or the server inside this process.
//!
//! This only chooses. What the caller may do there is decided by whoever answers.

mod contexts;
mod target;

use crate::cli::Global;
use crate::embed::{Embed, EmbedRequest};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpStream, UnixStream};
use volt_api::client::{BoxFuture, Client, Connection, Connector};
use volt_api::{OperationInfo, Privilege, Problem};
use volt_model::kind::ErrorKind;
use volt_model::paths::Paths;

pub(crate) use target::Target;

/// The API, and what may be asked of it without being refused anyway.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Speaks to it.
    pub(crate) client: Client,
    /// Who answers.
    pub(crate) place: Place,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The host that was named.
    Named(Target),
    /// The daemon behind the socket of this host.
    Socket(PathBuf),
    /// The server inside this process.
    Embedded(EmbedRequest),
    /// The same, only for reading: the caller is not root, and no daemon acts for them.
    ReadOnly {
        /// The installation.
        request: EmbedRequest,
        /// Whether there is a socket that the caller may not open.
        denied: bool,
    },
}

impl Choice {
    /// Checks that an operation makes sense here.
    ///
    /// # Errors
    /// When only the daemon could do it for this caller, and it doesn't answer.
    pub(crate) fn check(&self, operation: &OperationInfo) -> Result<(), Problem> {
        let Place::ReadOnly { denied, .. } = &self.place else { return Ok(()) };
        if !operation.changes && operation.privilege == Privilege::Read {
            return Ok(());
        }
        Err(if *denied {
            Problem::new(ErrorKind::Permission, "The Volt daemon's socket may not be opened by you")
                .hinted("Join the group volt: sudo usermod -aG volt $USER, then log in again")
        } else {
            Problem::new(ErrorKind::Daemon, "The Volt daemon doesn't answer")
                .hinted("Start it: sudo systemctl start volt.socket")
        })
    }

    /// Whether the answer comes from this very process.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.place, Place::Embedded(_) | Place::ReadOnly { .. })
    }

    /// Whether the server sees the same files as this process does.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(&self.place, Place::Named(Target::Tcp(_)))
    }
}

/// What was found out about this host.
#[derive(Clone, Debug, Default)]
struct Facts {
    root: Option<PathBuf>,
    config: Option<PathBuf>,
    is_root: bool,
    installed: bool,
    socket: Option<io::ErrorKind>,
}

/// Chooses, and tries the system's socket on the way.
///
/// # Errors
/// When the host or context that was named makes no sense.
pub(crate) async fn choose(global: &Global, embed: &Embed) -> Result<Choice, Problem> {
    if let Some(host) = contexts::named_host(global)? {
        let target: Target = host.parse()?;
        let connector = target_connector(target.clone(), None);
        return Ok(Choice { client: Client::new(connector), place: Place::Named(target) });
    }
    let base = global.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let base = std::path::absolute(&base).unwrap_or(base);
    let paths = Paths::below(&base);
    let socket = match UnixStream::connect(paths.socket()).await {
        Ok(first) => {
            let target = Target::Unix(paths.socket());
            let connector = target_connector(target, Some(first));
            let place = Place::Socket(paths.socket());
            return Ok(Choice { client: Client::new(connector), place });
        }
        Err(e) => e.kind(),
    };
    let place = place(&Facts {
        root: global.root.as_ref().map(|_| base),
        config: global.config.clone(),
        is_root: rustix::process::geteuid().is_root(),
        installed: paths.lib.exists(),
        socket: Some(socket),
    });
    let (Place::Embedded(request) | Place::ReadOnly { request, .. }) = &place else {
        unreachable!("without a socket the server is embedded");
    };
    let (serve, request) = (Arc::clone(&embed.serve), request.clone());
    Ok(Choice { client: Client::new(Arc::new(move || serve(request.clone()))), place })
}

/// Who answers where no socket does.
fn place(facts: &Facts) -> Place {
    let system =
        EmbedRequest { root: facts.root.clone(), rootless: false, config: facts.config.clone() };
    if facts.is_root || facts.root.is_some() {
        return Place::Embedded(system);
    }
    let denied = facts.socket == Some(io::ErrorKind::PermissionDenied);
    if facts.installed || denied {
        return Place::ReadOnly { request: system, denied };
    }
    Place::Embedded(EmbedRequest { rootless: true, ..system })
}

/// Connects to `target`; `first` is a connection that is there already.
fn target_connector(target: Target, first: Option<UnixStream>) -> Connector {
    let first = Arc::new(Mutex::new(first));
    Arc::new(move || {
        let taken = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let target = target.clone();
        let connected: BoxFuture<io::Result<Box<dyn Connection>>> = Box::pin(async move {
            match (taken, target) {
                (Some(stream), _) => Ok(Box::new(stream) as Box<dyn Connection>),
                (None, Target::Unix(path)) => unix(&path).await,
                (None, Target::Tcp(address)) => tcp(&address).await,
            }
        });
        connected
    })
}

async fn unix(path: &Path) -> io::Result<Box<dyn Connection>> {
    let stream = UnixStream::connect(path).await;
    let stream =
        stream.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    Ok(Box::new(stream))
}

async fn tcp(address: &str) -> io::Result<Box<dyn Connection>> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|e| io::Error::new(e.kind(), format!("{address}: {e}")))?;
    // Frames of a terminal are small; they are not to wait for each other.
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_api::Operation;
    use volt_api::operations::{ContainerStartOp, WorkloadListOp};

    fn rootless() -> Facts {
        Facts { socket: Some(io::ErrorKind::NotFound), ..Facts::default() }
    }

    #[test]
    fn who_answers_without_a_socket() {
        let system = EmbedRequest::default();
        let below = EmbedRequest { root: Some("/srv/x".into()), ..EmbedRequest::default() };
        let own = EmbedRequest { rootless: true, ..EmbedRequest::default() };
        let reads = |denied| Place::ReadOnly { request: EmbedRequest::default(), denied };
        let denied = Some(io::ErrorKind::PermissionDenied);
        for (facts, expected) in [
            (Facts { is_root: true, ..rootless() }, Place::Embedded(system)),
            (Facts { root: Some("/srv/x".into()), ..rootless() }, Place::Embedded(below)),
            (Facts { installed: true, ..rootless() }, reads(false)),
            (Facts { installed: true, socket: denied, ..rootless() }, reads(true)),
            (rootless(), Place::Embedded(own)),
        ] {
            assert_eq!(place(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn without_a_daemon_a_user_only_reads() {
        let serve: Connector = Arc::new(|| Box::pin(async { Err(io::Error::other("none")) }));
        let choice = |denied| Choice {
            client: Client::new(Arc::clone(&serve)),
            place: Place::ReadOnly { request: EmbedRequest::default(), denied },
        };
        assert!(choice(false).check(&WorkloadListOp::INFO).is_ok());
        let refused = choice(false).check(&ContainerStartOp::INFO).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Daemon);
        let refused = choice(true).check(&ContainerStartOp::INFO).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Permission);
    }
}
