//! Passing on what comes to ports of the host's loopback, where the kernel can't: a packet with such an address may not leave the host.
//!
//! Streams are passed on both ways until both sides have ended; of datagrams each sender has a socket of its own, which is given up
//! when nothing has come for a while. Bounded: beyond [`MOST`] connections at a time further ones wait.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use volt_model::net::Protocol;

/// How many connections are passed on at a time.
pub const MOST: usize = 4096;
/// How long the socket of a sender of datagrams is kept when nothing comes.
const IDLE: Duration = Duration::from_secs(60);
/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// A way from a port to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// What is carried.
    pub protocol: Protocol,
    /// Where it comes in.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
}

/// Listens on all these ways and passes on until the process ends. `ready` is called when all listen.
///
/// # Errors
/// With the first way on which nobody can listen.
pub async fn serve(ways: &[Way], ready: impl FnOnce()) -> Result<(), (Way, io::Error)> {
    let room = Arc::new(Semaphore::new(MOST));
    let mut tasks = JoinSet::new();
    for way in ways {
        let failed = |e| (*way, e);
        match way.protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(way.from).await.map_err(failed)?;
                tasks.spawn(streams(listener, way.to, room.clone()));
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(way.from).await.map_err(failed)?;
                tasks.spawn(datagrams(Arc::new(socket), way.to, room.clone()));
            }
        }
    }
    ready();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

async fn streams(listener: TcpListener, to: SocketAddr, room: Arc<Semaphore>) {
    loop {
        let Ok((mut peer, _)) = listener.accept().await else {
            // No descriptor is free, say: others will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Only who is there takes room; a port at which nobody asks takes none from others.
        let Ok(place) = room.clone().acquire_owned().await else { return };
        tokio::spawn(async move {
            let _place = place;
            // Where nobody listens the peer is told by the end of its connection.
            if let Ok(mut target) = TcpStream::connect(to).await {
                drop(target.set_nodelay(true));
                drop(peer.set_nodelay(true));
                drop(tokio::io::copy_bidirectional(&mut peer, &mut target).await);
            }
        });
    }
}

/// The sockets by which what senders send goes on, and answers come back.
type Senders = Arc<Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>>;

async fn datagrams(socket: Arc<UdpSocket>, to: SocketAddr, room: Arc<Semaphore>) {
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
                let Ok(onward) = towards(to).await else { continue };
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
        drop(onward.send(&bytes[..length]).await);
    }
}

async fn towards(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// Passes answers back until none has come for a while.
async fn answers(from: &UdpSocket, back: &UdpSocket, sender: SocketAddr) {
    let mut bytes = vec![0; DATAGRAM];
    while let Ok(received) = tokio::time::timeout(IDLE, from.recv(&mut bytes)).await {
        // Nobody listens there at this moment; the next datagram may find somebody.
        let Ok(length) = received else { continue };
        drop(back.send_to(&bytes[..length], sender).await);
    }
}
