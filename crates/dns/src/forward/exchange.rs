//! Asking the host's resolvers: by a datagram from a port of its own each time, on a connection where the answer is cut off; the
//! next one where one is silent or can't say.

use super::locked;
use super::message::{self, Answer, Unusable};
use super::resolvers::Resolvers;
use crate::query::Query;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long each is waited for, in the first round and the second.
const PATIENCE: [Duration; 2] = [Duration::from_millis(800), Duration::from_millis(1600)];
/// How long a connection may take, with all that comes on it.
const CONNECTION: Duration = Duration::from_secs(2);
/// How long all of it may take: programs ask again after five seconds.
const ALL: Duration = Duration::from_millis(4500);

/// Whoever asks.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) resolvers: Resolvers,
    /// The one that answered last, by its place: a dead one costs its time once.
    preferred: AtomicUsize,
    random: Mutex<File>,
}

impl Exchange {
    /// One that asks these.
    pub(super) fn new(resolvers: Resolvers) -> io::Result<Self> {
        let random = Mutex::new(File::open("/dev/urandom")?);
        Ok(Self { resolvers, preferred: AtomicUsize::new(0), random })
    }

    /// The answer of the first that has one, of these servers; of the host's where there are none.
    pub(super) async fn ask(&self, query: &Query, servers: &[IpAddr]) -> Option<Answer> {
        timeout(ALL, self.ask_all(query, servers)).await.ok()?
    }

    async fn ask_all(&self, query: &Query, servers: &[IpAddr]) -> Option<Answer> {
        let of_host = servers.is_empty();
        let all = if of_host { self.resolvers.all() } else { self.resolvers.of(servers) };
        let first = if of_host { self.preferred.load(Ordering::Relaxed) } else { 0 };
        for patience in PATIENCE {
            for turn in 0..all.len() {
                let place = (first + turn) % all.len();
                match self.ask_one(query, all[place], patience).await {
                    Ok(answer) => {
                        if of_host {
                            self.preferred.store(place, Ordering::Relaxed);
                        }
                        return Some(answer);
                    }
                    Err(error) => tracing::debug!(server = %all[place], %error, "no answer"),
                }
            }
        }
        None
    }

    async fn ask_one(
        &self,
        query: &Query,
        server: SocketAddr,
        patience: Duration,
    ) -> io::Result<Answer> {
        for edns in [true, false] {
            let asked = timeout(patience, self.by_datagram(query, server, edns)).await??;
            match asked {
                Ok(answer) => return Ok(answer),
                Err(Unusable::Cut) => {
                    return timeout(CONNECTION, self.by_connection(query, server, edns)).await?;
                }
                // Some old ones know nothing of EDNS.
                Err(Unusable::Refused { not_understood: true }) if edns => {}
                Err(_) => break,
            }
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    async fn by_datagram(
        &self,
        query: &Query,
        server: SocketAddr,
        edns: bool,
    ) -> io::Result<Result<Answer, Unusable>> {
        // A socket that is connected takes nothing from anybody else; its port is the kernel's choice.
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(server).await?;
        let id = self.id()?;
        socket.send(&message::question(id, query, edns)).await?;
        let mut buffer = vec![0; 4096];
        loop {
            let length = socket.recv(&mut buffer).await?;
            match Answer::read(buffer[..length].to_vec(), id, query) {
                Err(Unusable::Foreign) => {}
                other => return Ok(other),
            }
        }
    }

    async fn by_connection(
        &self,
        query: &Query,
        server: SocketAddr,
        edns: bool,
    ) -> io::Result<Answer> {
        let id = self.id()?;
        let question = message::question(id, query, edns);
        let length = u16::try_from(question.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(&[&length.to_be_bytes(), &question[..]].concat()).await?;
        let length = stream.read_u16().await?;
        let mut bytes = vec![0; usize::from(length)];
        stream.read_exact(&mut bytes).await?;
        Answer::read(bytes, id, query).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// An id that nobody guesses.
    fn id(&self) -> io::Result<u16> {
        let mut bytes = [0; 2];
        locked(&self.random).read_exact(&mut bytes)?;
        Ok(u16::from_ne_bytes(bytes))
    }
}
