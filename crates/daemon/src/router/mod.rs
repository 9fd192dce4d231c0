//! From a request to the handler of its operation and back, by the table of operations; knows no operation itself.
//!
//! [`Routes`] takes one handler for each operation, by its shape; [`Router`] answers requests with them.

mod body;
mod job;
mod matching;
mod params;
mod shapes;
mod upgrade;

pub use body::Upload;
pub(crate) use body::{Body, failed, parse_json};
pub use job::{Cx, Failure};
pub use shapes::Reporter;

use crate::activity::Activity;
use crate::audit::Audit;
use crate::auth::Access;
use crate::peer::Peer;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use job::{Job, Resource};
use matching::{Found, find};
use params::Pairs;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use volt_api::{Operation, OperationInfo, Problem, Shape};
use volt_model::kind::ErrorKind;

/// The header of an answer that names the request as the audit trail does.
pub const REQUEST_HEADER: &str = "volt-request";
/// Where the OpenAPI document is.
const OPENAPI: &str = "/openapi";

/// What all requests of one server share.
#[derive(Debug)]
pub struct Shared {
    /// Whose installation this is.
    pub access: Access,
    /// The audit trail.
    pub audit: Audit,
    /// What is under way.
    pub activity: Activity,
    /// Cancelled when what has no end of its own (logs, events, attached terminals) is to end.
    pub streams: CancellationToken,
}

impl Shared {
    /// Nothing under way yet.
    #[must_use]
    pub fn new(access: Access, audit: Audit) -> Self {
        Self { access, audit, activity: Activity::default(), streams: CancellationToken::new() }
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Run<S> = Box<dyn Fn(Call<S>) -> BoxFuture<Response<Body>> + Send + Sync>;

/// The handlers of all operations, by shape.
pub struct Routes<S> {
    routes: Vec<(OperationInfo, Run<S>)>,
}

impl<S> Default for Routes<S> {
    fn default() -> Self {
        Self { routes: Vec::new() }
    }
}

impl<S> fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|(info, _)| info.id)).finish()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No handler yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ids of the operations that have a handler.
    #[must_use]
    pub fn ids(&self) -> Vec<&'static str> {
        self.routes.iter().map(|(info, _)| info.id).collect()
    }

    fn add<O: Operation, F: Future<Output = Response<Body>> + Send + 'static>(
        mut self,
        shape: Shape,
        run: impl Fn(Call<S>) -> F + Send + Sync + 'static,
    ) -> Self {
        assert_eq!(O::INFO.shape, shape, "{} is registered with another shape", O::INFO.id);
        self.routes.push((O::INFO, Box::new(move |call| Box::pin(run(call)))));
        self
    }
}

/// Answers requests.
pub struct Router<S> {
    routes: Routes<S>,
    state: S,
    shared: Arc<Shared>,
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("routes", &self.routes).finish_non_exhaustive()
    }
}

/// A request on its way to the handler.
pub(crate) struct Call<S> {
    info: OperationInfo,
    pairs: Result<Pairs, Problem>,
    job: Job<S>,
    body: Incoming,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// A router over `routes`, whose handlers get `state`.
    #[must_use]
    pub fn new(routes: Routes<S>, state: S, shared: Arc<Shared>) -> Self {
        Self { routes, state, shared }
    }

    /// What its handlers get.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.state
    }

    /// What its requests share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Answers one request of `peer`.
    pub(crate) async fn answer(
        &self,
        peer: Arc<Peer>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let id: Arc<str> = request_id().into();
        let mut response = self.dispatch(peer, &id, request).await;
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_HEADER, value);
        }
        response
    }

    async fn dispatch(
        &self,
        peer: Arc<Peer>,
        id: &Arc<str>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let table: Vec<_> = self.routes.routes.iter().map(|(info, _)| info).collect();
        let (index, filled) = match find(&table, method, path) {
            Found::Operation(index, filled) => (index, filled),
            other => {
                let answer = elsewhere(method, path, other);
                tokio::spawn(body::discard(body));
                return answer;
            }
        };
        let (info, run) = &self.routes.routes[index];
        let pairs = Pairs::collect(filled, parts.uri.query().unwrap_or_default());
        let mut extensions = parts.extensions;
        let job = self.job(*info, peer, id, pairs.as_ref().ok());
        run(Call { info: *info, pairs, job, body, upgrade: extensions.remove() }).await
    }

    fn job(
        &self,
        info: OperationInfo,
        peer: Arc<Peer>,
        id: &Arc<str>,
        pairs: Option<&Pairs>,
    ) -> Job<S> {
        let named = pairs.and_then(|p| ["name", "image", "key"].iter().find_map(|k| p.get(k)));
        let running = self.shared.activity.begin(id, info.id, &peer.to_string());
        running.resource(named.unwrap_or_default());
        let span = tracing::info_span!(
            "operation",
            id = info.id,
            request = &**id,
            user = peer.name,
            about = named
        );
        Job {
            cx: Cx {
                state: self.state.clone(),
                peer,
                request: id.clone(),
                // Without an end of its own, an operation ends with the server; else only with its caller.
                cancel: if is_endless(&info) {
                    self.shared.streams.child_token()
                } else {
                    CancellationToken::new()
                },
                shared: self.shared.clone(),
                running,
            },
            info,
            resource: Resource { named: named.map(str::to_owned), otherwise: None },
            span,
        }
    }
}

/// Whether the operation may go on for as long as the workload does.
fn is_endless(info: &OperationInfo) -> bool {
    matches!(info.shape, Shape::Lines | Shape::Events | Shape::Stream)
        || info.id == "container_wait"
}

/// What is no operation: the OpenAPI document, or nothing.
fn elsewhere(method: &str, path: &str, found: Found<'_>) -> Response<Body> {
    match (method, path, found) {
        ("GET", OPENAPI, _) => body::json(&volt_api::openapi::document()),
        (_, OPENAPI, _) => other_method(&["GET"]),
        (_, _, Found::OtherMethod(methods)) => other_method(&methods),
        _ => {
            let title = "There is no such operation";
            let problem = Problem::new(ErrorKind::NotFound, title)
                .hinted("GET /openapi lists them; client and server may differ in version");
            failed(&problem.about(format!("{method} {}", shortened(path))))
        }
    }
}

fn other_method(methods: &[&str]) -> Response<Body> {
    let allowed = methods.join(", ");
    let title = format!("This path is only for {allowed}");
    let mut problem = Problem::new(ErrorKind::Usage, title);
    problem.status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
    let mut response = failed(&problem);
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(200)]
}

/// A name for a request that no other has: ten letters and digits.
fn request_id() -> String {
    // The hasher's keys come from the kernel and differ for every call.
    let mut bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let letters = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut id = String::new();
    for _ in 0..10 {
        id.push(char::from(letters[usize::try_from(bits % 32).unwrap_or_default()]));
        bits /= 32;
    }
    id
}
