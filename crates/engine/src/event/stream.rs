//! The stream of events.

use super::folders::{Folders, HEALTH, OBJECT, RESTORED, restored_file, watched};
use super::plain::{state_of, workload_of};
use super::states::States;
use super::{Event, News};
use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use volt_host::files;
use volt_host::systemd::{UnitChange, UnitWatch};
use volt_host::watch::{Change, FolderWatch};
use volt_model::container::Spec;
use volt_model::health::Status;
use volt_model::name::Name;
use volt_model::state::State;

/// How soon `stop` is heeded.
const TICK: Duration = Duration::from_millis(250);
/// How often all states are looked at: frozen containers, those of backends that tell nothing, and what was missed.
const LOOK: Duration = Duration::from_secs(1);

/// What the threads that listen hand over.
enum Heard {
    Folder(Change),
    Unit(&'static str, Name, State),
    /// Something was missed, or a state must be asked for.
    Look,
}

impl Engine {
    /// Tells what happens until `each` says false or `stop` is set.
    ///
    /// # Errors
    /// When the folders can't be watched.
    pub fn event_stream(
        &self,
        each: &mut dyn FnMut(Event) -> bool,
        stop: &AtomicBool,
    ) -> Result<()> {
        let folders = watched(self.paths());
        // A folder that isn't there can't be watched. Who may not make it sees nothing come there.
        let folders: Vec<_> = folders
            .into_iter()
            .filter(|(path, kind)| {
                let mode = if *kind == OBJECT { 0o700 } else { 0o755 };
                files::create_dirs(path, mode).is_ok() && std::fs::read_dir(path).is_ok()
            })
            .collect();
        let paths: Vec<_> = folders.iter().map(|(path, _)| path.as_path()).collect();
        let (sender, heard) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let _ended = EndOnDrop(Arc::clone(&over));
        listen_to_folders(FolderWatch::new(&paths)?, sender.clone(), Arc::clone(&over));
        if self.can_use_systemd_to_look() {
            let units = self.systemd().watch(&["*.service"])?;
            listen_to_units(units, sender, over);
        }
        let mut teller = Teller {
            engine: self,
            folders: Folders::new(&folders),
            states: States::default(),
            specs: self.specs()?,
            each,
            told: 0,
            renamed: HashSet::new(),
            health: HashMap::new(),
            runs: HashMap::new(),
        };
        teller.begin()?;
        teller.tell(&heard, stop)
    }
}

/// Sets the flag when the stream ends, however it ends.
struct EndOnDrop(Arc<AtomicBool>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn listen_to_folders(watch: FolderWatch, to: Sender<Heard>, over: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            let Ok(changes) = watch.next(TICK) else { return };
            for change in changes {
                if to.send(Heard::Folder(change)).is_err() {
                    return;
                }
            }
        }
    });
}

fn listen_to_units(watch: UnitWatch, to: Sender<Heard>, over: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            // Without systemd's news the regular look goes on.
            let Ok(event) = watch.next(TICK) else { return };
            let Some(event) = event else { continue };
            let heard = match (event.change, workload_of(&event.unit)) {
                (UnitChange::State { active, sub }, Some((kind, name))) => {
                    let state = State::from_systemd(active.word(), &sub, false);
                    Heard::Unit(kind, name, state_of(kind, state))
                }
                (UnitChange::Missed, _) => Heard::Look,
                _ => continue,
            };
            if to.send(heard).is_err() {
                return;
            }
        }
    });
}

/// Tells one listener.
struct Teller<'a> {
    engine: &'a Engine,
    folders: Folders,
    states: States,
    specs: Vec<Spec>,
    each: &'a mut dyn FnMut(Event) -> bool,
    told: u64,
    /// Names that were given up for others.
    renamed: HashSet<String>,
    /// The runs of workloads, and how they are.
    health: HashMap<String, (String, Status)>,
    /// When the last run of each task ended that was told.
    runs: HashMap<Name, Timestamp>,
}

