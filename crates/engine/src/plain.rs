//! Plain units of systemd that Volt writes for services and tasks: each is a file in `/etc/systemd/system` and a link to it in
//! `var/lib/volt/units`, both rendered from a record. What systemd knows is made what the records say by one function, which a
//! creation, a removal and whoever comes after a crash call alike.

use crate::Engine;
use crate::container::{last_lines, link, merged_environment};
use crate::error::{Error, Result};
use crate::intent::Intent;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::cgroup::Cgroup;
use volt_host::command::Command;
use volt_host::files::{self, Publish, Stage};
use volt_host::peer;
use volt_host::systemd::{self, AnalyzeError, JobKind, Property};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::service::Program;
use volt_model::unitfile::{UnitFileError, check_variable};

/// How every unit begins that is Volt's own.
const MARK: &str = "# Rendered by Volt ";
/// The most that is read of a unit file, in bytes.
pub(crate) const UNIT_MAX: usize = 1 << 20;
/// How long a job may take, beside what systemd gives the unit, before the command gives up waiting.
const JOB_SLACK: Duration = Duration::from_secs(120);
/// How long one is waited for whose unit has for ever.
const JOB_LIMIT: Duration = Duration::from_secs(24 * 3600);
/// How long systemd may take to remove what a unit wrote.
const CLEAN_LIMIT: Duration = Duration::from_secs(60);

impl Engine {
    /// Refuses what takes systemd and root, where either is missing.
    pub(crate) fn require_units(&self) -> Result<()> {
        if self.can_use_systemd() {
            return Ok(());
        }
        if self.can_use_systemd_to_look() {
            return Err(Error::new(ErrorKind::Permission, "This needs root").hinted("Use sudo"));
        }
        let title = "Services and tasks are units of the host's systemd, which isn't Volt's here";
        Err(Error::new(ErrorKind::Dependency, title)
            .hinted("They take systemd as PID 1, and no --root; `volt system check` says more"))
    }

    /// Refuses a program whose user the host doesn't have.
    pub(crate) fn check_program_user(&self, program: &Program) -> Result<()> {
        let Some(user) = &program.user else { return Ok(()) };
        let name = user.split(':').next().unwrap_or_default();
        let known = name.bytes().all(|b| b.is_ascii_digit()) || peer::user_id(name).is_some();
        if known { Ok(()) } else { Err(Error::not_found("user", &name)) }
    }

