//! Whether workloads are well: their checks, what is known of them, who looks, and the gates that wait for it.
//!
//! What is looked at stands in the record of the container or service and, over it, in `etc/volt/health/NAME.yaml`
//! or `NAME.service.yaml`. `volt-health.service` looks (`watch`, `look`, `probe`), and keeps what it finds in `run/volt/health` and `var/lib/volt/health`; all others read it there.

mod completed;
mod configure;
mod gate;
mod look;
mod probe;
mod subject;
mod watch;

pub(crate) use subject::Subject;

use crate::Engine;
use crate::config::parse;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use volt_host::files;
use volt_model::container::{Backend, Spec};
use volt_model::health::{Check, History, MAX_FILE, OnUnhealthy, State, Wanted};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// The most that a file of Volt's own may hold here, in bytes.
const MAX: usize = 4 << 20;
/// How the user's files of checks end.
const OF_CONTAINER: &str = ".yaml";
const OF_SERVICE: &str = ".service.yaml";

/// A workload's health, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The workload.
    pub name: Name,
    /// What is looked at; none where nothing is.
    pub check: Option<Check>,
    /// Whether the file of checks has a say in it.
    pub from_file: bool,
    /// Why that file is not heeded, where it is not.
    pub problem: Option<String>,
    /// What is known of the present run; none where it doesn't run, or nobody has looked yet.
    pub state: Option<State>,
    /// What the check said when it last failed.
    pub last_words: Option<String>,
}

impl Engine {
    /// The health of all containers and services that have a check, sorted by name.
    ///
    /// # Errors
    /// When the records can't be read.
    pub fn health_list(&self) -> Result<Vec<View>> {
        let mut all = self.subjects()?;
        all.retain(|one| one.own_check().is_some() || self.check_path(one.name()).exists());
        all.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(all.iter().map(|one| self.health_view(one)).collect())
    }

    /// The health of a container or service.
    ///
    /// # Errors
    /// `NotFound` for one that isn't there, or has no check.
    pub fn health_status(&self, name: &Name) -> Result<View> {
        let subject = self.subject(name)?;
        let view = self.health_view(&subject);
        if view.check.is_none() && !view.from_file {
            return Err(no_check(&subject));
        }
        Ok(view)
    }

    /// What became of a workload's health, the oldest first.
    ///
    /// # Errors
    /// As [`Engine::health_status`].
    pub fn health_history(&self, name: &Name) -> Result<History> {
        let history = self.past_of(name);
        if history.0.is_empty() {
            drop(self.health_status(name)?);
        }
        Ok(history)
    }

    pub(crate) fn health_view(&self, subject: &Subject) -> View {
        let (name, own) = (subject.name(), subject.own_check());
        let (check, problem) = match self.check_of(name, own) {
            Ok(check) => (check, None),
            Err(error) => (own.cloned(), Some(error.chain().join(": "))),
        };
        View {
            name: name.clone(),
            check,
            from_file: self.check_path(name).exists(),
            problem,
            state: self.health_of(name),
            last_words: self.past_of(name).last_words().map(str::to_owned),
        }
    }

    /// What is to be looked at: the record's check, and over it what the user has written.
    fn check_of(&self, name: &Name, own: Option<&Check>) -> Result<Option<Check>> {
        let path = self.check_path(name);
        let text = match files::read_text(&path, MAX_FILE) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => return Ok(own.cloned()),
            Err(error) => return Err(error.into()),
        };
        parsed(&text, own).map_err(|error| error.about(&path.display()))
    }

    /// What is known of the present run of a workload.
    pub(crate) fn health_of(&self, name: &Name) -> Option<State> {
        let state: State = files::read_json(&self.health_path(name), MAX).ok()?;
        self.run_of(name).is_some_and(|run| run == state.run).then_some(state)
    }

    fn past_of(&self, name: &Name) -> History {
        files::read_json(&self.past_path(name), MAX).unwrap_or_default()
    }

    /// Those of services are called otherwise: who may say what runs in a container may not say what runs on the host, whatever has the
    /// container's name after it.
    pub(crate) fn check_path(&self, name: &Name) -> PathBuf {
        let end = if self.service_exists(name) { OF_SERVICE } else { OF_CONTAINER };
        self.paths().health_checks().join(format!("{name}{end}"))
    }

    fn health_path(&self, name: &Name) -> PathBuf {
        self.paths().health().join(format!("{name}.json"))
    }

    fn past_path(&self, name: &Name) -> PathBuf {
        self.paths().health_history().join(format!("{name}.json"))
    }

    /// Gives a container under another name what the user has written for it; what was known of it is forgotten. May be called again.
    pub(crate) fn pass_health(&self, from: &Name, to: &Name) -> Result<()> {
        let (old, new) = (self.check_path(from), self.check_path(to));
        if old.exists() {
            std::fs::rename(&old, &new).map_err(|e| files::Error::new("rename", &old, e))?;
            files::sync_dir(&self.paths().health_checks())?;
        }
        self.forget_health(from)
    }

    /// Forgets what is known of a workload that is gone. What the user has written stays.
    pub(crate) fn forget_health(&self, name: &Name) -> Result<()> {
        files::remove_file(&self.health_path(name))?;
        files::remove_file(&self.past_path(name))?;
        Ok(())
    }
}

