//! The daemon: one process that serves the API on a socket for as long as somebody wants something.
//!
//! Workloads don't need it. It may be stopped, killed and replaced at any time; what was begun is finished or undone by
//! whoever comes next.

mod logging;
mod sockets;

use crate::installation::Installation;
use crate::router::Failure;
use crate::server::Server;
use logging::Log;
use sockets::{Sockets, trouble};
use std::future::pending;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use volt_api::Problem;
use volt_engine::Engine;
use volt_host::files::{Lock, LockError, LockMode, Wait, create_dirs};
use volt_host::notify::{Notice, notify};
use volt_model::kind::ErrorKind;
use volt_model::paths::Paths;

/// How long running operations may take to end once the daemon is asked to.
pub const DRAIN: Duration = Duration::from_secs(20);
/// Threads that serve connections.
const WORKERS: usize = 2;
/// Threads that work for the engine, or wait with somebody who follows a log.
const BLOCKING: usize = 512;
/// The stack of each, in bytes.
const STACK: usize = 512 * 1024;
/// How long a thread without work is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// How `volt daemon` was called.
#[derive(Clone, Debug)]
pub struct DaemonArgs {
    /// What is served.
    pub installation: Installation,
    /// How long it stays without a duty, in place of the configuration's value.
    pub idle: Option<Duration>,
    /// Whether everything is logged.
    pub debug: bool,
}

/// Runs the daemon until it has no duty or is told to go. What keeps it from running is in its log, which is also
/// standard error.
#[must_use]
pub fn run(args: &DaemonArgs) -> ExitCode {
    let paths = &args.installation.paths;
    let level = if args.debug { "debug" } else { "info" };
    let log = Log::begin(&paths.log, level);
    let uid = volt_host::peer::Peer::myself().map(|me| me.uid);
    let outcome = uid.map_err(|e| trouble("The daemon can't tell who it is", &e)).and_then(|uid| {
        let server = args.installation.server(uid, "daemon");
        let settings = Settings {
            paths,
            idle: args.idle,
            debug: args.debug,
            mode: if uid == 0 { 0o666 } else { 0o600 },
            configuration: &server.router().state().clone(),
        };
        serve(&server, &settings, log)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tracing::error!("{problem}");
            if let Some(hint) = &problem.hint {
                tracing::error!("{hint}");
            }
            ExitCode::from(problem.kind().exit_code())
        }
    }
}

/// Lets helpers, which are no daemon, say on standard error what is amiss.
pub fn log_to_stderr() {
    logging::to_stderr();
}

impl Configuration for Engine {
    fn read(&self) -> Result<volt_model::config::Config, Problem> {
        self.config().map_err(|error| Failure::from(error).problem)
    }
}

/// What can be changed while the daemon runs, and how the configuration is read again.
trait Configuration: Send + Sync {
    /// Reads the configuration file.
    ///
    /// # Errors
    /// When it is wrong; what was read before then stays in force.
    fn read(&self) -> Result<volt_model::config::Config, Problem>;
}

/// How the daemon is to run.
struct Settings<'a> {
    paths: &'a Paths,
    idle: Option<Duration>,
    debug: bool,
    /// Who may connect to a socket of its own making.
    mode: u32,
    configuration: &'a dyn Configuration,
}

/// Serves `server` until there is nothing left to do or a signal asks for the end.
///
/// # Errors
/// `Conflict` when another daemon serves this installation; what is wrong with the socket.
fn serve<S>(server: &Server<S>, settings: &Settings<'_>, log: Log) -> Result<(), Problem>
where
    S: Clone + Send + Sync + 'static,
{
    let paths = settings.paths;
    let config = settings.configuration.read().unwrap_or_else(|problem| {
        // It must come up all the same: the file may be mended through it.
        tracing::error!(error = %problem, "the configuration is wrong, so all has its default");
        volt_model::config::Config::default()
    });
    log.set_level(settings.level(&config));
    let inherited = Sockets::inherited()?;
    if inherited.is_none() {
        Sockets::check_free(&paths.socket())?;
    }
    let lock = only_daemon(&paths.run)?;
    let by_hand = inherited.is_none();
    let idle = settings.idle(&config, by_hand);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .thread_stack_size(STACK)
        .thread_keep_alive(KEEP_ALIVE)
        .thread_name("volt")
        .enable_all()
        .build()
        .map_err(|e| trouble("The daemon can't begin", &e))?;
    // Before the socket, by which others see that it is there: a signal they send then is taken.
    let signals = {
        let _inside = runtime.enter();
        Signals::listen().map_err(|e| trouble("Signals can't be taken", &e))?
    };
    let sockets = match inherited {
        Some(sockets) => sockets,
        None => Sockets::bind(&paths.socket(), settings.mode)?,
    };
    let own = sockets.own.clone();
    let daemon = Daemon { server, settings, log, by_hand, idle, signals };
    let outcome = runtime.block_on(daemon.run(sockets));
    // Whoever still blocks has had its time.
    runtime.shutdown_background();
    if let Some(path) = own
        && let Err(error) = std::fs::remove_file(&path)
    {
        tracing::debug!(%error, path = %path.display(), "the socket stays");
    }
    drop(lock.remove());
    outcome
}

/// Takes the lock that only one daemon of an installation can hold; the file has its pid.
fn only_daemon(run: &Path) -> Result<Lock, Problem> {
    let path = run.join("volt.pid");
    let title = "The daemon's pid file can't be written";
    create_dirs(run, 0o755).map_err(|e| trouble(title, &e))?;
    match Lock::take(&path, LockMode::Exclusive, Wait::No) {
        Ok(lock) => Ok(lock),
        Err(LockError::Held { holder, .. }) => {
            let who = holder.map(|pid| format!(" as process {pid}")).unwrap_or_default();
            Err(Problem::new(ErrorKind::Conflict, format!("The Volt daemon runs already{who}"))
                .about(path.display().to_string()))
        }
        Err(error) => Err(trouble(title, &error)),
    }
}

impl Settings<'_> {
    fn level<'c>(&self, config: &'c volt_model::config::Config) -> &'c str {
        if self.debug { "debug" } else { &config.daemon.log_level }
    }

    /// One that was started by hand stays, unless it was told when to go. Zero is never.
    fn idle(&self, config: &volt_model::config::Config, by_hand: bool) -> Option<Duration> {
        let configured = (!by_hand).then(|| Duration::from_secs(config.daemon.idle_seconds));
        self.idle.or(configured).filter(|time| !time.is_zero())
    }
}

