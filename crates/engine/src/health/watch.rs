//! The process that looks, `volt-health.service`: which workloads run, what is to be looked at, and who looks after each.

use super::look::{Target, look_after};
use super::subject::Run;
use super::{Subject, make_folder};
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use volt_host::files;
use volt_host::watch::FolderWatch;
use volt_model::health::Check;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How many commands may run in containers at a time; further ones wait.
const MOST: usize = 64;
/// How long nothing more must have happened until it is looked what has changed, and how long that may be put off.
const QUIET: Duration = Duration::from_millis(20);
const PUT_OFF: Duration = Duration::from_millis(300);
/// How often it is looked at all the same.
const LOOK: Duration = Duration::from_secs(30);
/// How long a thread waits for news before it waits again.
const LONG: Duration = Duration::from_secs(3600);

/// What the threads that listen hand over: something has changed, or nothing will be heard any more.
type Heard = Result<()>;

/// What is looked at.
#[derive(Default)]
struct Watched {
    tasks: HashMap<Name, (Target, AbortHandle)>,
    checks: Checks,
}

/// What is known of the user's files.
#[derive(Default)]
struct Checks {
    /// The checks as they were last found good.
    good: HashMap<Name, Option<Check>>,
    /// What is wrong with files, as it was last said.
    wrong: HashMap<Name, String>,
}