    /// Refuses a name whose unit the host has.
    pub(crate) fn refuse_unit_of_host(&self, unit: &str) -> Result<()> {
        let status = self.systemd().unit_status(unit)?;
        if status.load == "not-found" && !self.paths().units.join(unit).exists() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::AlreadyExists, format!("The host has a unit {unit} already"))
            .about(&unit)
            .hinted(format!("See `systemctl cat {unit}`, and choose another name")))
    }

    fn plain_unit_link(&self, unit: &str) -> PathBuf {
        self.paths().unit_links().join(unit)
    }

    /// Writes a unit, and the link to it before it.
    pub(crate) fn write_plain_unit(&self, unit: &str, text: &str) -> Result<()> {
        let path = self.paths().units.join(unit);
        files::create_dirs(&self.paths().unit_links(), 0o755)?;
        files::create_dirs(&self.paths().units, 0o755)?;
        link(&path, &self.plain_unit_link(unit))?;
        if files::read_text(&path, UNIT_MAX).ok().as_deref() != Some(text) {
            files::write_atomic(&path, text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Removes a unit of Volt's with what hangs on it; one of the host's is left alone. Whether there was one.
    pub(crate) fn remove_plain_unit(&self, unit: &str) -> Result<bool> {
        let link = self.plain_unit_link(unit);
        if link.symlink_metadata().is_err() {
            return Ok(false);
        }
        let path = self.paths().units.join(unit);
        let text = files::read_text(&path, UNIT_MAX);
        if text.as_ref().is_ok_and(|text| !text.starts_with(MARK)) {
            files::remove_file(&link)?;
            return Ok(false);
        }
        for target in ["multi-user.target.wants", "timers.target.wants"] {
            files::remove_file(&self.paths().units.join(target).join(unit))?;
        }
        files::remove_tree(&self.paths().units.join(format!("{unit}.d")))?;
        files::remove_file(&path)?;
        files::remove_file(&link)?;
        Ok(true)
    }

    /// Makes what systemd knows of this name what the records of services and tasks say. The name's lock must be held.
    pub(crate) fn settle_units(&self, name: &Name) -> Result<()> {
        files::sweep_drafts(&self.paths().units)?;
        self.settle_service(name)?;
        self.settle_task(name)?;
        if self.can_use_systemd() {
            self.reload_units()?;
        }
        Ok(())
    }

    /// Gives a record that was prepared its place, and has systemd know its units; or neither where it is a new one: what takes another's
    /// place is put right by whoever has the other. The name's lock must be held.
    pub(crate) fn publish_with_units(
        &self,
        name: &Name,
        stage: Stage,
        (place, how): (&Path, Publish),
    ) -> Result<()> {
        self.intend(&Intent::Units { name: name.clone() })?;
        if let Some(folder) = place.parent() {
            files::create_dirs(folder, 0o755)?;
        }
        let made = stage.publish(place, how).map_err(Error::from);
        if let Err(error) = made.and_then(|()| self.settle_units(name)) {
            if how == Publish::Replace {
                return Err(error);
            }
            let undone = files::remove_tree(place)
                .map_err(Error::from)
                .and_then(|()| self.settle_units(name))
                .and_then(|()| self.fulfil(name));
            if let Err(undo) = undone {
                tracing::error!(%name, error = %undo.chain().join(": "), "what was half made could not be undone");
            }
            return Err(error);
        }
        self.fulfil(name)
    }

    /// Refuses a unit that systemd would not take as it is: it is looked at beside these further files, none of them in its place.
    pub(crate) fn verify_unit(&self, unit: &str, unit_files: &[(String, &str)]) -> Result<()> {
        let stage = Stage::new(&self.paths().stages(), "verify")?;
        for (file, text) in unit_files {
            let path = stage.path().join(file);
            if let Some(dir) = path.parent() {
                files::create_dirs(dir, 0o755)?;
            }
            files::write_volatile(&path, text.as_bytes(), 0o644)?;
        }
        let found = systemd::verify(&stage.path().join(unit))?;
        if found.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidConfig, format!("systemd would not take {unit} as it is"))
            .about(&unit)
            .because(found.join("\n  ")))
    }

    /// Runs a job on a unit of a service or task; an error has the unit's last words.
    pub(crate) fn plain_job(&self, job: JobKind, unit: &str) -> Result<()> {
        self.require_units()?;
        let begun = Timestamp::now();
        if job != JobKind::Stop {
            // systemd may have given up on it before; and what failed has its old text.
            drop(self.systemd().reset_failed(unit));
            self.read_if_changed(unit)?;
        }
        let limit = self.job_limit(job, unit)?;
        self.systemd().run_job(job, unit, limit).map(drop).map_err(|error| {
            if !matches!(error, systemd::Error::JobFailed { .. }) {
                return Error::from(error).about(&unit);
            }
            let mut why = vec![format!("{error}; its last lines were")];
            why.extend(last_lines(&[unit.to_owned()], begun));
            let verb = if job == JobKind::Stop { "stop" } else { "start" };
            Error::new(ErrorKind::General, format!("{unit} did not {verb}"))
                .about(&unit)
                .because(why.join("\n  "))
                .hinted(format!("See `volt logs {unit}` or `systemctl status {unit}`"))
        })
    }

    /// How long a job on a unit may take: as long as systemd gives the unit for it, and some more.
    pub(crate) fn job_limit(&self, job: JobKind, unit: &str) -> Result<Duration> {
        let (stop, start) = ("TimeoutStopUSec", "TimeoutStartUSec");
        let names = match job {
            JobKind::Stop => &[stop][..],
            JobKind::Start => &[start],
            _ => &[stop, start],
        };
        let known = self.systemd().unit_properties(unit, names)?;
        let given = |name: &&str| match known.0.get(*name) {
            Some(Property::U64(micros)) => Duration::from_micros(*micros),
            _ => Duration::ZERO,
        };
        let all = names.iter().map(given).fold(JOB_SLACK, Duration::saturating_add);
        Ok(all.min(JOB_LIMIT))
    }

    /// Has systemd read what it has not of a unit.
    pub(crate) fn read_if_changed(&self, unit: &str) -> Result<()> {
        let loaded = self.systemd().unit_properties(unit, &["NeedDaemonReload", "DropInPaths"])?;
        let folder = self.paths().units.join(format!("{unit}.d"));
        if loaded.flag("NeedDaemonReload") || lacks_dropins(&folder, &loaded) {
            return self.reload_units();
        }
        Ok(())
    }

    /// Has systemd remove what it made for a unit, which must be down: folders of a service, and when a timer was last due.
    pub(crate) fn clean_unit(&self, unit: &str) {
        // A timer has nothing but its state, and refuses to clean all.
        let what = if unit.ends_with(".timer") { "--what=state" } else { "--what=all" };
        let cleaned = Command::new("systemctl")
            .args(["clean", what, "--", unit])
            .time_limit(CLEAN_LIMIT)
            .output_any_status();
        // One that never ran, or has none, has nothing to clean.
        if let Err(error) = cleaned {
            tracing::warn!(unit, %error, "the folders of a unit could not be removed");
        }
    }
}