impl Teller<'_> {
    fn begin(&mut self) -> Result<()> {
        let states = self.engine.run_states(&self.specs)?;
        self.states.begin(states.into_iter().map(|(name, run)| ("container", name, run.state)));
        self.states.begin(self.engine.plain_states()?);
        for name in self.engine.task_names()? {
            if let Some(run) = self.engine.task_runs(&name)?.pop() {
                self.runs.insert(name, run.finished);
            }
        }
        let services = self.engine.service_names()?;
        for name in self.specs.iter().map(|spec| &spec.name).chain(&services) {
            if let Some(state) = self.engine.health_of(name) {
                self.health.insert(name.to_string(), (state.run, state.status));
            }
        }
        Ok(())
    }

    fn tell(&mut self, heard: &Receiver<Heard>, stop: &AtomicBool) -> Result<()> {
        let mut look = Instant::now() + LOOK;
        while !stop.load(Ordering::Relaxed) {
            let go_on = match heard.recv_timeout(TICK) {
                Ok(Heard::Folder(change)) => self.folder(change),
                Ok(Heard::Unit("container", name, _)) if self.renamed.contains(name.as_str()) => {
                    true
                }
                // A signal may be older than what is in the history.
                Ok(Heard::Unit("task", name, _)) => {
                    let mut own = self.plain();
                    own.retain(|(kind, one, _)| *kind == "task" && *one == name);
                    own.into_iter().all(|(kind, name, state)| self.unit(kind, &name, state))
                }
                Ok(Heard::Unit(kind, name, state)) => self.unit(kind, &name, state),
                Ok(Heard::Look) => {
                    look = Instant::now();
                    true
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(TICK);
                    true
                }
            };
            if !go_on {
                return Ok(());
            }
            if Instant::now() >= look {
                if !self.look() {
                    return Ok(());
                }
                look = Instant::now() + LOOK;
            }
        }
        Ok(())
    }

    fn folder(&mut self, change: Change) -> bool {
        let Some(news) = self.folders.news(change) else { return true };
        if news.kind == HEALTH {
            return self.health(&news.name);
        }
        if news.kind == "container" {
            // Reading them again is needed only when there are others.
            match self.engine.specs() {
                Ok(specs) => self.specs = specs,
                Err(error) => tracing::debug!(%error, "the containers can't be read"),
            }
            match news.action {
                "renamed" => {
                    let from = news.details.get("from").map_or("", String::as_str);
                    self.states.forget("container", from);
                    // What its old unit still has to say is of no container.
                    self.renamed.insert(from.to_owned());
                    self.renamed.remove(&news.name);
                }
                "created" => drop(self.renamed.remove(&news.name)),
                _ => {}
            }
        }
        if news.action == "deleted" {
            self.states.forget(news.kind, &news.name);
        }
        let restored = news.action == RESTORED;
        let news = if restored { self.with_what_was_lost(news) } else { news };
        self.send(news)
    }

    /// Tells how a workload is, where that is not known already.
    fn health(&mut self, name: &str) -> bool {
        let name: Option<Name> = name.parse().ok();
        let state = name.and_then(|name| Some((self.engine.health_of(&name)?, name)));
        let Some((state, name)) = state else { return true };
        let now = (state.run, state.status);
        if self.health.insert(name.to_string(), now.clone()).is_some_and(|before| before == now) {
            return true;
        }
        self.send(News::new(HEALTH, name.as_str(), state.status.word()).with("check", &state.check))
    }

    fn with_what_was_lost(&self, news: News) -> News {
        let path = self.engine.paths().restored().join(restored_file(news.kind, &news.name));
        match files::read_json::<Vec<String>>(&path, 1 << 16) {
            Ok(lost) => news.with("lost", &lost.join(", ")),
            Err(_) => news,
        }
    }

    /// What a unit has become.
    fn unit(&mut self, kind: &'static str, name: &Name, state: State) -> bool {
        match kind {
            "service" if !self.engine.service_exists(name) => true,
            "task" if !self.engine.task_exists(name) => true,
            "task" => self.task(name, state),
            _ => self.state(kind, name, state),
        }
    }

    fn state(&mut self, kind: &'static str, name: &Name, state: State) -> bool {
        let engine = self.engine;
        let exit = || match kind {
            "container" => engine.last_exit(name),
            "service" => engine.service_exit(name),
            _ => None,
        };
        match self.states.news(kind, name, state, exit) {
            Some(news) => self.send(news),
            None => true,
        }
    }

    /// Tells of a task's runs. How they ended is in its history, also of one that was over before anybody saw it. The state was asked
    /// for before: what has come to the history since makes it old, and the next look brings another.
    fn task(&mut self, name: &Name, state: State) -> bool {
        let mut runs = match self.engine.task_runs(name) {
            Ok(runs) => runs,
            Err(error) => {
                tracing::debug!(%name, %error, "the runs of a task can't be read");
                return true;
            }
        };
        let known = self.runs.get(name).copied();
        runs.retain(|run| known.is_none_or(|known| run.finished > known));
        let is_old = !runs.is_empty();
        for run in runs {
            self.runs.insert(name.clone(), run.finished);
            let begun = self.states.is_alive("task", name);
            let action = if run.succeeded() { "stopped" } else { "failed" };
            let ended = News::new("task", name.as_str(), action).with("reason", &run.result);
            let ended = match run.code {
                Some(code) => ended.with("exit_code", &code),
                None => ended,
            };
            // One that was never executed didn't start.
            let begins = !begun && run.started.is_some();
            if (begins && !self.send(News::new("task", name.as_str(), "started")))
                || !self.send(ended)
            {
                return false;
            }
            let now = if run.succeeded() { State::Stopped } else { State::Failed };
            self.states.told("task", name, now);
        }
        // Whether it failed is told by its history alone.
        let is_known = !state.is_alive() && !self.states.is_alive("task", name);
        is_old || is_known || self.state("task", name, state)
    }

    /// Looks at all states; those that aren't told of are stopped.
    fn look(&mut self) -> bool {
        let states = match self.engine.run_states(&self.specs) {
            Ok(states) => states,
            Err(error) => {
                tracing::debug!(%error, "the states can't be read");
                return true;
            }
        };
        for name in self.states.alive("container") {
            if !states.contains_key(&name) && !self.state("container", &name, State::Stopped) {
                return false;
            }
        }
        if !states.iter().all(|(name, run)| self.state("container", name, run.state)) {
            return false;
        }
        self.plain().into_iter().all(|(kind, name, state)| self.unit(kind, &name, state))
    }

    fn plain(&self) -> Vec<(&'static str, Name, State)> {
        self.engine.plain_states().unwrap_or_else(|error| {
            tracing::debug!(%error, "the states of services and tasks can't be read");
            Vec::new()
        })
    }

    fn send(&mut self, news: News) -> bool {
        self.told += 1;
        (self.each)(Event {
            id: self.told,
            time: Timestamp::now(),
            kind: news.kind,
            name: news.name,
            action: news.action,
            details: news.details,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::system::tests::engine;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn volumes_are_told_as_they_come_and_go() {
        let (_dir, engine) = engine();
        let (sender, told) = channel();
        let watcher = engine.clone();
        let thread = std::thread::spawn(move || {
            let mut each = |event: super::Event| {
                sender
                    .send(format!("{} {} {} {}", event.id, event.kind, event.name, event.action))
                    .is_ok()
                    && event.action != "deleted"
            };
            watcher.event_stream(&mut each, &AtomicBool::new(false))
        });
        let name = "data".parse().unwrap();
        // The stream has begun when it tells of one of these.
        let first = (0..100).find_map(|n| {
            drop(
                engine
                    .volume_create(
                        &format!("probe-{n}").parse().unwrap(),
                        crate::volume::Create::default(),
                    )
                    .unwrap(),
            );
            told.recv_timeout(Duration::from_millis(100)).ok()
        });
        assert!(first.unwrap().starts_with("1 volume probe-"));
        drop(engine.volume_create(&name, crate::volume::Create::default()).unwrap());
        engine.volume_delete(&name).unwrap();
        thread.join().unwrap().unwrap();
        let rest: Vec<String> = told.iter().collect();
        assert!(rest[rest.len() - 2].ends_with("volume data created"), "{rest:?}");
        assert!(rest[rest.len() - 1].ends_with("volume data deleted"), "{rest:?}");
    }
}
