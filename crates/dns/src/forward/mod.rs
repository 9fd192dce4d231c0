//! Names that are not Volt's: the host's resolvers are asked, or those that the asker has, and what they say is kept for as long as they
//! say, for whoever asks the same ones.
//!
//! Bounded in every way: what is kept, what is under way, what one asker may have under way, how long each takes.

mod cache;
mod exchange;
pub mod message;
mod resolvers;
#[cfg(test)]
mod tests;

use self::cache::Cache;
use self::exchange::Exchange;
use self::message::Answer;
use self::resolvers::Resolvers;
use crate::query::Query;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many questions may be under way.
const UNDER_WAY: usize = 1024;
/// How many of them one asker may have.
const UNDER_WAY_EACH: usize = 128;
/// How many bytes of answers are kept.
const KEPT: usize = 8 << 20;
/// For how long it is kept that nobody answers.
const SILENCE: Duration = Duration::from_secs(1);

type Asking = Shared<BoxFuture<'static, Option<Arc<Answer>>>>;

/// Whoever asks the host's resolvers.
#[derive(Debug)]
pub(crate) struct Forwarder {
    cache: Mutex<Cache>,
    under_way: Mutex<UnderWay>,
    exchange: Exchange,
}

/// Questions that wait for an answer: those who ask the same wait together.
#[derive(Debug, Default)]
struct UnderWay {
    questions: HashMap<Vec<u8>, Asking>,
    each: HashMap<IpAddr, usize>,
    all: usize,
}

/// What was found without asking.
pub(crate) enum Kept {
    /// An answer, and how old it is in seconds.
    Answer(Arc<Answer>, u32),
    /// Nobody answered a moment ago.
    Silence,
    /// Nothing.
    Nothing,
}

impl Forwarder {
    /// One that asks whom this file (`resolv.conf`) names, at this port.
    pub(crate) fn new(resolv_conf: &Path, port: u16) -> io::Result<Self> {
        Ok(Self {
            cache: Mutex::new(Cache::new(KEPT)),
            under_way: Mutex::default(),
            exchange: Exchange::new(Resolvers::new(resolv_conf, port))?,
        })
    }

    /// Tells who is never asked: the server itself.
    pub(crate) fn set_own(&self, own: &HashSet<IpAddr>) {
        self.exchange.resolvers.set_own(own);
    }

    /// What is known without asking these servers; the host's where there are none.
    pub(crate) fn kept(&self, query: &Query, servers: &[IpAddr]) -> Kept {
        match locked(&self.cache).get(&key(query, servers), Instant::now()) {
            None => Kept::Nothing,
            Some((None, _)) => Kept::Silence,
            Some((Some(answer), age)) => Kept::Answer(answer, age),
        }
    }

    /// Asks for `source`; nothing where nobody answers in time, or where he has too many questions under way.
    pub(crate) async fn ask(
        self: Arc<Self>,
        source: IpAddr,
        query: &Query,
        servers: Arc<[IpAddr]>,
    ) -> Option<Arc<Answer>> {
        let _place = Place::take(&self, source)?;
        let key = key(query, &servers);
        let asking = locked(&self.under_way).questions.get(&key).cloned();
        let asking = match asking {
            Some(asking) => asking,
            None => {
                let (own, query) = (Arc::clone(&self), query.clone());
                let asking = async move { own.find_out(&query, &servers).await }.boxed().shared();
                locked(&self.under_way).questions.insert(key, asking.clone());
                asking
            }
        };
        asking.await
    }

    async fn find_out(&self, query: &Query, servers: &[IpAddr]) -> Option<Arc<Answer>> {
        let answer = self.exchange.ask(query, servers).await.map(Arc::new);
        let key = key(query, servers);
        locked(&self.under_way).questions.remove(&key);
        let life = answer.as_ref().map_or(SILENCE, |answer| answer.life());
        locked(&self.cache).put(key, answer.clone(), life, Instant::now());
        answer
    }
}

/// What tells a question to these servers from others. That of the query says itself where it ends.
fn key(query: &Query, servers: &[IpAddr]) -> Vec<u8> {
    let mut key = query.key();
    for server in servers {
        match server {
            IpAddr::V4(ip) => key.extend([&[4][..], &ip.octets()].concat()),
            IpAddr::V6(ip) => key.extend([&[6][..], &ip.octets()].concat()),
        }
    }
    key
}

/// One of the places for questions; given back when dropped.
struct Place<'a> {
    of: &'a Forwarder,
    source: IpAddr,
}

impl<'a> Place<'a> {
    fn take(of: &'a Forwarder, source: IpAddr) -> Option<Self> {
        let mut under_way = locked(&of.under_way);
        if under_way.all >= UNDER_WAY {
            return None;
        }
        let each = under_way.each.entry(source).or_default();
        if *each >= UNDER_WAY_EACH {
            return None;
        }
        *each += 1;
        under_way.all += 1;
        Some(Self { of, source })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut under_way = locked(&self.of.under_way);
        under_way.all -= 1;
        if let Some(each) = under_way.each.get_mut(&self.source) {
            *each -= 1;
            if *each == 0 {
                under_way.each.remove(&self.source);
            }
        }
    }
}

/// Locks what a panic elsewhere can't have left half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
