//! Bodies between asynchronous connections and blocking engine calls: bounded pipes both ways.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Frame, Incoming};
use serde::Serialize;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use volt_api::Problem;
use volt_api::problem::MEDIA_TYPE;
use volt_model::kind::ErrorKind;

/// The body of every answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The largest JSON body of a request, in bytes: a stack comes with its secrets and files.
pub(crate) const MAX_JSON: usize = 8 << 20;
/// How long a JSON body may take to arrive.
const JSON_TIME: Duration = Duration::from_secs(30);
/// How long an upload may stand still.
const UPLOAD_PAUSE: Duration = Duration::from_secs(120);
/// For how long the rest of an unwanted body is taken, so that its sender gets to read the answer.
const DISCARD_TIME: Duration = Duration::from_secs(5);
/// How many pieces of an upload wait to be read.
const UPLOAD_DEPTH: usize = 16;
/// The size of the pieces of a download, and how much of an answer is written at once, in bytes.
const PIECE: usize = 64 * 1024;

/// An answer of JSON.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => whole(StatusCode::OK, "application/json", bytes),
        Err(error) => failed(
            &Problem::new(ErrorKind::General, "The answer can't be put together").because(&error),
        ),
    }
}

/// An answer that says why not.
pub(crate) fn failed(problem: &Problem) -> Response<Body> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    whole(status, MEDIA_TYPE, serde_json::to_vec(problem).unwrap_or_default())
}

fn whole(status: StatusCode, media_type: &'static str, bytes: Vec<u8>) -> Response<Body> {
    let body = Full::new(Bytes::from(bytes)).map_err(|never| match never {});
    with_type(status, media_type, body.boxed_unsync())
}

/// An answer with this body.
pub(crate) fn with_type(
    status: StatusCode,
    media_type: &'static str,
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A JSON body of a request; an empty one counts as `{}`.
pub(crate) async fn read_json<T: serde::de::DeserializeOwned>(
    body: &mut Incoming,
) -> Result<T, Problem> {
    let wrong = |title: &str| Problem::new(ErrorKind::Usage, title);
    let collected = Limited::new(body, MAX_JSON).collect();
    let bytes = match tokio::time::timeout(JSON_TIME, collected).await {
        Err(_) => {
            let mut problem = wrong("The request's body did not arrive in time");
            problem.status = StatusCode::REQUEST_TIMEOUT.as_u16();
            return Err(problem);
        }
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let mut problem = wrong("The request's body is longer than 8 MiB");
            problem.status = StatusCode::PAYLOAD_TOO_LARGE.as_u16();
            return Err(problem);
        }
        Ok(Err(error)) => return Err(wrong("The request's body broke off").because(&*error)),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    parse_json(if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes })
}

/// JSON as a type; the problem names the field.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let path = error.path().to_string();
        let wrong = Problem::new(ErrorKind::Usage, "The request's body is wrong");
        let mut problem = wrong.because(error.inner());
        if path != "." {
            problem.causes[0] = format!("`{path}`: {}", problem.causes[0]);
        }
        problem
    })?;
    from.end().map_err(|error| {
        Problem::new(ErrorKind::Usage, "The request's body is wrong").because(&error)
    })?;
    Ok(parsed)
}

/// Takes the rest of a body that nobody wants: a sender that is cut off may never read the answer.
pub(crate) async fn discard(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    drop(tokio::time::timeout(DISCARD_TIME, rest).await);
}

/// What a blocking thread sends to the body of its answer.
#[derive(Debug)]
pub(crate) enum Part {
    /// Bytes.
    Data(Bytes),
    /// Why there are no more.
    Problem(Box<Problem>),
}

/// How a problem is told once the answer has begun: as a last line, or by breaking off.
pub(crate) type TellProblem = fn(&Problem) -> io::Result<Bytes>;

/// The blocking end of an answer's body.
#[derive(Debug)]
pub(crate) struct Outlet {
    sender: mpsc::Sender<Part>,
}

/// The asynchronous end of it.
pub(crate) type Inlet = mpsc::Receiver<Part>;

/// A pipe for an answer's body that holds this many parts.
pub(crate) fn pipe(depth: usize) -> (Outlet, Inlet) {
    let (sender, receiver) = mpsc::channel(depth);
    (Outlet { sender }, receiver)
}

impl Outlet {
    /// Waits for room; false when the reader is gone.
    pub(crate) fn send(&self, part: Part) -> bool {
        self.sender.blocking_send(part).is_ok()
    }

