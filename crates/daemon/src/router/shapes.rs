//! One way of registering for each shape of operation: how its request and answer travel around a blocking handler.

use super::body::{
    self, Body, Inlet, Outlet, Part, PipeBody, PipeWriter, TellProblem, Upload, discard, failed,
    json, json_line, pipe,
};
use super::job::{Cx, Failure, Job};
use super::{BoxFuture, Call, Routes, upgrade};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use volt_api::types::{Line, Nothing, Progress};
use volt_api::{Operation, Problem, Shape};
use volt_model::kind::ErrorKind;

/// How long an answer that trickles waits for its first part: a failure until then gets its own HTTP status.
const PATIENCE: Duration = Duration::from_millis(200);
/// How many lines wait to be written.
const LINES: usize = 256;
/// How many pieces of a download wait to be written.
const PIECES: usize = 8;
/// The least time between two reports of bytes.
const BYTES_PAUSE: Duration = Duration::from_millis(50);

const NDJSON: &str = "application/x-ndjson";

/// Takes a handler's reports of progress to the caller and to SIGUSR1.
#[derive(Debug)]
pub struct Reporter<'a> {
    to: &'a Outlet,
    running: &'a crate::activity::Running,
    cancel: &'a CancellationToken,
    began: Instant,
    /// Milliseconds from `began` to the last report of bytes.
    last: AtomicU64,
}

impl<'a> Reporter<'a> {
    fn new<S>(to: &'a Outlet, cx: &'a Cx<S>) -> Self {
        Self {
            to,
            running: &cx.running,
            cancel: &cx.cancel,
            began: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Cancelled when nobody waits for the answer any more.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        self.cancel
    }

    /// A step begins; one sentence.
    pub fn step(&self, text: &str) {
        self.running.doing(text);
        self.to.offer(json_line(&Progress::<Nothing>::Step(text.to_owned())));
    }

    /// Something worth telling that stops nothing.
    pub fn warning(&self, text: &str) {
        self.to.offer(json_line(&Progress::<Nothing>::Warning(text.to_owned())));
    }

    /// How far the step is, in bytes. Told only so often.
    pub fn bytes(&self, done: u64, total: Option<u64>) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last.load(Ordering::Relaxed);
        let pause = u64::try_from(BYTES_PAUSE.as_millis()).unwrap_or(u64::MAX);
        if total != Some(done) && now.saturating_sub(last) < pause {
            return;
        }
        self.last.store(now, Ordering::Relaxed);
        self.to.offer(json_line(&Progress::<Nothing>::Bytes { done, total }));
    }
}

/// A request that passed privilege, parameters and body, with a trail that can be written.
struct Admitted<S, O: Operation> {
    job: Job<S>,
    params: O::Params,
    body: O::Body,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
    /// The body of an upload.
    rest: Incoming,
}

/// What answers a request that was let in, with its handler.
type Answer<S, O, H> = fn(Admitted<S, O>, Arc<H>) -> BoxFuture<Response<Body>>;

/// Lets a request in, or answers why not.
async fn admit<S, O>(call: Call<S>) -> Result<Admitted<S, O>, Response<Body>>
where
    S: Send + Sync + 'static,
    O: Operation,
{
    let Call { info, pairs, mut job, body: mut rest, upgrade } = call;
    let read = async {
        let allowed = job.cx.shared.access.check(&job.cx.peer, info.privilege);
        allowed.map_err(Failure::refused)?;
        let params = pairs.and_then(|p| p.read::<O::Params>()).map_err(Failure::of_request)?;
        let takes_json = matches!(info.shape, Shape::Plain | Shape::Progress)
            && !matches!(info.method, "GET" | "DELETE");
        let body: O::Body = if takes_json {
            body::read_json(&mut rest).await.map_err(Failure::of_request)?
        } else {
            body::parse_json(b"{}").map_err(Failure::of_request)?
        };
        if info.changes {
            job.resource.or_from(&body);
            job.cx.running.resource(job.resource.named.as_deref().unwrap_or_default());
        }
        Ok((params, body))
    };
    let checked = match read.await {
        // The trail lies on a disk, which may be slow.
        Ok(read) => {
            blocking(move || (job.trail_ready(), job)).await.map(|(r, j)| (r.map(|()| read), j))
        }
        Err(failure) => Ok((Err(failure), job)),
    };
    match checked {
        Ok((Ok((params, body)), job)) => Ok(Admitted { job, params, body, upgrade, rest }),
        Ok((Err(failure), job)) => {
            tokio::spawn(discard(rest));
            let told = blocking(move || job.conclude::<Nothing>(Err(failure))).await;
            let problem = told.and_then(|concluded| concluded).err().unwrap_or_else(going);
            Err(failed(&problem))
        }
        Err(problem) => Err(failed(&problem)),
    }
}

/// Runs `work` on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| going())
}

