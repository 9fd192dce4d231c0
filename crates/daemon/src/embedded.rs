//! The API inside a command's own process: the daemon's server at the other end of an in-memory pipe.

use crate::installation::Installation;
use crate::peer::Peer;
use crate::server::Server;
use std::io;
use tokio_util::sync::CancellationToken;
use volt_api::client::Connection;
use volt_engine::Engine;

/// How much the pipe holds, in bytes.
const PIPE: usize = 64 * 1024;

/// A server in this process.
#[derive(Clone, Debug)]
pub struct Embedded {
    server: Server<Engine>,
    peer: Peer,
}

impl Embedded {
    /// A server over `installation` for whoever runs this process.
    ///
    /// # Errors
    /// When the kernel doesn't say who that is.
    pub fn new(installation: &Installation) -> io::Result<Self> {
        let peer = Peer::myself()?;
        Ok(Self { server: installation.server(peer.uid, "embedded"), peer })
    }

    /// A connection to it, served by the runtime that this is called in.
    #[must_use]
    pub fn connect(&self) -> Box<dyn Connection> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (server, peer) = (self.server.clone(), self.peer.clone());
        tokio::spawn(async move {
            server.serve_connection(theirs, peer, CancellationToken::new()).await;
        });
        Box::new(ours)
    }

    /// Ends what has no end of its own, and returns when nothing runs any more.
    pub async fn finish(&self) {
        let shared = self.server.router().shared();
        shared.streams.cancel();
        shared.activity.quiet().await;
    }
}