struct Daemon<'a, S> {
    server: &'a Server<S>,
    settings: &'a Settings<'a>,
    log: Log,
    by_hand: bool,
    /// How long it stays without a duty; none: for ever.
    idle: Option<Duration>,
    signals: Signals,
}

struct Signals {
    end: [Signal; 2],
    hangup: Signal,
    tell: Signal,
    reopen: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            end: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
            hangup: signal(SignalKind::hangup())?,
            tell: signal(SignalKind::user_defined1())?,
            reopen: signal(SignalKind::user_defined2())?,
        })
    }
}

impl<S: Clone + Send + Sync + 'static> Daemon<'_, S> {
    async fn run(mut self, sockets: Sockets) -> Result<(), Problem> {
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        for listener in sockets.listen()? {
            let (server, stop) = (self.server.clone(), stop.clone());
            drop(serving.spawn(async move { server.serve_listener(listener, stop).await }));
        }
        tell(Notice::Ready);
        tracing::info!(pid = std::process::id(), "serving");
        loop {
            let Signals { end: [terminate, interrupt], hangup, tell: ask, reopen } =
                &mut self.signals;
            tokio::select! {
                _ = terminate.recv() => { tracing::info!("SIGTERM"); break }
                _ = interrupt.recv() => { tracing::info!("SIGINT"); break }
                _ = hangup.recv() => self.reload(),
                _ = ask.recv() => self.tell_running(),
                _ = reopen.recv() => self.reopen(),
                () = idle(self.server, self.idle) => { tracing::info!("nothing to do"); break }
            }
        }
        tell(Notice::Stopping);
        stop.cancel();
        self.drain(serving).await;
        Ok(())
    }

    /// Ends what has no end, lets the rest end, and cuts off what takes too long.
    async fn drain(&self, mut serving: JoinSet<()>) {
        let shared = self.server.router().shared();
        shared.streams.cancel();
        let ended = async {
            while serving.join_next().await.is_some() {}
            // An operation goes on when its caller is gone.
            shared.activity.quiet().await;
        };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            self.tell_running();
            tracing::warn!("leaving although operations are under way");
        }
        tracing::info!("ended");
    }

    fn reload(&mut self) {
        tell(Notice::Reloading);
        match self.settings.configuration.read() {
            Ok(config) => {
                self.log.set_level(self.settings.level(&config));
                self.idle = self.settings.idle(&config, self.by_hand);
                tracing::info!("the configuration was read again");
            }
            Err(problem) => {
                tracing::error!(error = %problem, "the configuration stays as it was");
            }
        }
        tell(Notice::Ready);
    }

    fn tell_running(&self) {
        let running = self.server.router().shared().activity.snapshot();
        tracing::info!("{} operations under way", running.len());
        for operation in running {
            tracing::info!("{operation}");
        }
    }

    fn reopen(&self) {
        self.log.reopen();
        self.server.router().shared().audit.reopen();
        tracing::info!("the logs were opened anew");
    }
}

fn tell(notice: Notice<'_>) {
    if let Err(error) = notify(notice) {
        tracing::warn!(%error, "systemd was not told");
    }
}

/// Returns when nothing has run for so long.
async fn idle<S: Clone + Send + Sync + 'static>(server: &Server<S>, limit: Option<Duration>) {
    let Some(limit) = limit else { return pending().await };
    let activity = &server.router().shared().activity;
    loop {
        match activity.idle_for() {
            Some(idle) if idle >= limit => return,
            Some(idle) => tokio::time::sleep(limit - idle).await,
            None => activity.quiet().await,
        }
    }
}
