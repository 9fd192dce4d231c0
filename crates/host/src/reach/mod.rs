//! Connecting to a port of a workload, also where only its own loopback leads there.

#[cfg(test)]
mod tests;

use crate::namespaces::NetNs;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tokio::net::{TcpSocket, TcpStream};

/// Where a workload's ports are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an address that the host reaches.
    At(IpAddr),
    /// At the loopback of a network namespace.
    Inside(PathBuf),
}

impl Place {
    /// The address of a port there.
    #[must_use]
    pub fn address(&self, port: u16) -> SocketAddr {
        match self {
            Self::At(ip) => (*ip, port).into(),
            Self::Inside(_) => (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    /// Connects to a port there.
    ///
    /// # Errors
    /// Where nobody listens, or the namespace is gone.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let to = self.address(port);
        let Self::Inside(namespace) = self else { return TcpStream::connect(to).await };
        // A socket stays in the namespace that it was made in.
        let made = NetNs::open(namespace).and_then(|namespace| {
            namespace.run(|| {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                Ok(socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
            })
        });
        let socket = std::net::TcpStream::from(made.map_err(io::Error::other)?);
        TcpSocket::from_std_stream(socket).connect(to).await
    }
}
