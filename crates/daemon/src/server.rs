//! Connections: accepting them, bounding them, serving HTTP on each, and letting go of them in order.

use crate::peer::Peer;
use crate::router::{Router, failed};
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// How long a client may take for the headers of a request, and stay silent between two.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes: a command to execute stands in its query.
const MAX_HEAD: usize = 128 * 1024;
/// Connections at once.
const MAX_CONNECTIONS: usize = 1024;
/// Connections at once of one user who is neither root nor in the group `volt`.
const MAX_OF_STRANGER: usize = 64;
/// How long to wait when the process has no descriptor left.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// Serves the API on listeners and single connections.
pub struct Server<S> {
    router: Arc<Router<S>>,
    open: Arc<Mutex<HashMap<u32, usize>>>,
}

impl<S> Clone for Server<S> {
    fn clone(&self) -> Self {
        Self { router: self.router.clone(), open: self.open.clone() }
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("router", &self.router).finish_non_exhaustive()
    }
}

impl<S: Clone + Send + Sync + 'static> Server<S> {
    /// A server that answers with `router`.
    #[must_use]
    pub fn new(router: Router<S>) -> Self {
        Self { router: Arc::new(router), open: Arc::default() }
    }

    /// What answers.
    #[must_use]
    pub fn router(&self) -> &Router<S> {
        &self.router
    }

    /// Accepts connections until `stop`, then lets those that are open end their request. Dropping it cuts them off.
    pub async fn serve_listener(&self, listener: UnixListener, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(self.clone().admit(stream, stop.clone()))),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(FULL_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    async fn admit(self, stream: UnixStream, stop: CancellationToken) {
        let peer = match Peer::of_socket(&stream).await {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%error, "a caller could not be identified");
                return;
            }
        };
        match Place::take(&self.open, &peer) {
            Some(_place) => self.serve_connection(stream, peer, stop).await,
            None => turn_away(stream).await,
        }
    }

    /// Serves one connection of `peer` to its end; after `stop` no further request is taken on it.
    pub async fn serve_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        stop: CancellationToken,
    ) {
        let peer = Arc::new(peer);
        let service = service_fn(|request: Request<Incoming>| {
            let (router, peer) = (self.router.clone(), peer.clone());
            async move { Ok::<_, Infallible>(router.answer(peer, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended in an error");
        }
    }
}

/// A connection counted for its user until dropped.
struct Place {
    open: Arc<Mutex<HashMap<u32, usize>>>,
    uid: u32,
}

impl Place {
    fn take(open: &Arc<Mutex<HashMap<u32, usize>>>, peer: &Peer) -> Option<Self> {
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.get(&peer.uid).copied().unwrap_or_default();
        let all: usize = counts.values().sum();
        // root gets in however many others there are.
        let full = all >= MAX_CONNECTIONS && !peer.is_root();
        if full || (own >= MAX_OF_STRANGER && !peer.is_trusted()) {
            return None;
        }
        counts.insert(peer.uid, own + 1);
        Some(Self { open: open.clone(), uid: peer.uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.uid);
            }
        }
    }
}

/// Answers whatever is asked that there are too many connections.
async fn turn_away(mut stream: UnixStream) {
    let mut problem = Problem::new(ErrorKind::Resource, "Too many connections are open")
        .hinted("Close some of them and try again");
    problem.status = 503;
    let answer = async {
        let body = failed(&problem).into_body().collect().await?.to_bytes();
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {}\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            volt_api::problem::MEDIA_TYPE,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
        stream.shutdown().await?;
        // Closed with something unread, the answer would be lost.
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    drop(tokio::time::timeout(Duration::from_secs(1), answer).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_take_all_places() {
        let open = Arc::default();
        let peer = |uid, member| {
            let name = String::new();
            Peer { uid, gid: uid, groups: vec![], name, member, reads_journal: false }
        };
        let stranger = peer(1000, false);
        let mut taken: Vec<_> =
            (0..MAX_OF_STRANGER).map(|_| Place::take(&open, &stranger).unwrap()).collect();
        assert!(Place::take(&open, &stranger).is_none());
        assert!(Place::take(&open, &peer(1001, false)).is_some());
        taken.extend(
            (taken.len()..MAX_CONNECTIONS).map(|_| Place::take(&open, &peer(1002, true)).unwrap()),
        );
        assert!(Place::take(&open, &peer(1003, true)).is_none());
        assert!(Place::take(&open, &peer(0, false)).is_some(), "root gets in");
        taken.clear();
        assert!(Place::take(&open, &stranger).is_some() && open.lock().unwrap().is_empty());
    }
}
