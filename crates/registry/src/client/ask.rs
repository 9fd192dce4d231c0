//! One request: with who we are, and again where that may help.

use super::{Access, Auth, Client, base, reason};
use crate::challenge::Challenge;
use crate::error::{Error, Result};
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use std::sync::PoisonError;
use std::time::Duration;
use volt_model::registry::Remote;

/// How often is tried in all.
const TRIES: u32 = 5;
/// How long is waited before the second try; each further one waits twice as long.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait, whatever the registry asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How much of what a registry says about a failure is read, in bytes.
const SAID: u64 = 8 << 10;

/// A request of a repository.
pub(super) struct Ask<'a> {
    /// The repository.
    pub(super) remote: &'a Remote,
    /// What is done there.
    pub(super) access: Access,
    /// What is asked for, in words.
    pub(super) what: &'a str,
}

/// What makes a request to a URL below the repository, or an absolute one.
pub(super) type Make<'a> = &'a dyn Fn(&reqwest::blocking::Client, &str) -> RequestBuilder;

impl Client {
    /// Sends a request until it is answered, with a status of success.
    pub(super) fn ask(&self, ask: &Ask<'_>, path: &str, make: Make<'_>) -> Result<Response> {
        let mut wait = FIRST_WAIT;
        let mut tries = 1;
        loop {
            self.refuse_over()?;
            let failure = match self.ask_once(ask, path, make) {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) if is_passing(response.status()) => {
                    let asked = response.headers().get(RETRY_AFTER);
                    let asked = asked.and_then(|text| text.to_str().ok()?.parse().ok());
                    wait = asked.map_or(wait, Duration::from_secs).clamp(FIRST_WAIT, LONGEST_WAIT);
                    self.failed(ask, response)
                }
                Ok(response) => return Err(self.failed(ask, response)),
                Err(error @ Error::Unreachable { .. }) => error,
                Err(error) => return Err(error),
            };
            if tries == TRIES {
                return Err(failure);
            }
            tries += 1;
            tracing::info!(%failure, ?wait, "asked again");
            self.pause(wait)?;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Sends it once, and a second time when the registry wanted to know who is there.
    pub(super) fn ask_once(&self, ask: &Ask<'_>, path: &str, make: Make<'_>) -> Result<Response> {
        let known = self.known(ask);
        let had_auth = known.is_some();
        let response = self.send(ask, path, make, known.as_ref())?;
        // Whom it sends us on to has no say in who gets our account.
        let is_asking = response.status() == StatusCode::UNAUTHORIZED;
        if !is_asking || !is_of(response.url(), &ask.remote.host) {
            return Ok(response);
        }
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenges: Vec<Challenge> = headers
            .iter()
            .filter_map(|text| text.to_str().ok())
            .flat_map(Challenge::parse)
            .collect();
        let Some(auth) = self.answer(ask, &challenges)? else { return Ok(response) };
        drop(response);
        if had_auth {
            tracing::debug!(host = ask.remote.host, "its token was no longer good");
        }
        let response = self.send(ask, path, make, Some(&auth))?;
        self.remember(ask, auth);
        Ok(response)
    }

    fn send(
        &self,
        ask: &Ask<'_>,
        path: &str,
        make: Make<'_>,
        auth: Option<&Auth>,
    ) -> Result<Response> {
        let host = &ask.remote.host;
        let (mut last, mut is_nobody_there) = (String::new(), !self.has_answered(host));
        for &scheme in self.schemes(host) {
            let repository = &ask.remote.repository;
            let url = match path.contains("://") {
                true => path.to_owned(),
                false if repository.is_empty() => format!("{}{path}", base(scheme, host)),
                false => format!("{}{repository}/{path}", base(scheme, host)),
            };
            let request = make(&self.http, &url);
            let request = match auth {
                Some(Auth::Bearer(token)) => request.bearer_auth(token),
                Some(Auth::Basic { user, password }) => request.basic_auth(user, Some(password)),
                None => request,
            };
            match self.answer_to(request)? {
                Ok(response) => {
                    self.reached(host, scheme);
                    return Ok(response);
                }
                Err(error) => {
                    is_nobody_there &= is_refused(&error);
                    last = reason(&error);
                }
            }
        }
        // One that has answered before may be back in a moment.
        if is_nobody_there {
            return Err(Error::Nobody { host: host.clone() });
        }
        Err(Error::Unreachable { host: host.clone(), reason: last })
    }

    /// Whether it was asked who we are, and the answer was good.
    pub(super) fn is_known(&self, ask: &Ask<'_>) -> bool {
        self.known(ask).is_some()
    }

    fn known(&self, ask: &Ask<'_>) -> Option<Auth> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(&key(ask)).cloned()
    }

    fn remember(&self, ask: &Ask<'_>, auth: Auth) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(key(ask), auth);
    }

    /// What a response that is no success means.
    pub(super) fn failed(&self, ask: &Ask<'_>, response: Response) -> Error {
        let Ask { remote, what, .. } = ask;
        let (host, what) = (remote.host.clone(), (*what).to_owned());
        let anonymous =
            self.settings.credentials.account(&remote.host, &remote.repository).is_none();
        match response.status() {
            StatusCode::NOT_FOUND => Error::NotFound { host, what },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Error::Denied { host, what, anonymous }
            }
            status => {
                Error::Refused { host, what, status: status.as_u16(), detail: said(response) }
            }
        }
    }
}

/// Whether a URL is a registry's own.
pub(super) fn is_of(url: &Url, host: &str) -> bool {
    Url::parse(&base(url.scheme(), host)).is_ok_and(|own| own.origin() == url.origin())
}

fn key(ask: &Ask<'_>) -> String {
    format!("{} {} {}", ask.remote.host, ask.remote.repository, ask.access.words())
}

/// Whether the host said that nobody listens.
fn is_refused(error: &reqwest::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let io = cause.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        next = cause.source();
    }
    false
}

/// Whether it may be gone at the next try.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// What a registry says of a failure, in its own words, one line of them.
fn said(response: Response) -> String {
    use std::io::Read as _;
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let mut bytes = Vec::new();
    drop(response.take(SAID).read_to_end(&mut bytes));
    let Ok(body) = serde_json::from_slice::<Body>(&bytes) else { return String::new() };
    let one = |one: One| if one.message.is_empty() { one.code } else { one.message };
    let text = body.errors.into_iter().map(one).collect::<Vec<_>>().join("; ");
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