/// Whether systemd has not read all drop-ins in the folder of a unit. It loads a unit because another one names it, also while that
/// folder is not there, and then doesn't look for it when it is asked whether the unit changed.
fn lacks_dropins(folder: &Path, loaded: &systemd::Properties) -> bool {
    let Some(systemd::Property::Texts(read)) = loaded.0.get("DropInPaths") else { return false };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(|path| {
        path.extension().is_some_and(|end| end == "conf")
            && !read.iter().any(|known| path == Path::new(known))
    })
}

/// Whether all processes of a unit are held still.
pub(crate) fn is_frozen(control_group: &str) -> bool {
    !control_group.is_empty()
        && Cgroup::of_unit(control_group).is_ok_and(|group| group.is_frozen().unwrap_or(false))
}

/// The cgroup of a unit of Volt's.
pub(crate) fn group_of(unit: &str) -> String {
    format!("/system.slice/{unit}")
}

/// What becomes of what a service or task that is removed wrote in the folders that systemd made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It stays, for whoever is called so next.
    Kept,
    /// It goes too.
    Removed,
}

impl Written {
    pub(crate) fn removed_if(removed: bool) -> Self {
        if removed { Self::Removed } else { Self::Kept }
    }
}

/// Variables with their values.
pub(crate) type Environment = Vec<(String, String)>;

/// The variables of an environment, the last of each name.
pub(crate) fn variables(given: &[String]) -> Result<Environment> {
    let split = |entry: String| {
        let (name, value) = entry.split_once('=').unwrap_or((&entry, ""));
        check_variable(name, value).map_err(|error: UnitFileError| {
            Error::new(ErrorKind::Usage, "The environment can't be so").about(&name).because(error)
        })?;
        Ok((name.to_owned(), value.to_owned()))
    };
    merged_environment(&[], given)?.into_iter().map(split).collect()
}

/// Writes a file with values that not everybody may read.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    files::write_volatile(path, text.as_bytes(), 0o640)?;
    Ok(files::share_with_group(path, crate::GROUP)?)
}

impl From<AnalyzeError> for Error {
    fn from(error: AnalyzeError) -> Self {
        match error {
            AnalyzeError::Refused(said) => {
                Self::new(ErrorKind::InvalidConfig, "systemd refuses it").because(said)
            }
            AnalyzeError::Command(error) => error.into(),
        }
    }
}
