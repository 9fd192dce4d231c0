//! The process: it listens at each network's gateway, reads the table again whenever it is another, and lives until it is told
//! to go. One thread serves; a second waits for changes of the table.

mod sockets;
mod stream;
mod table;

use crate::answer::{self, Verdict};
use crate::forward::{Forwarder, Kept};
use crate::names::Names;
use crate::query::{Query, Way};
use domain::base::iana::Rcode;
use sockets::Sockets;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use volt_host::files;
use volt_host::notify::{Notice, notify};
use volt_model::dns::Table;

/// After how long it is tried again to listen where that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// What is served, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The table of names.
    pub table: PathBuf,
    /// Whom the host asks.
    pub resolv_conf: PathBuf,
    /// Where names are asked for, at the gateways and at the host's resolvers: 53.
    pub port: u16,
}

/// What keeps the server from running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table can't be watched.
    #[error(transparent)]
    Watch(#[from] files::Error),
    /// The kernel refuses what every server needs.
    #[error("The server of names can't begin")]
    Begin(#[source] io::Error),
}

/// What all who serve share.
#[derive(Debug)]
struct Shared {
    names: RwLock<Arc<Names>>,
    forwarder: Arc<Forwarder>,
}

/// What is to be done with a query, once the table was asked and what is kept of others.
enum Next {
    Drop,
    Reply,
    Ask(Box<Query>),
}

impl Shared {
    fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers at once if that is possible.
    fn answer(&self, source: IpAddr, way: Way, bytes: &[u8], out: &mut Vec<u8>) -> Next {
        let names = self.names();
        let verdict = answer::answer(&names, (source, way), bytes, out);
        let query = match verdict {
            Verdict::Drop => return Next::Drop,
            Verdict::Reply => return Next::Reply,
            Verdict::Forward(query) => query,
        };
        match self.forwarder.kept(&query, &names.servers(source)) {
            Kept::Nothing => return Next::Ask(query),
            Kept::Answer(answer, age) => answer.tell(&query, age, query.room(way), out),
            Kept::Silence => return silence(&query, out),
        }
        Next::Reply
    }

    /// Asks others, and writes what is to be told.
    async fn ask(&self, source: IpAddr, way: Way, query: &Query, out: &mut Vec<u8>) -> Next {
        let servers = self.names().servers(source);
        match Arc::clone(&self.forwarder).ask(source, query, servers).await {
            Some(answer) => answer.tell(query, 0, query.room(way), out),
            None => return silence(query, out),
        }
        Next::Reply
    }
}

/// Nobody has answered.
fn silence(query: &Query, out: &mut Vec<u8>) -> Next {
    match answer::plain(query, Rcode::SERVFAIL, out) {
        Verdict::Drop => Next::Drop,
        _ => Next::Reply,
    }
}

/// Serves until a signal asks for the end.
///
/// # Errors
/// Where it can't begin. A table that can't be read is no error: that of before stays, and is read again when it is another.
pub fn serve(settings: &Settings) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::Begin)?.block_on(run(settings))
}

async fn run(settings: &Settings) -> Result<(), Error> {
    let mut ends = signal(SignalKind::terminate()).map_err(Error::Begin)?;
    let mut interrupts = signal(SignalKind::interrupt()).map_err(Error::Begin)?;
    let forwarder = Forwarder::new(&settings.resolv_conf, settings.port).map_err(Error::Begin)?;
    let mut tables = table::watch(&settings.table)?;
    let shared = Arc::new(Shared {
        names: RwLock::new(Arc::new(Names::new(&Table::default()))),
        forwarder: Arc::new(forwarder),
    });
    let mut sockets = Sockets::new(settings.port, Arc::clone(&shared));
    let mut all_open = adopt(&tables.borrow_and_update().clone(), &shared, &mut sockets);
    said(Notice::Ready);
    loop {
        tokio::select! {
            changed = tables.changed() => {
                if changed.is_err() {
                    // Whoever watches the table has failed, and said so; systemd starts it all anew.
                    return Err(Error::Begin(io::ErrorKind::BrokenPipe.into()));
                }
                all_open = adopt(&tables.borrow_and_update().clone(), &shared, &mut sockets);
            }
            () = tokio::time::sleep(AGAIN), if !all_open => all_open = sockets.open(&shared.names()),
            _ = ends.recv() => break,
            _ = interrupts.recv() => break,
        }
    }
    said(Notice::Stopping);
    Ok(())
}

/// Answers from this table from now on; whether it listens wherever it should.
fn adopt(table: &Arc<Table>, shared: &Shared, sockets: &mut Sockets) -> bool {
    let names = Arc::new(Names::new(table));
    tracing::debug!(generation = names.generation(), networks = table.networks.len(), "the table");
    shared.forwarder.set_own(names.gateways());
    *shared.names.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&names);
    sockets.open(&names)
}

fn said(notice: Notice<'_>) {
    if let Err(error) = notify(notice) {
        tracing::warn!(%error, "systemd can't be told");
    }
}
