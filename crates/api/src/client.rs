//! The typed client: one method for each shape of operation, one connection for each call.
//!
//! Where the connection leads is not known here: a socket of the host, a TCP address, or the server inside this very
//! process behind an in-memory pipe.

use crate::operations::{Operation, OperationInfo};
use crate::problem::Problem;
use crate::stream::PROTOCOL;
use crate::types::{Line, Progress};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Frame as BodyFrame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use volt_model::kind::ErrorKind;
use volt_model::percent;

/// The longest plain answer that is taken, in bytes.
const MAX_REPLY: usize = 256 << 20;
/// The longest line of a streamed answer, in bytes.
const MAX_LINE: usize = 16 << 20;

/// A connection, whatever it is made of.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

/// A boxed future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Makes a connection to the server.
pub type Connector = Arc<dyn Fn() -> BoxFuture<io::Result<Box<dyn Connection>>> + Send + Sync>;
/// The body of an upload.
pub type UploadBody = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

type RequestBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// Speaks the API over connections that a [`Connector`] makes.
#[derive(Clone)]
pub struct Client {
    connect: Connector,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client over what `connect` makes.
    #[must_use]
    pub fn new(connect: Connector) -> Self {
        Self { connect }
    }

    /// Asks for an operation of shape `Plain`.
    ///
    /// # Errors
    /// The problem that the server answered with, or one of kind `daemon` when it can't be reached.
    pub async fn call<O: Operation>(
        &self,
        params: &O::Params,
        body: &O::Body,
    ) -> Result<O::Reply, Problem> {
        let answer = self.send(&O::INFO, params, json_body(&O::INFO, body)?).await?;
        read_json(answer).await
    }

