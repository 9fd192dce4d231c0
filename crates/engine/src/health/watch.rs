//! The process that looks, `volt-health.service`: which containers run, what is to be looked at, and who looks after each.

use super::look::{Target, look_after};
use super::make_folder;
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use volt_host::files;
use volt_host::systemd::UnitWatch;
use volt_host::watch::FolderWatch;
use volt_model::container::{Backend, Spec};
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
    /// The checks as they were last found good.
    good: HashMap<Name, Option<Check>>,
    /// What is wrong with files, as it was last said.
    wrong: HashMap<Name, String>,
}

impl Engine {
    /// Looks after the health of all containers that run. `ready` is called when all that run are known. Returns only with an error.
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
        let folders =
            [self.paths().health_checks(), self.paths().containers(), self.paths().attached()];
        folders.iter().try_for_each(|folder| make_folder(folder))?;
        let paths: Vec<_> = folders.iter().map(|folder| folder.as_path()).collect();
        let (sender, heard) = unbounded_channel();
        listen_to_folders(FolderWatch::with_writes(&paths)?, sender.clone());
        listen_to_units(self.systemd().watch(&["volt-container@*.service"])?, sender);
        runtime.block_on(self.look_after_all(heard, ready))
    }

    async fn look_after_all(
        &self,
        mut heard: UnboundedReceiver<Heard>,
        ready: &mut dyn FnMut(),
    ) -> Result<()> {
        let mut watched = Watched::default();
        self.look_around(&mut watched);
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
            self.look_around(&mut watched);
        }
    }

    /// Looks after those that run, and gives up those that don't any more.
    fn look_around(&self, watched: &mut Watched) {
        let targets = match self.targets(watched) {
            Ok(targets) => targets,
            Err(error) => {
                tracing::error!(error = %error.chain().join(": "), "it can't be seen which containers run");
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
        self.forget_unwatched(&targets);
        for (name, target) in targets {
            watched.tasks.entry(name).or_insert_with(|| {
                let task = tokio::spawn(look_after(self.clone(), target.clone()));
                (target, task.abort_handle())
            });
        }
    }

    /// Takes away what was known of runs at which nobody looks any more.
    fn forget_unwatched(&self, targets: &HashMap<Name, Target>) {
        let entries = std::fs::read_dir(self.paths().health()).into_iter().flatten().flatten();
        let name = |entry: std::fs::DirEntry| -> Option<Name> {
            entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok()
        };
        for name in entries.filter_map(name).filter(|name| !targets.contains_key(name)) {
            let forgotten = if !self.container_exists(&name) {
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
    fn targets(&self, watched: &mut Watched) -> Result<HashMap<Name, Target>> {
        let specs = self.specs()?;
        watched.good.retain(|name, _| specs.iter().any(|spec| spec.name == *name));
        let target = |spec: &Spec| {
            let check = self.good_check(spec, watched)?;
            let run = self.run_of(&spec.name)?;
            Some(Target {
                name: spec.name.clone(),
                run,
                started: self.started_at(&spec.name)?,
                check,
                place: self.place_of(spec),
            })
        };
        let specs = specs.iter().filter(|spec| spec.backend == Backend::Systemd);
        Ok(specs.filter_map(target).map(|target| (target.name.clone(), target)).collect())
    }

    /// The check of a container. Where its file is wrong that is said once, and the one of before goes on.
    fn good_check(&self, spec: &Spec, watched: &mut Watched) -> Option<Check> {
        let name = &spec.name;
        match self.check_of(spec) {
            Ok(check) => {
                watched.wrong.remove(name);
                watched.good.insert(name.clone(), check.clone());
                check
            }
            Err(error) => {
                let error = error.chain().join(": ");
                if watched.wrong.get(name) != Some(&error) {
                    tracing::error!(%name, %error, "the file of the health check is not heeded");
                    watched.wrong.insert(name.clone(), error);
                }
                watched.good.get(name).unwrap_or(&spec.health).clone()
            }
        }
    }
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

fn listen_to_units(watch: UnitWatch, to: UnboundedSender<Heard>) {
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
