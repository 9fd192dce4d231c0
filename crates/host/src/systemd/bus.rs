//! The real systemd: one connection to the system bus, opened when first needed, opened anew when it went away.
//!
//! The connection lives on a thread of its own, so that news are taken in whether or not somebody calls. Callers block
//! on their own thread, which must not be one that drives an async runtime (a plain `main` and `spawn_blocking` are fine).

use super::jobs::Jobs;
use super::watch::{AbortOnDrop, Feed};
use super::wire::{
    JobRemoved, UnitFileChange, UnitRow, classify, event_of, is_gone, pick, variant,
};
use super::{
    ActiveState, Error, JobKind, JobResult, Lifetime, Properties, Result, Setting, Systemd,
    UnitStatus, UnitSummary, UnitWatch, Whom, matches_pattern, unit_path,
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use zbus::{Connection, DynamicType, MatchRule, MessageStream, OwnedObjectPath, Variant};

/// Where the system bus listens.
pub const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

const SERVICE: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How long a plain call may take. A reload of a host with many units takes seconds.
const CALL_LIMIT: Duration = Duration::from_secs(90);

/// How often a waiter asks whether its job still exists, in case the signal of its end was lost.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How often a waiter asks again where systemd is not on the bus, as while it begins anew after an update of itself.
const PATIENCE: u32 = 50;

/// How long after it was not there something is asked of systemd again.
const PAUSE: Duration = Duration::from_millis(100);

/// Where systemd listens to news of services, and how long it may be silent until it is sent some. It can sleep with calls that it has
/// taken in and not yet looked at (systemd's issue 30573, after many mounts), until anything else happens: often a watchdog, a minute later.
const NEWS: &str = "/run/systemd/notify";
const SILENCE: Duration = Duration::from_millis(500);

/// systemd on a real bus.
#[derive(Debug)]
pub struct SystemdBus {
    address: String,
    runtime: OnceLock<Runtime>,
    link: Mutex<Option<Arc<Link>>>,
}

/// An open connection.
#[derive(Debug)]
struct Link {
    connection: Connection,
    jobs: Arc<Jobs>,
}

impl Default for SystemdBus {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemdBus {
    /// The system bus. Nothing is opened yet.
    pub fn new() -> Self {
        Self::at(SYSTEM_BUS)
    }

    /// A bus at this D-Bus address.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), runtime: OnceLock::new(), link: Mutex::new(None) }
    }

    /// Calls any method of any service on this bus.
    pub(super) fn call<B, R>(&self, call: &Call<'_>, body: &B) -> Result<R>
    where
        B: serde::Serialize + DynamicType + Sync,
        R: DeserializeOwned + zbus::Type,
    {
        self.with_link("", async |link: Arc<Link>| link.call(call, body).await)
    }

    /// Reads properties of an object.
    pub(super) fn get(
        &self,
        service: &str,
        path: &str,
        interface: &str,
        names: &[&str],
    ) -> Result<Properties> {
        let call = Call { service, path, interface: PROPERTIES, method: "GetAll" };
        Ok(pick(self.call(&call, &(interface,))?, names))
    }

    fn manager<B, R>(&self, unit: &str, method: &str, body: &B) -> Result<R>
    where
        B: serde::Serialize + DynamicType + Sync,
        R: DeserializeOwned + zbus::Type,
    {
        self.with_link(unit, async |link: Arc<Link>| link.manager(method, body).await)
    }

    /// Works on the connection, a second time on a new one when it went away meanwhile.
    fn with_link<T>(
        &self,
        unit: &str,
        work: impl AsyncFn(Arc<Link>) -> zbus::Result<T>,
    ) -> Result<T> {
        let attempt = async {
            let link = self.link().await?;
            match work(Arc::clone(&link)).await {
                Err(error) if is_gone(&error) || link.connection.is_closed() => {
                    let link = self.new_link(&link).await?;
                    tokio::time::sleep(PAUSE).await;
                    work(link).await
                }
                other => other,
            }
        };
        let timed =
            self.runtime()?.block_on(async { timeout(CALL_LIMIT, awake(NEWS, attempt)).await });
        match timed {
            Ok(result) => result.map_err(|error| classify(&error, unit)),
            Err(_) => Err(Error::Timeout { what: "a call to systemd".into(), limit: CALL_LIMIT }),
        }
    }

    /// Freezes or thaws. systemd forgets to reply where it reads its files again at that moment, so the unit itself is asked then.
    fn until_frozen(&self, unit: &str, method: &str, wanted: &str) -> Result<()> {
        let deadline = std::time::Instant::now() + CALL_LIMIT;
        loop {
            let body = (unit,);
            let call = async |link: Arc<Link>| {
                let call = link.manager::<_, ()>(method, &body);
                timeout(ASK_EVERY, call).await.map_or(Ok(false), |r| r.map(|()| true))
            };
            if self.with_link(unit, call)? {
                return Ok(());
            }
            let state = self.unit_properties(unit, &["FreezerState"])?.text("FreezerState");
            if state == wanted {
                return Ok(());
            }
            if std::time::Instant::now() > deadline {
                let what = format!("{method} of {unit}, which is {state},");
                return Err(Error::Timeout { what, limit: CALL_LIMIT });
            }
        }
    }

    fn runtime(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let new = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("dbus")
            .enable_all()
            .build()
            .map_err(|error| Error::NoBus { reason: error.to_string() })?;
        if let Err(spare) = self.runtime.set(new) {
            // Another thread was quicker. A plain drop would panic inside somebody's async code.
            spare.shutdown_background();
        }
        Ok(self.runtime.get().expect("set above, by us or by another thread"))
    }

    async fn link(&self) -> zbus::Result<Arc<Link>> {
        if let Some(link) = &*self.link.lock().unwrap_or_else(PoisonError::into_inner)
            && !link.connection.is_closed()
        {
            return Ok(Arc::clone(link));
        }
        let new = Arc::new(Link::open(&self.address).await?);
        // Two threads may both have opened one; the later stays, the other goes when its call is done.
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&new));
        Ok(new)
    }

    fn forget(&self, gone: &Arc<Link>) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, gone)) {
            *link = None;
        }
    }

    /// Waits for the end of a job, also across the loss of the connection.
    async fn wait_for(&self, mut link: Arc<Link>, job: &Job<'_>) -> zbus::Result<JobResult> {
        loop {
            let end = link.jobs.wait(job.path.as_str());
            match timeout(ASK_EVERY, end).await {
                Ok(Ok(result)) => return Ok(result),
                Ok(Err(_)) => link = self.new_link(&link).await?,
                Err(_) => {}
            }
            let mut asked = link.lost_end(job).await;
            // systemd's own connection may be what is lost: it makes a new one. The job goes on.
            for _ in 0..PATIENCE {
                if !asked.as_ref().is_err_and(is_gone) {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
                link = self.new_link(&link).await?;
                asked = link.lost_end(job).await;
            }
            if let Some(result) = asked? {
                return Ok(result);
            }
        }
    }

    async fn new_link(&self, lost: &Arc<Link>) -> zbus::Result<Arc<Link>> {
        self.forget(lost);
        self.link().await
    }
}