fn no_check(subject: &Subject) -> Error {
    let (name, word) = (subject.name(), subject.word());
    Error::new(ErrorKind::NotFound, format!("The {word} {name} has no health check"))
        .about(name)
        .hinted(format!("Give it one: volt health configure {name} --http 80/"))
}

/// The check that a file makes of the record's.
fn parsed(text: &str, base: Option<&Check>) -> Result<Option<Check>> {
    const TITLE: &str = "The health check can't be used";
    const HINT: &str = "`volt health configure --help` names all that may be said";
    let wanted: Option<Wanted> = parse::yaml(text, TITLE, HINT)?;
    wanted
        .unwrap_or_default()
        .over(base)
        .map_err(|error| Error::new(ErrorKind::InvalidConfig, TITLE).hinted(HINT).because(error))
}

/// Refuses checks that nobody would make, or that could not do what they are to.
pub(crate) fn refuse_useless(spec: &Spec) -> Result<()> {
    let Some(check) = &spec.health else { return Ok(()) };
    if spec.backend == Backend::Proot {
        let title = "Containers that no unit runs have no health checks";
        return Err(Error::new(ErrorKind::Dependency, title)
            .about(&spec.name)
            .because("they are looked at by a service of systemd".to_owned())
            .hinted("Leave it out, or make it as root on a host with systemd"));
    }
    if spec.auto_remove && check.on_unhealthy == OnUnhealthy::Restart {
        let title = "A container that is removed when it ends can't be restarted for its health";
        return Err(Error::new(ErrorKind::Usage, title)
            .about(&spec.name)
            .hinted("Choose one of --rm and --on-unhealthy restart"));
    }
    Ok(())
}

/// Makes a folder that all may read.
fn make_folder(path: &Path) -> Result<()> {
    Ok(files::create_dirs(path, 0o755)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::{engine, spec};
    use volt_model::health::Probe;

    #[test]
    fn what_is_written_holds_over_the_record_and_follows_a_name() {
        let (_dir, engine) = engine();
        let mut spec = spec("web");
        spec.health = Some(Check::by(Probe::Tcp(80)));
        assert_eq!(engine.check_of(&spec.name, spec.health.as_ref()).unwrap(), spec.health);
        std::fs::create_dir_all(engine.paths().health_checks()).unwrap();
        let path = engine.check_path(&spec.name);
        std::fs::write(&path, "retries: 7\n").unwrap();
        let check = engine.check_of(&spec.name, spec.health.as_ref()).unwrap().unwrap();
        assert_eq!((check.probe, check.retries), (Probe::Tcp(80), 7));
        std::fs::write(&path, "retries: 7\ntcp: x\n").unwrap();
        let error = engine.check_of(&spec.name, spec.health.as_ref()).unwrap_err();
        assert!(error.chain().join(": ").contains("line 2"), "{error:?}");
        std::fs::write(&path, "none: true\n").unwrap();
        assert_eq!(engine.check_of(&spec.name, spec.health.as_ref()).unwrap(), None);
        // What was written for a container isn't heeded for a service of its name.
        std::fs::create_dir_all(engine.paths().service(&spec.name)).unwrap();
        std::fs::write(engine.paths().service(&spec.name).join("config.json"), "{}").unwrap();
        assert_eq!(engine.check_of(&spec.name, spec.health.as_ref()).unwrap(), spec.health);
        std::fs::remove_dir_all(engine.paths().service(&spec.name)).unwrap();
        // Also where the command was killed in between.
        let other: Name = "shop".parse().unwrap();
        engine.pass_health(&spec.name, &other).unwrap();
        engine.pass_health(&spec.name, &other).unwrap();
        assert!(engine.check_path(&other).exists() && !engine.check_path(&spec.name).exists());
    }
}