/// The same, while somebody waits for it and the server stays.
async fn attended<T: Send + 'static>(
    cancel: CancellationToken,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let _gone = cancel.clone().drop_guard();
    tokio::select! {
        biased;
        done = blocking(work) => match done? {
            // The work saw the end first: the server's, for a caller who had gone would not be here.
            Err(_) if cancel.is_cancelled() => Err(going()),
            done => done,
        },
        () = cancel.cancelled() => Err(going()),
    }
}

fn going() -> Problem {
    let mut problem = Problem::new(ErrorKind::Daemon, "The Volt daemon is stopping")
        .hinted("Ask again: the next request starts it");
    problem.status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
    problem
}

fn told(outcome: Result<impl serde::Serialize, Problem>) -> Response<Body> {
    match outcome {
        Ok(reply) => json(&reply),
        Err(problem) => failed(&problem),
    }
}

/// How an answer that comes in parts is sent.
struct Streamed {
    media_type: &'static str,
    tell: TellProblem,
    /// How long to wait for the first part; none: as long as it takes.
    patience: Option<Duration>,
    /// Whether it ends when the server goes.
    endless: bool,
}

impl Streamed {
    async fn answer(self, mut inlet: Inlet, cancel: CancellationToken) -> Response<Body> {
        let waiting = cancel.clone().drop_guard();
        let first = match self.patience {
            None => inlet.recv().await,
            Some(time) => tokio::time::timeout(time, inlet.recv()).await.unwrap_or_default(),
        };
        if let Some(Part::Problem(problem)) = first {
            return failed(&problem);
        }
        let mut body = PipeBody::new(first, inlet, self.tell, &cancel);
        if self.endless {
            body = body.until(cancel);
        }
        waiting.disarm();
        body::with_type(StatusCode::OK, self.media_type, body.boxed_unsync())
    }
}

fn tell_as_progress(problem: &Problem) -> io::Result<Bytes> {
    Ok(json_line(&Progress::<Nothing>::Problem(problem.clone())))
}

fn tell_as_line(problem: &Problem) -> io::Result<Bytes> {
    Ok(json_line(&Line::<Nothing>::Problem(problem.clone())))
}

fn break_off(problem: &Problem) -> io::Result<Bytes> {
    Err(io::Error::other(problem.clone()))
}

/// The form of answers that are lines of progress.
const PROGRESS: Streamed = Streamed {
    media_type: NDJSON,
    tell: tell_as_progress,
    patience: Some(PATIENCE),
    endless: false,
};

fn finish_progress<R: serde::Serialize>(outlet: &Outlet, outcome: Result<R, Problem>) {
    match outcome {
        Ok(reply) => drop(outlet.line(&Progress::Done(reply))),
        Err(problem) => drop(outlet.send(Part::Problem(Box::new(problem)))),
    }
}

