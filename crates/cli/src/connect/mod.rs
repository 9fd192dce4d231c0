//! Where the API is. The rule, as `docs/system.md` tells it: `--host` or `--context`; with `--root` the daemon of that root or
//! the server inside this process; the system's socket where it answers; else the server inside this process, over one's own
//! installation below the XDG folders for a user who has one or on a host without Volt, over the system's for everybody else.
//!
//! This only chooses. What the caller may do there is decided by whoever answers.

mod contexts;
mod place;
mod target;

use crate::cli::Global;
use crate::ctx::xdg_data;
use crate::embed::Embed;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpStream, UnixStream};
use volt_api::Problem;
use volt_api::client::{BoxFuture, Client, Connection, Connector};
use volt_model::kind::ErrorKind;
use volt_model::paths::Paths;

use place::Facts;
pub(crate) use place::Place;
pub(crate) use target::Target;

/// The API, and who answers.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Speaks to it.
    pub(crate) client: Client,
    /// Who answers.
    pub(crate) place: Place,
}

impl Choice {
    /// Whether the answer comes from this very process.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.place, Place::Embedded { .. })
    }

    /// Whether the server sees the same files as this process does.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(&self.place, Place::Named(Target::Tcp(_)))
    }
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
    if let Some(file) = &global.config
        && let Err(e) = std::fs::metadata(file)
    {
        let title = format!("The configuration file {} can't be read", file.display());
        return Err(Problem::new(ErrorKind::InvalidConfig, title).because(&e));
    }
    let root = global.root.as_ref().map(|dir| std::path::absolute(dir).unwrap_or(dir.clone()));
    let paths = Paths::below(root.as_deref().unwrap_or("/".as_ref()));
    let socket = match UnixStream::connect(paths.socket()).await {
        Ok(first) => {
            let target = Target::Unix(paths.socket());
            let connector = target_connector(target, Some(first));
            let place = Place::Socket { path: paths.socket(), root: paths.root };
            return Ok(Choice { client: Client::new(connector), place });
        }
        Err(e) => e.kind(),
    };
    let own = xdg_data().join("volt");
    let place = Place::without_socket(&Facts {
        root,
        config: global.config.clone(),
        is_root: rustix::process::geteuid().is_root(),
        has_own: own.exists(),
        has_system: Paths::below("/".as_ref()).lib.exists(),
        own,
        socket: Some(socket),
    });
    let Place::Embedded { request, .. } = &place else {
        unreachable!("without a socket the server is embedded");
    };
    let (serve, request) = (Arc::clone(&embed.serve), request.clone());
    Ok(Choice { client: Client::new(Arc::new(move || serve(request.clone()))), place })
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