impl Drop for SystemdBus {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A method of an object of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) service: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) method: &'a str,
}

/// A job under way.
struct Job<'a> {
    path: OwnedObjectPath,
    kind: JobKind,
    unit: &'a str,
}

impl Link {
    async fn open(address: &str) -> zbus::Result<Self> {
        let connection = zbus::connection::Builder::address(address).build().await?;
        let rule =
            format!("type='signal',sender='{SERVICE}',interface='{MANAGER}',member='JobRemoved'");
        let mut ends =
            MessageStream::for_match_rule(MatchRule::try_from(rule.as_str())?, &connection, None)
                .await?;
        let jobs = Arc::new(Jobs::default());
        let noting = Arc::clone(&jobs);
        tokio::spawn(async move {
            while let Some(Ok(message)) = ends.next().await {
                if let Ok((_, job, _, result)) = message.body().deserialize::<JobRemoved>() {
                    noting.end(job.to_string(), &JobResult::parse(&result));
                }
            }
            noting.close();
        });
        Ok(Self { connection, jobs })
    }

    async fn call<B, R>(&self, call: &Call<'_>, body: &B) -> zbus::Result<R>
    where
        B: serde::Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        let Call { service, path, interface, method } = *call;
        let reply =
            self.connection.call_method(Some(service), path, Some(interface), method, body).await?;
        reply.body().deserialize()
    }

