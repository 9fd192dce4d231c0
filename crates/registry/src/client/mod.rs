//! Asking registries. Blocks: it is called from threads that store what comes.
//!
//! - `ask`: one request, with who we are, tried again where that may help
//! - `token`: the tokens that registries want
//! - `login`: whether an account is known
//! - `manifest`: documents by name or digest
//! - `blob`: contents by digest, resumed where they break off
//! - `push`: sending both; `tags`: what a repository has

mod ask;
mod blob;
mod login;
mod manifest;
mod push;
mod tags;
#[cfg(test)]
mod tests;
mod token;

use crate::error::{Error, Result};
use reqwest::blocking::{RequestBuilder, Response};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use volt_model::registry::{Credentials, Digest};
use volt_model::registry::{Remote, api_host, is_loopback};

pub use blob::Blob;
pub use manifest::Document;
pub use push::{Open, Outgoing, Told};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a registry may be silent.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// How often is asked whether anybody still waits.
const LOOK: Duration = Duration::from_millis(50);
/// How often a request is redirected.
const REDIRECTS: usize = 10;

/// Says whether nobody waits any more for what is asked. By default somebody always does.
#[derive(Clone)]
pub struct IsOver(Arc<dyn Fn() -> bool + Send + Sync>);

impl IsOver {
    /// Asks this, again and again.
    pub fn new(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl Default for IsOver {
    fn default() -> Self {
        Self::new(|| false)
    }
}

impl std::fmt::Debug for IsOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IsOver({})", (self.0)())
    }
}

/// What a client goes by.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Who we are where.
    pub credentials: Credentials,
    /// Registries that are spoken to without TLS where they have none. Those on this host are always.
    pub insecure: Vec<String>,
    /// Registries to ask first in place of one, in their order.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Whether to give up, asked between two pieces of an answer and while a registry is waited for.
    pub is_over: IsOver,
}

/// Asks registries.
#[derive(Debug)]
pub struct Client {
    http: reqwest::blocking::Client,
    /// For secrets in bodies, which are sent again wherever a redirect leads: follows none to another host.
    givers: reqwest::blocking::Client,
    settings: Settings,
    /// By registry, repository and what is done there.
    tokens: Mutex<HashMap<String, Auth>>,
    /// `http` or `https`, of registries that were reached.
    schemes: Mutex<HashMap<String, &'static str>>,
    /// Mirrors that sent other bytes than those of a digest, with that.
    distrusted: Mutex<HashSet<(String, String)>>,
}

/// What is sent to say who we are.
#[derive(Clone)]
enum Auth {
    Basic { user: String, password: String },
    Bearer(String),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// What is done in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Pull,
    Push,
}