    /// Asks for an operation of shape `Progress`; `on` sees every line but the last.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn progress<O: Operation>(
        &self,
        params: &O::Params,
        body: &O::Body,
        on: impl FnMut(Progress<O::Reply>) + Send,
    ) -> Result<O::Reply, Problem> {
        let answer = self.send(&O::INFO, params, json_body(&O::INFO, body)?).await?;
        last_of_progress(answer, on).await
    }

    /// Asks for an operation of shape `UploadProgress`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn upload_progress<O: Operation>(
        &self,
        params: &O::Params,
        body: UploadBody,
        on: impl FnMut(Progress<O::Reply>) + Send,
    ) -> Result<O::Reply, Problem> {
        let (body, unread) = upload_body(body);
        let done = async { last_of_progress(self.send(&O::INFO, params, body).await?, on).await };
        unread.reason_or(done.await)
    }

    /// Asks for an operation of shape `Upload`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn upload<O: Operation>(
        &self,
        params: &O::Params,
        body: UploadBody,
    ) -> Result<O::Reply, Problem> {
        let (body, unread) = upload_body(body);
        let done = async { read_json(self.send(&O::INFO, params, body).await?).await };
        unread.reason_or(done.await)
    }

    /// Asks for an operation of shape `Lines`; `on` sees every item, and ends it by answering `false`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn lines<O: Operation>(
        &self,
        params: &O::Params,
        mut on: impl FnMut(O::Reply) -> bool + Send,
    ) -> Result<(), Problem> {
        let answer = self.send(&O::INFO, params, empty()).await?;
        let mut lines = JsonLines::new(answer);
        while let Some(line) = lines.next::<Line<O::Reply>>().await? {
            match line {
                Line::Item(item) => {
                    if !on(item) {
                        break;
                    }
                }
                Line::Problem(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// Asks for an operation of shape `Events`; `on` sees every event, and ends it by answering `false`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn events<O: Operation>(
        &self,
        params: &O::Params,
        mut on: impl FnMut(O::Reply) -> bool + Send,
    ) -> Result<(), Problem> {
        let answer = self.send(&O::INFO, params, empty()).await?;
        let mut lines = JsonLines::new(answer);
        while let Some(line) = lines.next_text().await? {
            let Some(data) = line.strip_prefix("data:") else { continue };
            let event = serde_json::from_str(data.trim()).map_err(|e| garbled(&e))?;
            if !on(event) {
                break;
            }
        }
        Ok(())
    }

    /// Asks for an operation of shape `Download`; `on` gets the bytes as they come.
    ///
    /// # Errors
    /// As [`Client::call`], and when `on` fails.
    pub async fn download<O: Operation>(
        &self,
        params: &O::Params,
        mut on: impl FnMut(Bytes) -> io::Result<()> + Send,
    ) -> Result<(), Problem> {
        let answer = self.send(&O::INFO, params, empty()).await?;
        let mut body = BodyStream::new(answer.into_body());
        while let Some(frame) = body.next().await {
            let frame = frame.map_err(|e| broken(&e))?;
            if let Ok(data) = frame.into_data() {
                on(data).map_err(|e| {
                    Problem::new(ErrorKind::General, "The data can't be written").because(&e)
                })?;
            }
        }
        Ok(())
    }

    /// Asks for an operation of shape `Stream` and returns the connection, which now carries frames.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn stream<O: Operation>(
        &self,
        params: &O::Params,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<O>, Problem> {
        let answer = self.send(&O::INFO, params, empty()).await?;
        let upgraded = hyper::upgrade::on(answer).await.map_err(|e| broken(&e))?;
        Ok(TokioIo::new(upgraded))
    }

    async fn send<P: Serialize>(
        &self,
        operation: &OperationInfo,
        params: &P,
        body: RequestBody,
    ) -> Result<Response<Incoming>, Problem> {
        let upgrade = operation.shape == crate::Shape::Stream;
        let mut request = Request::builder()
            .method(operation.method)
            .uri(uri(operation, params)?)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json");
        if upgrade {
            request =
                request.header(header::CONNECTION, "upgrade").header(header::UPGRADE, PROTOCOL);
        }
        let request = request.body(body).map_err(|e| internal(&e))?;
        let connection = (self.connect)().await.map_err(|e| unreachable(&e))?;
        let (mut sender, driver) =
            http1::handshake(TokioIo::new(connection)).await.map_err(|e| broken(&e))?;
        // The connection ends with the answer's body; its own errors surface there.
        tokio::spawn(async move { drop(driver.with_upgrades().await) });
        let answer = sender.send_request(request).await.map_err(|e| broken(&e))?;
        match answer.status() {
            StatusCode::SWITCHING_PROTOCOLS => Ok(answer),
            status if status.is_success() && !upgrade => Ok(answer),
            _ => Err(read_problem(answer).await),
        }
    }
}

/// The operation's path with the parameters filled in, and the rest of them as its query.
fn uri<P: Serialize>(operation: &OperationInfo, params: &P) -> Result<String, Problem> {
    let mut path = operation.path.to_owned();
    let mut query = String::new();
    let values = serde_json::to_value(params).map_err(|e| internal(&e))?;
    let mut add = |name: &str, text: &str| {
        let separator = if query.is_empty() { '?' } else { '&' };
        query.push_str(&format!("{separator}{name}={}", percent::encode(text)));
    };
    for (name, value) in values.as_object().into_iter().flatten() {
        let text = match value {
            serde_json::Value::Null | serde_json::Value::Bool(false) => continue,
            serde_json::Value::Array(list) => {
                list.iter().for_each(|one| add(name, &text_of(one)));
                continue;
            }
            other => text_of(other),
        };
        let placeholder = format!("{{{name}}}");
        if path.contains(&placeholder) {
            path = path.replace(&placeholder, &percent::encode(&text));
        } else if !text.is_empty() {
            add(name, &text);
        }
    }
    Ok(path + &query)
}

fn text_of(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn empty() -> RequestBody {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed()
}

fn json_body<B: Serialize>(operation: &OperationInfo, body: &B) -> Result<RequestBody, Problem> {
    if matches!(operation.method, "GET" | "DELETE") {
        return Ok(empty());
    }
    let bytes = serde_json::to_vec(body).map_err(|e| internal(&e))?;
    Ok(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed())
}

fn upload_body(body: UploadBody) -> (RequestBody, Unread) {
    let unread = Unread::default();
    let noted = unread.clone();
    let frames = sync_wrapper::SyncStream::new(body).map(move |part| match part {
        Ok(bytes) => Ok(BodyFrame::data(bytes)),
        Err(error) => {
            let kind = error.kind();
            drop(noted.0.set(error));
            Err(kind.into())
        }
    });
    // BoxBody wants Sync; a stream is only ever polled from one place.
    (BodyExt::boxed(StreamBody::new(frames)), unread)
}

/// Why what was to be sent could not be read on this side. The connection breaks by it, and would be all that is told.
#[derive(Clone, Default)]
struct Unread(Arc<OnceLock<io::Error>>);

impl Unread {
    fn reason_or<T>(self, done: Result<T, Problem>) -> Result<T, Problem> {
        let (Err(_), Some(error)) = (&done, self.0.get()) else { return done };
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Permission,
            _ => ErrorKind::General,
        };
        Err(Problem::new(kind, "What was to be sent can't be read").because(error))
    }
}

async fn read_json<T: DeserializeOwned>(answer: Response<Incoming>) -> Result<T, Problem> {
    let limited = http_body_util::Limited::new(answer.into_body(), MAX_REPLY);
    let bytes = limited.collect().await.map_err(|e| broken(&*e))?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|e| garbled(&e))
}

async fn read_problem(answer: Response<Incoming>) -> Problem {
    let status = answer.status();
    match read_json::<Problem>(answer).await {
        Ok(problem) => problem,
        Err(_) => {
            Problem::new(ErrorKind::Network, format!("The server answered {status} and no reason"))
        }
    }
}

async fn last_of_progress<T: DeserializeOwned>(
    answer: Response<Incoming>,
    mut on: impl FnMut(Progress<T>) + Send,
) -> Result<T, Problem> {
    let mut lines = JsonLines::new(answer);
    while let Some(line) = lines.next::<Progress<T>>().await? {
        match line {
            Progress::Done(done) => return Ok(done),
            Progress::Problem(problem) => return Err(problem),
            other => on(other),
        }
    }
    Err(Problem::new(ErrorKind::Daemon, "The server broke off before it was done").hinted(
        "What was begun is finished or undone by the next command; see `volt system check`",
    ))
}

/// Splits a streamed answer into its lines.
struct JsonLines {
    body: BodyStream<Incoming>,
    buffer: Vec<u8>,
}

impl JsonLines {
    fn new(answer: Response<Incoming>) -> Self {
        Self { body: BodyStream::new(answer.into_body()), buffer: Vec::new() }
    }

    async fn next_text(&mut self) -> Result<Option<String>, Problem> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(Problem::new(
                    ErrorKind::Network,
                    "The server sent a line that is too long",
                ));
            }
            match self.body.next().await {
                None => return Ok(None),
                Some(Err(e)) => return Err(broken(&e)),
                Some(Ok(frame)) => self.buffer.extend(frame.into_data().unwrap_or_default()),
            }
        }
    }

    async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Problem> {
        while let Some(line) = self.next_text().await? {
            if !line.is_empty() {
                return serde_json::from_str(&line).map(Some).map_err(|e| garbled(&e));
            }
        }
        Ok(None)
    }
}

