//! Queries on connections: a few at a time, each for a short while.

use super::{Next, Shared};
use crate::query::Way;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How many connections there may be.
const ALL: usize = 256;
/// How many of them one asker may have.
const EACH: usize = 16;
/// How long a connection may be silent, and how long an answer may take to be sent.
const SILENCE: Duration = Duration::from_secs(10);
/// The longest query, in bytes.
const LONGEST: usize = 4096;
/// A pause where the kernel has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is connected, and how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Visitors(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection; no longer counted when dropped.
struct Visit(Visitors, IpAddr);

impl Visitors {
    fn visit(&self, source: IpAddr) -> Option<Visit> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.values().sum::<usize>() >= ALL {
            return None;
        }
        let each = all.entry(source).or_default();
        (*each < EACH).then(|| {
            *each += 1;
            Visit(self.clone(), source)
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(each) = all.get_mut(&self.1) {
            *each -= 1;
            if *each == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// Takes connections for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, visitors: Visitors) {
    loop {
        match listener.accept().await {
            Ok((stream, source)) => {
                let Some(visit) = visitors.visit(source.ip()) else { continue };
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let source = visit.1;
                    if let Err(error) = converse(stream, source, &shared).await {
                        tracing::debug!(%error, %source, "connection");
                    }
                    drop(visit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(mut stream: TcpStream, source: IpAddr, shared: &Shared) -> io::Result<()> {
    let (mut bytes, mut out) = (Vec::new(), Vec::new());
    loop {
        let read = timeout(SILENCE, async {
            let length = usize::from(stream.read_u16().await?);
            if length > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
            bytes.resize(length, 0);
            stream.read_exact(&mut bytes).await.map(|_| ())
        });
        match read.await? {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let mut next = shared.answer(source, Way::Stream, &bytes, &mut out);
        if let Next::Ask(query) = next {
            next = shared.ask(source, Way::Stream, &query, &mut out).await;
        }
        if let Next::Reply = next {
            let length = u16::try_from(out.len()).map_err(|_| io::ErrorKind::InvalidData)?;
            out.splice(..0, length.to_be_bytes());
            timeout(SILENCE, stream.write_all(&out)).await??;
        }
    }
}
