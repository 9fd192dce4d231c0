//! `volt-stream` over HTTP: the connection of an attach or exec becomes a pipe of frames to the workload's own socket.

use super::body::{Body, failed};
use super::job::Job;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{self, Cursor};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream as Connection;
use tokio_util::sync::CancellationToken;
use volt_api::Problem;
use volt_api::stream::PROTOCOL;
use volt_model::frame::{Frame, HEADER};
use volt_model::kind::ErrorKind;

/// How much is copied at once, in bytes.
const COPY: usize = 16 * 1024;
/// How often is looked whether a client that has ended its input is still there.
const LOOK: Duration = Duration::from_millis(200);
/// The types of the frames after which nothing comes: exit and error.
const LAST_FRAMES: [u8; 2] = [5, 6];

/// The answer to a request that did not ask for an upgrade.
pub(super) fn required() -> Response<Body> {
    let mut problem = Problem::new(ErrorKind::Usage, "This operation needs an upgraded connection")
        .hinted(format!("Send the headers `Connection: upgrade` and `Upgrade: {PROTOCOL}`"));
    problem.status = StatusCode::UPGRADE_REQUIRED.as_u16();
    let mut response = failed(&problem);
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    response
}

/// Answers with the switch and copies between both ends from then on; the operation runs until that is over.
pub(super) fn accept<S: Send + Sync + 'static>(
    job: Job<S>,
    upgrade: OnUpgrade,
    socket: UnixStream,
) -> Response<Body> {
    let prepared = socket.set_nonblocking(true).and_then(|()| Connection::from_std(socket));
    let socket = match prepared {
        Ok(socket) => socket,
        Err(error) => {
            let title = "The workload's stream can't be served";
            return failed(&Problem::new(ErrorKind::General, title).because(&error));
        }
    };
    // The guard of the handler's part is gone; until the server goes, the stream lives as long as its ends do.
    let stop = job.cx.shared.streams.clone();
    tokio::spawn(async move {
        let outcome = match upgrade.await.map(Upgraded::downcast::<TokioIo<Connection>>) {
            Ok(Ok(client)) => {
                let connection = client.io.into_inner();
                let gone = connection.as_fd().try_clone_to_owned();
                let (read, write) = connection.into_split();
                let read = Cursor::new(client.read_buf).chain(read);
                copy(read, write, socket, &stop, gone.ok()).await
            }
            // Inside the command itself; with it all of this goes.
            Ok(Err(client)) => {
                let (read, write) = tokio::io::split(TokioIo::new(client));
                copy(read, write, socket, &stop, None).await
            }
            Err(error) => Err(io::Error::other(error)),
        };
        if let Err(error) = outcome {
            tracing::debug!(parent: &job.span, %error, "the stream broke");
        }
        drop(job);
    });
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    response
}

/// Returns when the other end of a connection, which has ended its input, is closed. Nothing tells of that: it is looked at.
async fn closed(connection: Option<OwnedFd>) {
    let Some(connection) = connection else { return std::future::pending().await };
    loop {
        let mut asked = [PollFd::new(&connection, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let answered = rustix::event::poll(&mut asked, Some(&at_once));
        if answered.is_ok() && asked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Copies until the workload's last frame or end, the client is gone, or `stop`. The client's end of input is passed on
/// and ends nothing.
async fn copy(
    mut from_client: impl AsyncRead + Unpin,
    mut to_client: impl AsyncWrite + Unpin,
    workload: Connection,
    stop: &CancellationToken,
    connection: Option<OwnedFd>,
) -> io::Result<()> {
    let (mut from_workload, mut to_workload) = workload.into_split();
    let mut frames = FrameWatch::default();
    let up = async {
        let copied = tokio::io::copy(&mut from_client, &mut to_workload).await;
        drop(to_workload.shutdown().await);
        if let Err(error) = copied {
            tracing::debug!(%error, "the client's input broke off");
        }
        closed(connection).await;
    };
    let down = async {
        let mut buffer = vec![0; COPY];
        loop {
            let n = from_workload.read(&mut buffer).await?;
            if n == 0 {
                return Ok(());
            }
            to_client.write_all(&buffer[..n]).await?;
            to_client.flush().await?;
            if frames.ended(&buffer[..n]) {
                return Ok(());
            }
        }
    };
    let outcome = tokio::select! {
        done = down => done,
        () = stop.cancelled() => Ok(()),
        () = up => Ok(()),
    };
    if stop.is_cancelled() && frames.between() {
        let problem = Problem::new(ErrorKind::Daemon, "The Volt daemon is stopping");
        let text = serde_json::to_string(&problem).unwrap_or_default();
        to_client.write_all(&Frame::Error(text).encode()).await?;
    }
    to_client.shutdown().await?;
    outcome
}

/// Follows the frames that pass without keeping them.
#[derive(Debug, Default)]
struct FrameWatch {
    header: [u8; HEADER],
    have: usize,
    left: usize,
    over: bool,
}

impl FrameWatch {
    /// Whether the last frame of the stream has passed with these bytes.
    fn ended(&mut self, mut bytes: &[u8]) -> bool {
        while !self.over && (!bytes.is_empty() || self.is_whole()) {
            if self.have < HEADER {
                let n = bytes.len().min(HEADER - self.have);
                self.header[self.have..self.have + n].copy_from_slice(&bytes[..n]);
                self.have += n;
                bytes = &bytes[n..];
                if self.have == HEADER {
                    let [_, a, b, c, d] = self.header;
                    self.left = u32::from_be_bytes([a, b, c, d]).try_into().unwrap_or(usize::MAX);
                }
            }
            let n = bytes.len().min(self.left);
            self.left -= n;
            bytes = &bytes[n..];
            if self.is_whole() {
                self.over = LAST_FRAMES.contains(&self.header[0]);
                self.have = 0;
            }
        }
        self.over
    }

    fn is_whole(&self) -> bool {
        self.have == HEADER && self.left == 0
    }

    /// Whether it stands between two frames and more may come.
    fn between(&self) -> bool {
        !self.over && self.have == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frame_is_seen_however_the_bytes_are_split() {
        let mut bytes = Frame::Stdout(vec![5; 1000]).encode();
        bytes.extend(Frame::Stderr(b"x".to_vec()).encode());
        let exit = Frame::Exit(0).encode();
        for step in 1..20 {
            let mut watch = FrameWatch::default();
            for piece in bytes.chunks(step) {
                assert!(!watch.ended(piece), "step {step}");
            }
            assert!(watch.between());
            let (last, rest) = exit.split_last().unwrap();
            assert!(!watch.ended(rest) && !watch.between());
            assert!(watch.ended(&[*last]) && !watch.between());
        }
    }
}