fn unreachable(error: &io::Error) -> Problem {
    Problem::new(ErrorKind::Daemon, "The Volt daemon can't be reached").because(error)
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    Problem::new(ErrorKind::Daemon, "The connection to the Volt daemon broke").because(error)
}

fn garbled(error: &serde_json::Error) -> Problem {
    Problem::new(ErrorKind::Network, "The server's answer can't be read")
        .because(error)
        .hinted("Client and server may differ in version: compare `volt version`")
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
    Problem::new(ErrorKind::General, "The request can't be put together").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::{ContainerStopOp, ImageBuildOp, ImageInspectOp};
    use crate::types::{ContainerStop, ImageBuild, ImageName};

    #[test]
    fn parameters_fill_path_and_query() {
        let stop = ContainerStop { name: "web".into(), timeout: Some(5) };
        let text = uri(&ContainerStopOp::INFO, &stop).unwrap();
        assert_eq!(text, "/api/v1/containers/web/stop?timeout=5");
        let image = ImageName { image: "registry.example/a b:1".into() };
        let text = uri(&ImageInspectOp::INFO, &image).unwrap();
        assert_eq!(text, "/api/v1/images/inspect?image=registry.example%2Fa%20b%3A1");
        let env = vec!["A=1".into(), String::new()];
        let build = ImageBuild { image: "a".into(), env, ..ImageBuild::default() };
        let text = uri(&ImageBuildOp::INFO, &build).unwrap();
        assert_eq!(text, "/api/v1/images/build?image=a&env=A%3D1&env=");
    }
}
