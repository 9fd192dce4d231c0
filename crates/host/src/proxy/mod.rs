//! Passing on what comes to ports of the host's loopback, where the kernel can't: a packet with such an address may not leave the host.
//!
//! Streams are passed on both ways until both sides have ended; of datagrams each sender has a socket of its own, which is given up
//! when nothing has come for a while. Bounded: beyond [`MOST`] connections at a time further ones wait.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use volt_model::net::Protocol;

/// How many connections are passed on at a time.
pub const MOST: usize = 4096;
/// How long the socket of a sender of datagrams is kept when nothing comes.
const IDLE: Duration = Duration::from_secs(60);
/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// A way from a port to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What is carried.
    pub protocol: Protocol,
    /// Where it comes in.
    pub from: SocketAddr,
    /// Where it goes: to the first of them at which somebody listens.
    pub to: Vec<SocketAddr>,
}

/// Listens on all these ways and passes on until the process ends. `ready` is called when all listen.
///
/// # Errors
/// With the first way on which nobody can listen.
pub async fn serve(ways: &[Way], ready: impl FnOnce()) -> Result<(), (Way, io::Error)> {
    let room = Arc::new(Semaphore::new(MOST));
    let mut tasks = JoinSet::new();
    for way in ways {
        let failed = |e| (way.clone(), e);
        match way.protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(way.from).await.map_err(failed)?;
                tasks.spawn(streams(listener, way.to.clone(), room.clone()));
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(way.from).await.map_err(failed)?;
                tasks.spawn(datagrams(Arc::new(socket), way.to.clone(), room.clone()));
            }
        }
    }
    ready();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

async fn streams(listener: TcpListener, to: Vec<SocketAddr>, room: Arc<Semaphore>) {
    let to: Arc<[SocketAddr]> = to.into();
    loop {
        let Ok((mut peer, _)) = listener.accept().await else {
            // No descriptor is free, say: others will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Only who is there takes room; a port at which nobody asks takes none from others.
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let to = to.clone();
        tokio::spawn(async move {
            let _place = place;
            // Where nobody listens the peer is told by the end of its connection.
            if let Ok(mut target) = TcpStream::connect(&to[..]).await {
                drop(target.set_nodelay(true));
                drop(peer.set_nodelay(true));
                drop(tokio::io::copy_bidirectional(&mut peer, &mut target).await);
            }
        });
    }
}

/// By what senders' datagrams go on, and answers come back.
type Senders = Arc<Mutex<HashMap<SocketAddr, Arc<Onward>>>>;

async fn datagrams(socket: Arc<UdpSocket>, to: Vec<SocketAddr>, room: Arc<Semaphore>) {
    let senders = Senders::default();
    let mut bytes = vec![0; DATAGRAM];
    loop {
        // An error is one that an earlier answer met with.
        let Ok((length, sender)) = socket.recv_from(&mut bytes).await else { continue };
        let known = senders.lock().unwrap_or_else(PoisonError::into_inner).get(&sender).cloned();
        let onward = match known {
            Some(onward) => onward,
            None => {
                // With no room left a datagram is lost, as on any way.
                let Ok(place) = room.clone().try_acquire_owned() else { continue };
                let Ok(onward) = Onward::to(&to).await else { continue };
                let onward = Arc::new(onward);
                senders
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(sender, onward.clone());
                let (back, senders, from) = (socket.clone(), senders.clone(), onward.clone());
                tokio::spawn(async move {
                    answers(&from, &back, sender).await;
                    senders.lock().unwrap_or_else(PoisonError::into_inner).remove(&sender);
                    drop(place);
                });
                onward
            }
        };
        onward.send(&bytes[..length]).await;
    }
}

/// A sender's way on: a socket for each place where somebody may listen, of which one is in use.
#[derive(Debug)]
struct Onward {
    sockets: Vec<UdpSocket>,
    in_use: AtomicUsize,
    /// Tells whoever waits for answers that another is in use.
    moved: Notify,
    /// What was sent last: it goes to the next place where it was refused.
    last: Mutex<Vec<u8>>,
}

impl Onward {
    async fn to(all: &[SocketAddr]) -> io::Result<Self> {
        let (mut sockets, mut failed) = (Vec::new(), None);
        for to in all {
            match towards(*to).await {
                Ok(socket) => sockets.push(socket),
                // The host has no way there, as without IPv6.
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed.filter(|_| sockets.is_empty()) {
            return Err(error);
        }
        Ok(Self {
            sockets,
            in_use: AtomicUsize::new(0),
            moved: Notify::new(),
            last: Mutex::default(),
        })
    }

    fn socket(&self) -> &UdpSocket {
        &self.sockets[self.in_use.load(Ordering::Relaxed)]
    }

    async fn send(&self, bytes: &[u8]) {
        bytes.clone_into(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner));
        // An error is the refusal of what was sent before.
        if self.socket().send(bytes).await.is_err() {
            self.refused().await;
        }
    }

    /// Nobody listens where the last one went. Where nobody does anywhere, the next one begins anew.
    async fn refused(&self) {
        let next = (self.in_use.load(Ordering::Relaxed) + 1) % self.sockets.len();
        self.in_use.store(next, Ordering::Relaxed);
        self.moved.notify_one();
        let last = std::mem::take(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner));
        if next != 0 && !last.is_empty() {
            drop(self.socket().send(&last).await);
        }
    }

    /// The next answer.
    async fn receive(&self, bytes: &mut [u8]) -> usize {
        loop {
            tokio::select! {
                received = self.socket().recv(bytes) => match received {
                    Ok(length) => return length,
                    Err(_) => self.refused().await,
                },
                () = self.moved.notified() => {}
            }
        }
    }
}

async fn towards(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// Passes answers back until none has come for a while.
async fn answers(from: &Onward, back: &UdpSocket, sender: SocketAddr) {
    let mut bytes = vec![0; DATAGRAM];
    while let Ok(length) = tokio::time::timeout(IDLE, from.receive(&mut bytes)).await {
        drop(back.send_to(&bytes[..length], sender).await);
    }
}