    async fn manager<B, R>(&self, method: &str, body: &B) -> zbus::Result<R>
    where
        B: serde::Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        self.call(&Call { service: SERVICE, path: PATH, interface: MANAGER, method }, body).await
    }

    /// How a job ended whose end we were not told: nothing while it still exists.
    async fn lost_end(&self, job: &Job<'_>) -> zbus::Result<Option<JobResult>> {
        let number = job.path.as_str().rsplit('/').next().and_then(|n| n.parse::<u32>().ok());
        let asked: zbus::Result<OwnedObjectPath> =
            self.manager("GetJob", &(number.unwrap_or(0),)).await;
        match asked {
            Ok(_) => return Ok(None),
            Err(zbus::Error::MethodError(name, ..)) if name.as_str().ends_with(".NoSuchJob") => {}
            Err(error) => return Err(error),
        }
        let path = unit_path(job.unit);
        let call = Call { service: SERVICE, path: &path, interface: PROPERTIES, method: "GetAll" };
        let all = self.call(&call, &("org.freedesktop.systemd1.Unit",)).await?;
        let active = ActiveState::parse(&pick(all, &["ActiveState"]).text("ActiveState"));
        let done = match job.kind {
            JobKind::Stop => !active.is_up(),
            // A oneshot that has done its work is inactive again.
            _ => active != ActiveState::Failed,
        };
        Ok(Some(if done { JobResult::Done } else { JobResult::Failed }))
    }
}

impl Systemd for SystemdBus {
    fn run_job(&self, job: JobKind, unit: &str, limit: Duration) -> Result<JobResult> {
        let started = std::time::Instant::now();
        let (link, path) = self.with_link(unit, async |link: Arc<Link>| {
            let path: OwnedObjectPath = link.manager(job.method(), &(unit, job.mode())).await?;
            Ok((link, path))
        })?;
        let work = Job { path, kind: job, unit };
        let left = limit.saturating_sub(started.elapsed());
        let waited = self
            .runtime()?
            .block_on(async { timeout(left, awake(NEWS, self.wait_for(link, &work))).await });
        match waited {
            Err(_) => Err(Error::Timeout { what: format!("{job} of {unit}"), limit }),
            Ok(Err(error)) => Err(classify(&error, unit)),
            Ok(Ok(result @ (JobResult::Done | JobResult::Skipped))) => Ok(result),
            Ok(Ok(result)) => Err(Error::JobFailed { unit: unit.to_owned(), job, result }),
        }
    }

    fn queue_job(&self, job: JobKind, unit: &str) -> Result<()> {
        self.manager::<_, OwnedObjectPath>(unit, job.method(), &(unit, job.mode())).map(drop)
    }

    fn kill(&self, unit: &str, whom: Whom, signal: i32) -> Result<()> {
        self.manager(unit, "KillUnit", &(unit, whom.word(), signal))
    }

    fn freeze(&self, unit: &str) -> Result<()> {
        self.until_frozen(unit, "FreezeUnit", "frozen")
    }

    fn thaw(&self, unit: &str) -> Result<()> {
        self.until_frozen(unit, "ThawUnit", "running")
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        self.manager(unit, "ResetFailedUnit", &(unit,))
    }

    fn daemon_reload(&self) -> Result<()> {
        self.manager("", "Reload", &())
    }