impl Engine {
    /// Looks after the health of all workloads that run. `ready` is called when all that run are known. Returns only with an error.
    ///
    /// # Errors
    /// When the news of systemd or of the folders can't be had.
    pub fn watch_health(&self, ready: &mut dyn FnMut()) -> Result<()> {
        let begin = |error: std::io::Error| {
            Error::new(ErrorKind::General, "Nobody can look at the health of workloads")
                .because(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MOST)
            .build()
            .map_err(begin)?;
        make_folder(&self.paths().health())?;
        let folders = [
            self.paths().health_checks(),
            self.paths().containers(),
            self.paths().services(),
            self.paths().attached(),
        ];
        folders.iter().try_for_each(|folder| make_folder(folder))?;
        let paths: Vec<_> = folders.iter().map(|folder| folder.as_path()).collect();
        let (sender, heard) = unbounded_channel();
        listen_to_folders(FolderWatch::with_writes(&paths)?, sender.clone());
        self.listen_to_units(sender)?;
        runtime.block_on(self.look_after_all(heard, ready))
    }

    /// Hands over that a unit of a container, or of a service of Volt's, has changed.
    fn listen_to_units(&self, to: UnboundedSender<Heard>) -> Result<()> {
        let (watch, engine) = (self.systemd().watch(&["*.service"])?, self.clone());
        std::thread::spawn(move || {
            loop {
                let news = match watch.next(LONG) {
                    Ok(Some(event)) if !engine.may_have_a_check(&event.unit) => continue,
                    news => news.map(drop).map_err(Error::from),
                };
                let is_over = news.is_err();
                if to.send(news).is_err() || is_over {
                    return;
                }
            }
        });
        Ok(())
    }

    /// Nothing is known of the unit where something was missed.
    fn may_have_a_check(&self, unit: &str) -> bool {
        let service = || unit.strip_suffix(".service")?.parse::<Name>().ok();
        unit.is_empty()
            || unit.starts_with("volt-container@")
            || service().is_some_and(|name| self.service_exists(&name))
    }

    async fn look_after_all(
        &self,
        mut heard: UnboundedReceiver<Heard>,
        ready: &mut dyn FnMut(),
    ) -> Result<()> {
        let mut watched = Watched::default();
        self.look_around(&mut watched).await;
        ready();
        loop {
            if let Ok(news) = tokio::time::timeout(LOOK, heard.recv()).await {
                news.unwrap_or_else(|| Err(deaf()))?;
            }
            // A start is several changes, and much may be started.
            let end = Instant::now() + PUT_OFF;
            while let Ok(news) =
                tokio::time::timeout_at(end.min(Instant::now() + QUIET), heard.recv()).await
            {
                news.unwrap_or_else(|| Err(deaf()))?;
                if Instant::now() >= end {
                    break;
                }
            }
            self.look_around(&mut watched).await;
        }
    }

    /// Looks after those that run, and gives up those that don't any more.
    async fn look_around(&self, watched: &mut Watched) {
        let (engine, mut checks) = (self.clone(), std::mem::take(&mut watched.checks));
        let found = aside(move || (engine.targets(&mut checks), checks)).await;
        let Some((targets, checks)) = found else { return };
        watched.checks = checks;
        let targets = match targets {
            Ok(targets) => targets,
            Err(error) => {
                tracing::error!(error = %error.chain().join(": "), "it can't be seen which workloads run");
                return;
            }
        };
        watched.tasks.retain(|name, (target, task)| {
            let stays = targets.get(name) == Some(target);
            if !stays {
                task.abort();
            }
            stays
        });
        let (engine, looked_at) = (self.clone(), targets.keys().cloned().collect());
        aside(move || engine.forget_unwatched(&looked_at)).await;
        for (name, target) in targets {
            watched.tasks.entry(name).or_insert_with(|| {
                let task = tokio::spawn(look_after(self.clone(), target.clone()));
                (target, task.abort_handle())
            });
        }
    }

    /// Takes away what was known of runs at which nobody looks any more.
    fn forget_unwatched(&self, looked_at: &HashSet<Name>) {
        let entries = std::fs::read_dir(self.paths().health()).into_iter().flatten().flatten();
        let name = |entry: std::fs::DirEntry| -> Option<Name> {
            entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok()
        };
        for name in entries.filter_map(name).filter(|name| !looked_at.contains(name)) {
            let forgotten = if !self.subject_exists(&name) {
                // A look was under way when it was removed.
                self.forget_health(&name)
            } else if self.health_of(&name).is_some() {
                files::remove_file(&self.health_path(&name)).map(drop).map_err(Error::from)
            } else {
                // That of a run that is over tells the next how often it was restarted.
                Ok(())
            };
            if let Err(error) = forgotten {
                tracing::warn!(%error, "what is not looked at any more seems to be");
            }
        }
    }

    /// What is to be looked at.
    fn targets(&self, checks: &mut Checks) -> Result<HashMap<Name, Target>> {
        let all = self.subjects()?;
        checks.good.retain(|name, _| all.iter().any(|one| one.name() == name));
        let target = |subject: &Subject| {
            let check = self.good_check(subject, checks)?;
            let Run { id, started, place } = self.subject_run(subject)?;
            Some(Target { name: subject.name().clone(), run: id, started, check, place })
        };
        let all = all.iter().filter(|subject| subject.is_systemds());
        Ok(all.filter_map(target).map(|target| (target.name.clone(), target)).collect())
    }

    /// The check of a workload. Where its file is wrong that is said once, and the one of before goes on.
    fn good_check(&self, subject: &Subject, checks: &mut Checks) -> Option<Check> {
        let (name, own) = (subject.name(), subject.own_check());
        match self.check_of(name, own) {
            Ok(check) => {
                checks.wrong.remove(name);
                checks.good.insert(name.clone(), check.clone());
                check
            }
            Err(error) => {
                let error = error.chain().join(": ");
                if checks.wrong.get(name) != Some(&error) {
                    tracing::error!(%name, %error, "the file of the health check is not heeded");
                    checks.wrong.insert(name.clone(), error);
                }
                checks.good.get(name).cloned().unwrap_or_else(|| own.cloned())
            }
        }
    }
}

/// Works on a thread of its own: systemd can't be asked on one of the runtime's, and those are for the commands. None where it panicked.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || drop(done.send(work())));
    result.await.ok()
}

fn deaf() -> Error {
    Error::new(ErrorKind::General, "Nothing is heard of containers any more")
}

fn listen_to_folders(watch: FolderWatch, to: UnboundedSender<Heard>) {
    std::thread::spawn(move || {
        loop {
            let news = watch.next(LONG).map(drop).map_err(Error::from);
            let is_over = news.is_err();
            if to.send(news).is_err() || is_over {
                return;
            }
        }
    });
}
