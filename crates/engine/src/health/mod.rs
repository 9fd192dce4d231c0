//! Whether workloads are well: their checks, what is known of them, who looks, and the gates that wait for it.
//!
//! What is looked at stands in the container's record and, over it, in `etc/volt/health/NAME.yaml`. `volt-health.service` looks (`watch`,
//! `look`, `probe`), and keeps what it finds in `run/volt/health` and `var/lib/volt/health`; all others read it there.

mod configure;
mod gate;
mod look;
mod probe;
mod watch;

use crate::Engine;
use crate::config::parse;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use volt_host::files;
use volt_model::container::{Backend, Spec};
use volt_model::health::{Check, History, MAX_FILE, OnUnhealthy, State, Wanted};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// The most that a file of Volt's own may hold here, in bytes.
const MAX: usize = 4 << 20;

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
    /// The health of all containers that have a check, sorted by name.
    ///
    /// # Errors
    /// When the records can't be read.
    pub fn health_list(&self) -> Result<Vec<View>> {
        let written: BTreeSet<Name> = self.written_checks().into_iter().collect();
        let mut specs = self.specs()?;
        specs.retain(|spec| spec.health.is_some() || written.contains(&spec.name));
        Ok(specs.iter().map(|spec| self.health_view(spec)).collect())
    }

    /// The health of a container.
    ///
    /// # Errors
    /// `NotFound` for a container that isn't there, or has no check.
    pub fn health_status(&self, name: &Name) -> Result<View> {
        let spec = self.spec(name)?;
        let view = self.health_view(&spec);
        if view.check.is_none() && !view.from_file {
            return Err(no_check(name));
        }
        Ok(view)
    }

    /// What became of a container's health, the oldest first.
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

    pub(crate) fn health_view(&self, spec: &Spec) -> View {
        let (check, problem) = match self.check_of(spec) {
            Ok(check) => (check, None),
            Err(error) => (spec.health.clone(), Some(error.chain().join(": "))),
        };
        View {
            name: spec.name.clone(),
            check,
            from_file: self.check_path(&spec.name).exists(),
            problem,
            state: self.health_of(&spec.name),
            last_words: self.past_of(&spec.name).last_words().map(str::to_owned),
        }
    }

    /// What is to be looked at: the record's check, and over it what the user has written.
    pub(crate) fn check_of(&self, spec: &Spec) -> Result<Option<Check>> {
        let path = self.check_path(&spec.name);
        let text = match files::read_text(&path, MAX_FILE) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => return Ok(spec.health.clone()),
            Err(error) => return Err(error.into()),
        };
        parsed(&text, spec.health.as_ref()).map_err(|error| error.about(&path.display()))
    }

    /// The containers for which the user has written a check.
    fn written_checks(&self) -> Vec<Name> {
        let entries = std::fs::read_dir(self.paths().health_checks()).into_iter().flatten();
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".yaml")?.parse().ok())
            .collect()
    }

    /// What is known of the present run of a container.
    pub(crate) fn health_of(&self, name: &Name) -> Option<State> {
        let state: State = files::read_json(&self.health_path(name), MAX).ok()?;
        self.run_of(name).is_some_and(|run| run == state.run).then_some(state)
    }

    /// What tells a run that is up from others.
    fn run_of(&self, name: &Name) -> Option<String> {
        self.leader_identity(name).map(|leader| format!("{} {}", leader.pid, leader.start))
    }

    fn past_of(&self, name: &Name) -> History {
        files::read_json(&self.past_path(name), MAX).unwrap_or_default()
    }

    fn check_path(&self, name: &Name) -> PathBuf {
        self.paths().health_checks().join(format!("{name}.yaml"))
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

    /// Forgets what is known of a container that is gone. What the user has written stays.
    pub(crate) fn forget_health(&self, name: &Name) -> Result<()> {
        files::remove_file(&self.health_path(name))?;
        files::remove_file(&self.past_path(name))?;
        Ok(())
    }
}

fn no_check(name: &Name) -> Error {
    Error::new(ErrorKind::NotFound, format!("The container {name} has no health check"))
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
        let title = "Containers of the proot backend have no health checks";
        return Err(Error::new(ErrorKind::Dependency, title)
            .about(&spec.name)
            .because("they are looked at by a service of systemd".to_owned())
            .hinted("Leave it out, or use --backend systemd"));
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
        assert_eq!(engine.check_of(&spec).unwrap(), spec.health);
        std::fs::create_dir_all(engine.paths().health_checks()).unwrap();
        let path = engine.check_path(&spec.name);
        std::fs::write(&path, "retries: 7\n").unwrap();
        let check = engine.check_of(&spec).unwrap().unwrap();
        assert_eq!((check.probe, check.retries), (Probe::Tcp(80), 7));
        std::fs::write(&path, "retries: 7\ntcp: x\n").unwrap();
        let error = engine.check_of(&spec).unwrap_err();
        assert!(error.chain().join(": ").contains("line 2"), "{error:?}");
        std::fs::write(&path, "none: true\n").unwrap();
        assert_eq!(engine.check_of(&spec).unwrap(), None);
        // Also where the command was killed in between.
        let other: Name = "shop".parse().unwrap();
        engine.pass_health(&spec.name, &other).unwrap();
        engine.pass_health(&spec.name, &other).unwrap();
        assert_eq!(engine.written_checks(), [other]);
    }
}