    /// Sends unless half of the pipe is full already: for what may be left out.
    pub(crate) fn offer(&self, bytes: Bytes) {
        if self.sender.capacity() > self.sender.max_capacity() / 2 {
            drop(self.sender.try_send(Part::Data(bytes)));
        }
    }

    /// Sends a value as a line of JSON; false when the reader is gone.
    pub(crate) fn line(&self, value: &impl Serialize) -> bool {
        self.send(Part::Data(json_line(value)))
    }
}

/// A value as a line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    Bytes::from(line)
}

/// The body of an answer that a blocking thread fills.
pub(crate) struct PipeBody {
    first: Option<Part>,
    rest: Inlet,
    tell: TellProblem,
    /// When this comes, the body ends where it is.
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
    /// Tells the blocking thread that nobody reads any more.
    _gone: DropGuard,
}

impl PipeBody {
    /// A body of `first` and what else comes; `gone` is cancelled when the connection lets go of it.
    pub(crate) fn new(
        first: Option<Part>,
        rest: Inlet,
        tell: TellProblem,
        gone: &CancellationToken,
    ) -> Self {
        Self { first, rest, tell, stop: None, ended: false, _gone: gone.clone().drop_guard() }
    }

    /// The same, ending when `stop` is cancelled.
    pub(crate) fn until(mut self, stop: CancellationToken) -> Self {
        self.stop = Some(Box::pin(stop.cancelled_owned()));
        self
    }
}

impl PipeBody {
    /// Adds what else is there already: many short lines become few writes.
    fn with_more(&mut self, bytes: Bytes) -> Bytes {
        if bytes.len() >= PIECE / 2 || self.rest.is_empty() {
            return bytes;
        }
        let mut all = Vec::from(bytes);
        while all.len() < PIECE / 2 {
            match self.rest.try_recv() {
                Ok(Part::Data(more)) => all.extend_from_slice(&more),
                Ok(problem @ Part::Problem(_)) => {
                    self.first = Some(problem);
                    break;
                }
                Err(_) => break,
            }
        }
        Bytes::from(all)
    }
}

impl HttpBody for PipeBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.rest.poll_recv(cx),
        };
        match next {
            Poll::Ready(Some(Part::Data(bytes))) => {
                Poll::Ready(Some(Ok(Frame::data(self.with_more(bytes)))))
            }
            Poll::Ready(Some(Part::Problem(problem))) => {
                self.ended = true;
                Poll::Ready(Some((self.tell)(&problem).map(Frame::data)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.stop.as_mut().map(|stop| stop.as_mut().poll(cx)) {
                // Not an end like another: who listens must know that there would have been more.
                Some(Poll::Ready(())) => {
                    self.ended = true;
                    let problem = Problem::new(ErrorKind::Daemon, "The Volt daemon is stopping");
                    // Events have no form for that, and their end is news enough.
                    Poll::Ready((self.tell)(&problem).ok().map(|bytes| Ok(Frame::data(bytes))))
                }
                _ => Poll::Pending,
            },
        }
    }
}

/// Writes a download into the answer's body, in pieces.
#[derive(Debug)]
pub(crate) struct PipeWriter<'a> {
    to: &'a Outlet,
    buffer: Vec<u8>,
}

impl<'a> PipeWriter<'a> {
    /// A writer into `to`.
    pub(crate) fn new(to: &'a Outlet) -> Self {
        Self { to, buffer: Vec::with_capacity(PIECE) }
    }
}

impl Write for PipeWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(PIECE - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..n]);
        if self.buffer.len() == PIECE {
            self.flush()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        if self.to.send(Part::Data(Bytes::from(full))) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

/// Reads an upload as a blocking stream. One that broke off is an error, never an end.
#[derive(Debug)]
pub struct Upload {
    from: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// A blocking reader of `body`, and the task that fills it.
pub(crate) fn upload(body: Incoming) -> (Upload, impl Future<Output = ()> + Send) {
    let (sender, from) = mpsc::channel(UPLOAD_DEPTH);
    (Upload { from, current: Bytes::new() }, fill(body, sender))
}

async fn fill(mut body: Incoming, to: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let item = match tokio::time::timeout(UPLOAD_PAUSE, body.frame()).await {
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the upload stands still")),
            Ok(None) => return,
            Ok(Some(Err(error))) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(data),
                Err(_trailers) => continue,
            },
        };
        let last = item.is_err();
        let wanted = to.send(item).await.is_ok();
        if last {
            return;
        }
        if !wanted {
            return discard(body).await;
        }
    }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.from.blocking_recv() {
                None => return Ok(0),
                Some(next) => self.current = next?,
            }
        }
        let n = buffer.len().min(self.current.len());
        buffer[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}