    fn set_properties(
        &self,
        unit: &str,
        lifetime: Lifetime,
        settings: &[(&str, Setting)],
    ) -> Result<()> {
        let values: Vec<(&str, Variant<'_>)> =
            settings.iter().map(|(name, setting)| (*name, variant(setting))).collect();
        let runtime = lifetime == Lifetime::Runtime;
        self.manager(unit, "SetUnitProperties", &(unit, runtime, values))
    }

    fn list_units(&self, patterns: &[&str]) -> Result<Vec<UnitSummary>> {
        let no_states: [&str; 0] = [];
        let rows: Vec<UnitRow> =
            self.manager("", "ListUnitsByPatterns", &(&no_states[..], patterns))?;
        Ok(rows.into_iter().map(UnitSummary::from).collect())
    }

    fn unit_status(&self, unit: &str) -> Result<UnitStatus> {
        Ok(UnitStatus::from(&self.unit_properties(unit, &[])?))
    }

    fn unit_properties(&self, unit: &str, names: &[&str]) -> Result<Properties> {
        // Without an interface systemd gives the properties of all.
        let all = self.with_link(unit, async |link: Arc<Link>| {
            let path = unit_path(unit);
            let call =
                Call { service: SERVICE, path: &path, interface: PROPERTIES, method: "GetAll" };
            link.call(&call, &("",)).await
        })?;
        Ok(pick(all, names))
    }

    fn enable(&self, units: &[&str], lifetime: Lifetime) -> Result<()> {
        let body = (units, lifetime == Lifetime::Runtime, true);
        let unit = units.first().copied().unwrap_or_default();
        self.manager::<_, (bool, Vec<UnitFileChange>)>(unit, "EnableUnitFiles", &body).map(drop)
    }

    fn disable(&self, units: &[&str], lifetime: Lifetime) -> Result<()> {
        let body = (units, lifetime == Lifetime::Runtime);
        let unit = units.first().copied().unwrap_or_default();
        self.manager::<_, Vec<UnitFileChange>>(unit, "DisableUnitFiles", &body).map(drop)
    }

    fn version(&self) -> Result<String> {
        Ok(self.get(SERVICE, PATH, MANAGER, &["Version"])?.text("Version"))
    }

    fn watch(&self, patterns: &[&str]) -> Result<UnitWatch> {
        let (feed, watch) = UnitWatch::new();
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        let states = format!(
            "type='signal',sender='{SERVICE}',interface='{PROPERTIES}',member='PropertiesChanged',\
             path_namespace='{PATH}/unit',arg0='{SERVICE}.Unit'"
        );
        let manager =
            format!("type='signal',sender='{SERVICE}',interface='{MANAGER}',path='{PATH}'");
        let feed = Arc::new(Mutex::new(feed));
        let tasks = self.with_link("", async |link: Arc<Link>| {
            link.manager::<_, ()>("Subscribe", &()).await.or_else(already_subscribed)?;
            let mut tasks = Vec::new();
            for rule in [states.as_str(), manager.as_str()] {
                let rule = MatchRule::try_from(rule)?;
                let signals = MessageStream::for_match_rule(rule, &link.connection, None).await?;
                // Read from at once: while a stream is full, zbus takes in nothing for anybody, the next reply to us included.
                let task = tokio::spawn(pump(signals, patterns.clone(), Arc::clone(&feed)));
                tasks.push(AbortOnDrop(task.abort_handle()));
            }
            Ok(tasks)
        })?;
        Ok(watch.fed_by(tasks))
    }
}

/// Waits for this, and keeps systemd awake meanwhile.
async fn awake<T>(news: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        if let Ok(done) = timeout(SILENCE, &mut work).await {
            return done;
        }
        // It is no news to systemd, but wakes it; where there is nobody who listens, nobody sleeps.
        let told = UnixDatagram::unbound().and_then(|socket| {
            // Where it has not read what others have told it, it is awake.
            socket.set_nonblocking(true)?;
            socket.send_to(b"X_VOLT_WAITS=1", news)
        });
        drop(told);
    }
}

/// Turns the signals of one rule into events for one watch.
async fn pump(
    mut signals: impl futures_util::Stream<Item = zbus::Result<zbus::Message>> + Unpin,
    patterns: Vec<String>,
    feed: Arc<Mutex<Feed>>,
) {
    while let Some(Ok(message)) = signals.next().await {
        let Some(event) = event_of(&message) else { continue };
        let wanted = event.unit.is_empty()
            || patterns.is_empty()
            || patterns.iter().any(|pattern| matches_pattern(pattern, &event.unit));
        if wanted && !feed.lock().unwrap_or_else(PoisonError::into_inner).send(event) {
            return;
        }
    }
}

fn already_subscribed(error: zbus::Error) -> zbus::Result<()> {
    match error {
        zbus::Error::MethodError(name, ..) if name.as_str().ends_with(".AlreadySubscribed") => {
            Ok(())
        }
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends some that nobody reads. Whether there was room for it.
    fn fills(path: &str) -> bool {
        let socket = UnixDatagram::unbound().unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.send_to(b"more", path).is_ok()
    }

    #[tokio::test]
    async fn systemd_is_kept_awake_while_somebody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("news");
        let news = UnixDatagram::bind(&path).unwrap();
        news.set_nonblocking(true).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(awake(path, async { 1 }).await, 1);
        assert!(news.recv(&mut [0; 64]).is_err(), "it was told of what took no time");
        awake(path, tokio::time::sleep(SILENCE + SILENCE / 2)).await;
        let mut bytes = [0; 64];
        let length = news.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"X_VOLT_WAITS=1");
        // Nor where nothing more goes in.
        while fills(path) {}
        awake(path, tokio::time::sleep(SILENCE + SILENCE / 2)).await;
        // Without anybody there it is waited all the same.
        awake("/nowhere", tokio::time::sleep(SILENCE + SILENCE / 2)).await;
    }
}
