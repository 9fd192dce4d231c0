//! Where the server listens: a socket of each kind at every gateway, as long as the table has it.

use super::{Next, Shared, stream};
use crate::names::Names;
use crate::query::Way;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::AbortHandle;

/// The longest query that is read from a datagram, in bytes.
const LONGEST: usize = 4096;
/// How many who connect may wait.
const BACKLOG: i32 = 64;
/// A pause where the kernel refuses to go on, lest it be asked without end.
const PAUSE: Duration = Duration::from_millis(10);

/// The sockets that are open.
pub(super) struct Sockets {
    port: u16,
    shared: Arc<Shared>,
    visitors: stream::Visitors,
    open: HashMap<IpAddr, [Serving; 2]>,
    /// Those of which it was said that they can't be had.
    refused: Vec<IpAddr>,
}

/// A task that ends with this.
struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sockets {
    /// None yet.
    pub(super) fn new(port: u16, shared: Arc<Shared>) -> Self {
        let visitors = stream::Visitors::default();
        Self { port, shared, visitors, open: HashMap::new(), refused: Vec::new() }
    }

    /// Opens what is missing and closes what is not wanted; whether all is open that should be.
    pub(super) fn open(&mut self, names: &Names) -> bool {
        let wanted = names.gateways();
        self.open.retain(|address, _| wanted.contains(address));
        self.refused.retain(|address| wanted.contains(address));
        for address in wanted {
            if self.open.contains_key(address) {
                continue;
            }
            match self.begin(*address) {
                Ok(serving) => {
                    self.open.insert(*address, serving);
                    self.refused.retain(|refused| refused != address);
                }
                Err(error) if !self.refused.contains(address) => {
                    tracing::error!(%address, %error, "cannot listen here; it is tried again each second");
                    self.refused.push(*address);
                }
                Err(_) => {}
            }
        }
        self.open.len() == wanted.len()
    }

    fn begin(&self, address: IpAddr) -> io::Result<[Serving; 2]> {
        let place = SocketAddr::new(address, self.port);
        let datagrams = std::net::UdpSocket::from(bound(place, SocketType::DGRAM)?);
        let datagrams = UdpSocket::from_std(datagrams)?;
        let stream = bound(place, SocketType::STREAM)?;
        listen(&stream, BACKLOG)?;
        let listener = TcpListener::from_std(std::net::TcpListener::from(stream))?;
        let by_stream = stream::serve(listener, Arc::clone(&self.shared), self.visitors.clone());
        let by_datagram = serve(Arc::new(datagrams), Arc::clone(&self.shared));
        Ok([
            Serving(tokio::spawn(by_datagram).abort_handle()),
            Serving(tokio::spawn(by_stream).abort_handle()),
        ])
    }
}

/// A socket at this address, which the host need not have yet: its bridge may be made later, and anew.
fn bound(place: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if place.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match place {
        SocketAddr::V4(_) => sockopt::set_ip_freebind(&socket, true)?,
        SocketAddr::V6(_) => {
            sockopt::set_ipv6_v6only(&socket, true)?;
            sockopt::set_ipv6_freebind(&socket, true)?;
        }
    }
    if kind == SocketType::STREAM {
        // Connections of the server before this one may still be closing.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &place)?;
    Ok(socket)
}

/// Whether queries come so fast that the next is here before this thread would sleep and be woken, which costs whoever asks more than
/// the answer.
#[derive(Debug, Default)]
struct Rush {
    last: Option<Instant>,
    /// The time between queries, of late.
    gap: Duration,
}

impl Rush {
    /// How long the next one is looked for; who comes less often than that is waited for asleep.
    const LOOK: Duration = Duration::from_micros(50);

    fn asked(&mut self) {
        let now = Instant::now();
        let gap = self.last.map_or(Self::LOOK, |last| (now - last).min(2 * Self::LOOK));
        self.gap = (self.gap * 7 + gap) / 8;
        self.last = Some(now);
    }

    fn goes_on(&self) -> bool {
        self.gap < Self::LOOK && self.last.is_some_and(|last| last.elapsed() < Self::LOOK)
    }
}

/// Answers datagrams, one after the other; those for which others must be asked wait by themselves.
async fn serve(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut bytes = vec![0; LONGEST];
    let mut out = Vec::with_capacity(LONGEST);
    let mut rush = Rush::default();
    loop {
        // Those who ask otherwise have their turn too.
        tokio::task::coop::consume_budget().await;
        let received = match socket.try_recv_from(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if rush.goes_on() {
                    tokio::task::yield_now().await;
                    continue;
                }
                socket.readable().await.map(|()| None)
            }
            received => received.map(Some),
        };
        let (length, source) = match received {
            Ok(Some(received)) => received,
            Ok(None) => continue,
            Err(error) => {
                // What an earlier answer met on its way is told here too.
                tracing::debug!(%error, "receive");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        rush.asked();
        match shared.answer(source.ip(), Way::Datagram, &bytes[..length], &mut out) {
            Next::Drop => {}
            Next::Reply => send(&socket, &out, source),
            Next::Ask(query) => {
                let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
                tokio::spawn(async move {
                    let mut out = Vec::new();
                    let asked = shared.ask(source.ip(), Way::Datagram, &query, &mut out).await;
                    if let Next::Reply = asked {
                        send(&socket, &out, source);
                    }
                });
            }
        }
    }
}

/// An answer for which there is no room is lost: who asks slowly, or too much, must not keep others waiting.
fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    if let Err(error) = socket.try_send_to(bytes, to) {
        tracing::debug!(%error, %to, "send");
    }
}