impl Access {
    fn words(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

impl Client {
    /// One that has asked nothing yet.
    ///
    /// # Errors
    /// When the host's certificates can't be read.
    pub fn new(settings: Settings) -> Result<Self> {
        // A registry may send us elsewhere, but not out of TLS.
        let redirect = reqwest::redirect::Policy::custom(|attempt| {
            let from = attempt.previous().last().map(reqwest::Url::scheme);
            if attempt.previous().len() > REDIRECTS {
                attempt.error("it redirects again and again")
            } else if from == Some("https") && attempt.url().scheme() != "https" {
                attempt.error("it redirects to a place without TLS")
            } else {
                attempt.follow()
            }
        });
        let at_home = reqwest::redirect::Policy::custom(|attempt| {
            let origin = attempt.previous().first().map(reqwest::Url::origin);
            match origin == Some(attempt.url().origin()) && attempt.previous().len() <= REDIRECTS {
                true => attempt.follow(),
                false => attempt.stop(),
            }
        });
        let (http, givers) = (http(redirect)?, http(at_home)?);
        let (tokens, schemes, distrusted) = <(Mutex<_>, Mutex<_>, Mutex<_>)>::default();
        Ok(Self { http, givers, settings, tokens, schemes, distrusted })
    }

    /// Refuses to go on where nobody waits any more.
    fn refuse_over(&self) -> Result<()> {
        if (self.settings.is_over.0)() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Sends a request. Whoever gives up does not wait for the answer.
    fn answer_to(&self, request: RequestBuilder) -> Result<reqwest::Result<Response>> {
        let (done, is_done) = channel::<()>();
        let sending = move || {
            let _done = done;
            request.send()
        };
        let waiting = std::thread::Builder::new().spawn(sending).map_err(Error::Unasked)?;
        while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(LOOK) {
            self.refuse_over()?;
        }
        Ok(waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    /// Does nothing for a while.
    fn pause(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            self.refuse_over()?;
            match end.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Ok(()),
                left => std::thread::sleep(left.min(LOOK)),
            }
        }
    }

    /// The registries that may have what `remote` has, the mirrors first.
    fn places(&self, remote: &Remote) -> Vec<Remote> {
        let mirrors = self.settings.mirrors.get(&remote.host).into_iter().flatten();
        let at = |mirror: &String| {
            // A mirror may keep what it mirrors below a name.
            let (host, below) = mirror.split_once('/').unwrap_or((mirror, ""));
            let repository = match below {
                "" => remote.repository.clone(),
                below => format!("{below}/{}", remote.repository),
            };
            Remote { host: host.to_owned(), repository, reference: remote.reference.clone() }
        };
        mirrors.map(at).chain([remote.clone()]).collect()
    }

    /// Asks each place until one has it. A mirror that fails is as good as none.
    fn first<T>(&self, remote: &Remote, ask: impl Fn(&Remote) -> Result<T>) -> Result<T> {
        let places = self.places(remote);
        let (origin, mirrors) = places.split_last().expect("the registry itself is among them");
        for mirror in mirrors {
            match ask(mirror) {
                Err(error) => {
                    tracing::warn!(mirror = %mirror.host, %error, "a mirror is passed over");
                }
                found => return found,
            }
        }
        ask(origin)
    }

    /// Asks this place no more for what it has as `digest`.
    fn distrust(&self, place: &Remote, digest: &Digest) {
        let mut distrusted = self.distrusted.lock().unwrap_or_else(PoisonError::into_inner);
        distrusted.insert((place.host.clone(), digest.to_string()));
    }

    fn is_distrusted(&self, place: &Remote, digest: &Digest) -> bool {
        let distrusted = self.distrusted.lock().unwrap_or_else(PoisonError::into_inner);
        distrusted.contains(&(place.host.clone(), digest.to_string()))
    }

    /// How the registry is spoken to, as far as that is known.
    fn schemes(&self, host: &str) -> &'static [&'static str] {
        let known = self.schemes.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied();
        let may_be_plain = is_loopback(host) || self.settings.insecure.iter().any(|h| h == host);
        match known {
            Some("http") => &["http"],
            None if may_be_plain => &["https", "http"],
            _ => &["https"],
        }
    }

    /// Whether the registry was reached before.
    fn has_answered(&self, host: &str) -> bool {
        self.schemes.lock().unwrap_or_else(PoisonError::into_inner).contains_key(host)
    }

    fn reached(&self, host: &str, scheme: &'static str) {
        let mut schemes = self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        schemes.insert(host.to_owned(), scheme);
    }
}

fn http(redirect: reqwest::redirect::Policy) -> Result<reqwest::blocking::Client> {
    reqwest::blocking::Client::builder()
        .user_agent(concat!("volt/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_LIMIT)
        // Of each answer and each piece of one, not of the whole.
        .timeout(SILENCE_LIMIT)
        .redirect(redirect)
        .build()
        .map_err(|e| Error::Invalid(format!("no TLS is possible here: {}", reason(&e))))
}

/// Where a registry serves the protocol.
fn base(scheme: &str, host: &str) -> String {
    format!("{scheme}://{}/v2/", api_host(host))
}

/// An error of HTTP with all that caused it, without the URL: it may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        // Many repeat what caused them.
        if !words.iter().any(|word| word.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    match words.is_empty() {
        true if error.is_timeout() => "it does not answer in time".to_owned(),
        true => "it breaks off".to_owned(),
        false => words.join(": "),
    }
}