fn finish(outlet: &Outlet, outcome: Result<(), Problem>) {
    if let Err(problem) = outcome {
        outlet.send(Part::Problem(Box::new(problem)));
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// Registers the handler of `O`: JSON in, JSON out.
    #[must_use]
    pub fn plain<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params, O::Body) -> Result<O::Reply, Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::Plain, handler, |admitted, handler| {
            Box::pin(async move {
                let Admitted { job, params, body, .. } = admitted;
                let cancel = job.cx.cancel.clone();
                told(attended(cancel, move || job.run(|cx| handler(cx, params, body))).await)
            })
        })
    }

    /// Registers the handler of `O`: JSON in, lines of progress out.
    #[must_use]
    pub fn progress<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params, O::Body, &Reporter<'_>) -> Result<O::Reply, Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::Progress, handler, |admitted, handler| {
            let Admitted { job, params, body, .. } = admitted;
            let (outlet, inlet) = pipe(LINES);
            let cancel = job.cx.cancel.clone();
            tokio::task::spawn_blocking(move || {
                let work = |cx: &Cx<S>| handler(cx, params, body, &Reporter::new(&outlet, cx));
                finish_progress(&outlet, job.run(work));
            });
            Box::pin(PROGRESS.answer(inlet, cancel))
        })
    }

    /// Registers the handler of `O`: bytes in, lines of progress out.
    #[must_use]
    pub fn upload_progress<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params, Upload, &Reporter<'_>) -> Result<O::Reply, Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::UploadProgress, handler, |admitted, handler| {
            let Admitted { job, params, rest, .. } = admitted;
            let (reader, fill) = body::upload(rest);
            tokio::spawn(fill);
            let (outlet, inlet) = pipe(LINES);
            let cancel = job.cx.cancel.clone();
            tokio::task::spawn_blocking(move || {
                let outcome =
                    job.run(|cx| handler(cx, params, reader, &Reporter::new(&outlet, cx)));
                finish_progress(&outlet, outcome);
            });
            Box::pin(PROGRESS.answer(inlet, cancel))
        })
    }

    /// Registers the handler of `O`: bytes in, JSON out.
    #[must_use]
    pub fn upload<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params, Upload) -> Result<O::Reply, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::Upload, handler, |admitted, handler| {
            Box::pin(async move {
                let Admitted { job, params, rest, .. } = admitted;
                let (reader, fill) = body::upload(rest);
                tokio::spawn(fill);
                let cancel = job.cx.cancel.clone();
                let work = move || job.run(|cx| handler(cx, params, reader));
                told(attended(cancel, work).await)
            })
        })
    }

    /// Registers the handler of `O`: an answer of items, perhaps without an end. The handler calls its last argument
    /// with each, and ends when that answers `false`.
    #[must_use]
    pub fn lines<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params, &mut dyn FnMut(O::Reply) -> bool) -> Result<(), Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::Lines, handler, |admitted, handler| {
            let Admitted { job, params, .. } = admitted;
            let (outlet, inlet) = pipe(LINES);
            let cancel = job.cx.cancel.clone();
            tokio::task::spawn_blocking(move || {
                let work = |cx: &Cx<S>| {
                    handler(cx, params, &mut |item| {
                        !cx.cancel.is_cancelled() && outlet.line(&Line::Item(item))
                    })
                };
                finish(&outlet, job.run(work));
            });
            let how = Streamed {
                media_type: NDJSON,
                tell: tell_as_line,
                patience: Some(PATIENCE),
                endless: true,
            };
            Box::pin(how.answer(inlet, cancel))
        })
    }

    /// Registers the handler of `O`: server-sent events, as [`Routes::lines`].
    #[must_use]
    pub fn events<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params, &mut dyn FnMut(O::Reply) -> bool) -> Result<(), Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::Events, handler, |admitted, handler| {
            let Admitted { job, params, .. } = admitted;
            let (outlet, inlet) = pipe(LINES);
            let cancel = job.cx.cancel.clone();
            tokio::task::spawn_blocking(move || {
                let work = |cx: &Cx<S>| {
                    handler(cx, params, &mut |event| {
                        !cx.cancel.is_cancelled() && outlet.send(Part::Data(sse(&event)))
                    })
                };
                finish(&outlet, job.run(work));
            });
            let how = Streamed {
                media_type: "text/event-stream",
                tell: break_off,
                patience: Some(PATIENCE),
                endless: true,
            };
            Box::pin(how.answer(inlet, cancel))
        })
    }

    /// Registers the handler of `O`: bytes out. An error after the first of them breaks the answer off.
    #[must_use]
    pub fn download<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params, &mut dyn Write) -> Result<(), Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::Download, handler, |admitted, handler| {
            let Admitted { job, params, .. } = admitted;
            let (outlet, inlet) = pipe(PIECES);
            let cancel = job.cx.cancel.clone();
            tokio::task::spawn_blocking(move || {
                let work = |cx: &Cx<S>| {
                    let mut writer = PipeWriter::new(&outlet);
                    handler(cx, params, &mut writer)?;
                    writer.flush().map_err(|error| {
                        let title = "The answer could not be sent to its end";
                        Problem::new(ErrorKind::General, title).because(&error).into()
                    })
                };
                finish(&outlet, job.run(work));
            });
            let how = Streamed {
                media_type: "application/octet-stream",
                tell: break_off,
                patience: None,
                endless: false,
            };
            Box::pin(how.answer(inlet, cancel))
        })
    }

    /// Registers the handler of `O`: it gives a socket that speaks frames, and the connection becomes its other end.
    #[must_use]
    pub fn stream<O: Operation>(
        self,
        handler: impl Fn(&Cx<S>, O::Params) -> Result<UnixStream, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.shaped::<O, _>(Shape::Stream, handler, |admitted, handler| {
            Box::pin(async move {
                let Admitted { job, params, upgrade: Some(upgrade), .. } = admitted else {
                    return upgrade::required();
                };
                let cancel = job.cx.cancel.clone();
                let connected = attended(cancel, move || {
                    let mut socket = None;
                    job.run(|cx| {
                        socket = Some(handler(cx, params)?);
                        Ok(Nothing {})
                    })?;
                    let socket = socket.expect("the handler succeeded, so it gave a socket");
                    Ok((job, socket))
                });
                match connected.await {
                    Ok((job, socket)) => upgrade::accept(job, upgrade, socket),
                    Err(problem) => failed(&problem),
                }
            })
        })
    }

    /// Registers what answers once a request is let in.
    fn shaped<O: Operation, H: Send + Sync + 'static>(
        self,
        shape: Shape,
        handler: H,
        answer: Answer<S, O, H>,
    ) -> Self {
        let handler = Arc::new(handler);
        self.add::<O, _>(shape, move |call| {
            let handler = handler.clone();
            async move {
                match admit::<S, O>(call).await {
                    Ok(admitted) => answer(admitted, handler).await,
                    Err(refusal) => refusal,
                }
            }
        })
    }
}

/// An event in the form of `text/event-stream`.
fn sse(event: &impl serde::Serialize) -> Bytes {
    let mut text = b"data: ".to_vec();
    text.extend(serde_json::to_vec(event).unwrap_or_default());
    text.extend_from_slice(b"\n\n");
    Bytes::from(text)
}
