//! Containers as units around systemd-nspawn, or around proot: every change of state is a systemd job.

use super::proot::{self, refuse};
use super::{Backend, RunState};
use crate::Engine;
use crate::container::Exec;
use crate::container::exited::SYSTEMD_SAYS;
use crate::error::{Error, Result};
use crate::system::can::program;
use crate::workload::{Listener, Query, Usage, usage_of_unit};
use jiff::Timestamp;
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use volt_host::cgroup::Cgroup;
use volt_host::journal;
use volt_host::systemd::{self, ActiveState, JobKind, Lifetime, Setting, UnitSummary, UnitWatch};
use volt_model::container::{Spec, unit};
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;
use volt_model::limits::{Limits, Property, PropertyValue};
use volt_model::name::Name;
use volt_model::restart::Restart;
use volt_model::state::State;

/// How long a start may take before the command gives up waiting; systemd's own limit comes first.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How much longer than its own time-out a stop may take.
const STOP_SLACK: Duration = Duration::from_secs(30);
/// How long the processes of a container may take to stand still.
const FREEZE_LIMIT: Duration = Duration::from_secs(10);
/// How many of its last lines an error about a unit carries.
const LAST_LINES: u64 = 10;

/// The backend.
pub(super) struct Systemd {
    /// It is proot that enters the root, and not nspawn.
    pub(super) by_proot: bool,
}

impl Backend for Systemd {
    fn is_meant(&self, engine: &Engine) -> bool {
        engine.can_use_systemd()
    }

    fn is_usable(&self, engine: &Engine) -> bool {
        engine.can_use_systemd_to_look() && program("systemd-nspawn").is_some()
    }

    fn check(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        if !engine.can_use_systemd() {
            return Err(Error::new(
                ErrorKind::Dependency,
                "The systemd backend needs systemd as PID 1 and root",
            )
            .hinted("`--backend proot` runs without either; `volt system check` says more"));
        }
        if self.by_proot {
            refuse::what_it_can_not_do(spec)?;
            proot::is_there(unit::PROOT.as_ref())?;
        } else if program("systemd-nspawn").is_none() {
            return Err(Error::new(
                ErrorKind::Dependency,
                "The program systemd-nspawn is not installed",
            )
            .hinted("Install it: apt install systemd-container"));
        }
        if !engine.settings().programs.init.exists() {
            let init = engine.settings().programs.init.display().to_string();
            return Err(Error::new(ErrorKind::Dependency, format!("Volt's own {init} is missing"))
                .about(&spec.name)
                .hinted("Install Volt's package again, or put volt-init beside the volt binary"));
        }
        Ok(())
    }

    fn maps_ids(&self) -> bool {
        !self.by_proot
    }

    fn has_layer(&self) -> bool {
        true
    }

    fn can_boot(&self) -> bool {
        !self.by_proot
    }

    fn unit(&self, name: &Name) -> Option<String> {
        Some(unit::name(name))
    }

    fn finding(&self, engine: &Engine, spec: &Spec) -> Option<(PathBuf, &'static str)> {
        engine.unit_finding(spec)
    }

    fn watch(&self, engine: &Engine, spec: &Spec) -> Option<UnitWatch> {
        engine.can_use_systemd_to_look().then(|| engine.systemd().watch(&[&spec.unit()]).ok())?
    }

    fn install(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        let changed = engine.write_units(spec)?;
        // systemd keeps the old text of a unit that failed; forgetting the failure unloads it.
        if changed
            && state_of(engine, &spec.name)?.is_some_and(|unit| unit.active == ActiveState::Failed)
        {
            engine.systemd().reset_failed(&spec.unit())?;
        }
        Ok(())
    }

    fn uninstall(&self, engine: &Engine, name: &Name) -> Result<()> {
        if engine.can_use_systemd() {
            let units = [unit::name(name), unit::prepare_name(name), unit::exited_name(name)];
            // To ask anything of a unit that isn't loaded would load it.
            let loaded = engine.systemd().list_units(&units.each_ref().map(String::as_str))?;
            for unit in &loaded {
                if unit.name != units[2] && (unit.active.is_up() || unit.job.is_some()) {
                    let stopped = engine.systemd().stop(&unit.name, START_LIMIT);
                    stopped.map_err(|e| Error::from(e).about(name))?;
                }
                // One that didn't fail has no failure to forget.
                drop(engine.systemd().reset_failed(&unit.name));
            }
            engine.release(name)?;
        }
        engine.remove_units(name)
    }

    fn state(&self, engine: &Engine, spec: &Spec) -> Result<RunState> {
        let Some(listed) = state_of(engine, &spec.name)? else { return Ok(RunState::stopped()) };
        // systemd takes milliseconds to tell all it knows of a unit: only where its list says too little.
        let restarts = match spec.restart {
            Restart::No => 0,
            _ => engine.systemd().unit_status(&listed.name)?.restarts,
        };
        Ok(RunState {
            pid: engine.leader(&spec.name),
            restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
            ..run_state(engine, &listed)
        })
    }

    fn states(&self, engine: &Engine, _specs: &[Spec]) -> Result<HashMap<Name, RunState>> {
        if !engine.can_use_systemd_to_look() {
            return Ok(HashMap::new());
        }
        let listed = engine.systemd().list_units(&["volt-container@*.service"])?;
        Ok(listed
            .iter()
            .filter_map(|unit| Some((unit::container_of(&unit.name)?, run_state(engine, unit))))
            .collect())
    }

    fn start(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        let begun = Timestamp::now();
        get_ready(engine, spec)?;
        if matches!(spec.restart, Restart::OnFailure(Some(_))) {
            // systemd counts this start too, and has perhaps given up on those before.
            drop(engine.systemd().reset_failed(&spec.unit()));
        }
        engine.systemd().run_job(JobKind::Start, &spec.unit(), START_LIMIT).map_err(|e| {
            // A unit that failed before its process ran has nobody else to clear up after it.
            if let Err(error) = engine.clear_run(&spec.name) {
                tracing::warn!(name = %spec.name, error = %error.chain().join(": "), "what was left of a start can't be taken away");
            }
            explain(engine, spec, e, begun)
        })?;
        engine.wait_for_proxy(spec);
        Ok(())
    }

    fn stop(&self, engine: &Engine, spec: &Spec, timeout: Option<Duration>) -> Result<()> {
        // The relay asks systemd for more time where it needs it.
        let patience = engine.stop_patience(spec, timeout)?;
        engine.systemd().run_job(JobKind::Stop, &spec.unit(), patience + STOP_SLACK)?;
        // The container is down; its root and namespace go with the unit that prepared them, or have gone with its main process.
        let prepare = unit::prepare_name(&spec.name);
        let loaded = engine.systemd().list_units(&[&prepare])?;
        if loaded.iter().any(|unit| unit.active.is_up() || unit.job.is_some()) {
            engine.systemd().stop(&prepare, STOP_SLACK)?;
        }
        engine.clear_run(&spec.name)
    }

    fn wait_until_down(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        let limit = Duration::from_secs(u64::from(spec.stop_timeout)) + STOP_SLACK;
        if wait_until_down(engine, spec, limit)? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Timeout, format!("The container {} does not go down", spec.name))
            .about(&spec.name))
    }

    fn kill(&self, engine: &Engine, spec: &Spec, signal: u8) -> Result<()> {
        if signal == 9 {
            // Only what is inside: nspawn, which stays, tells machined that the machine is gone. proot is inside.
            let group = payload(&engine.systemd().unit_status(&spec.unit())?.control_group)?;
            return group.kill().map_err(|e| Error::from(e).about(&spec.name));
        }
        // The relay passes it to the command, or to the image's own init.
        engine.send_frame(&spec.name, &Frame::Signal(signal))
    }

    fn freeze(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        set_frozen(engine, spec, true)
    }

    fn thaw(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        set_frozen(engine, spec, false)
    }

    fn exec(&self, engine: &Engine, spec: &Spec, exec: &Exec) -> Result<UnixStream> {
        if self.by_proot {
            let user = exec.user.clone().or_else(|| spec.user.clone());
            refuse::what_it_can_not_do(&Spec { user, ..spec.clone() })?;
        }
        engine.exec_by_joining(spec, exec)
    }

    fn logs(
        &self,
        engine: &Engine,
        spec: &Spec,
        query: &Query,
        to: &mut Listener<'_>,
    ) -> Result<()> {
        engine.logs_of_units(spec, query, to)
    }

    fn usage(&self, _engine: &Engine, spec: &Spec) -> Usage {
        usage_of_unit(&format!("/system.slice/{}", spec.unit()))
    }

    fn apply_limits(&self, engine: &Engine, spec: &Spec, before: &Limits) -> Result<()> {
        let settings = changes(before, &spec.limits);
        let named: Vec<(&str, Setting)> =
            settings.iter().map(|(name, setting)| (*name, setting.clone())).collect();
        engine.systemd().set_properties(&spec.unit(), Lifetime::Runtime, &named)?;
        // The drop-in says the same for every later start: what was set for this run alone must not outlive it.
        let control = engine.paths().runtime_units.with_file_name("system.control");
        let transient = control.join(format!("{}.d", spec.unit()));
        volt_host::files::remove_tree(&transient)?;
        engine.reload_units()?;
        if before.rate == spec.limits.rate {
            return Ok(());
        }
        engine.limit_connections(spec)
    }
}

/// Has systemd read what it has not, and prepares the container unless systemd is at that already.
fn get_ready(engine: &Engine, spec: &Spec) -> Result<()> {
    let _root = engine.lock_root(&spec.name)?;
    let units = [spec.unit(), unit::prepare_name(&spec.name)];
    let listed = engine.systemd().list_units(&[&units[0], &units[1]])?;
    // A unit that is loaded since the boot, or for a container that had the name before, has the old text. To ask about one that
    // isn't loaded would load it.
    if listed.iter().any(|unit| unit.name == units[0]) {
        engine.read_if_changed(&units[0])?;
    }
    if listed.iter().any(|unit| unit.active.is_up() || unit.job.is_some()) {
        return Ok(());
    }
    engine.prepare_ahead(spec)
}

/// What systemd's list tells of a container.
fn run_state(engine: &Engine, listed: &UnitSummary) -> RunState {
    let frozen = frozen_by_name(&listed.name);
    let name = unit::container_of(&listed.name);
    // What ran has ended, and who waited for that knows it: the main process has still to wind up.
    let ended = |name: &Name| engine.paths().container_run(name).join("exit").exists();
    let state = match State::from_systemd(listed.active.word(), &listed.sub, frozen) {
        State::Running if name.as_ref().is_some_and(ended) => State::Stopping,
        state => state,
    };
    RunState {
        state,
        pid: None,
        started: name.and_then(|name| engine.started_at(&name)),
        restarts: 0,
    }
}

/// The unit of a container as systemd lists it; none where it isn't loaded.
fn state_of(engine: &Engine, name: &Name) -> Result<Option<UnitSummary>> {
    if !engine.can_use_systemd_to_look() {
        return Ok(None);
    }
    Ok(engine.systemd().list_units(&[&unit::name(name)])?.into_iter().next())
}

/// The cgroup in which all is that is inside a container.
fn payload(control_group: &str) -> Result<Cgroup> {
    Ok(Cgroup::of_unit(control_group)?.child("payload"))
}

fn frozen_by_name(unit: &str) -> bool {
    is_frozen(&format!("/system.slice/{unit}"))
}

fn is_frozen(control_group: &str) -> bool {
    !control_group.is_empty()
        && payload(control_group).is_ok_and(|group| group.is_frozen().unwrap_or(false))
}

/// Freezes the payload, not the unit: nspawn and the relay stay responsive, so a stop still works at once.
fn set_frozen(engine: &Engine, spec: &Spec, frozen: bool) -> Result<()> {
    let group = payload(&engine.systemd().unit_status(&spec.unit())?.control_group)?;
    let done = if frozen { group.freeze(FREEZE_LIMIT) } else { group.thaw() };
    done.map_err(|e| Error::from(e).about(&spec.name))
}

fn wait_until_down(engine: &Engine, spec: &Spec, limit: Duration) -> Result<bool> {
    let watch = engine.systemd().watch(&[&spec.unit()])?;
    let deadline = std::time::Instant::now() + limit;
    loop {
        let active = engine.systemd().unit_status(&spec.unit())?.active;
        if matches!(active, ActiveState::Inactive | ActiveState::Failed) {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // Whatever comes, the state is asked again; a second at most makes up for a lost message.
        drop(watch.next(left.min(Duration::from_secs(1))));
    }
}

/// The error of a start that failed, with what the unit last said.
fn explain(engine: &Engine, spec: &Spec, error: systemd::Error, since: Timestamp) -> Error {
    if !matches!(error, systemd::Error::JobFailed { .. }) {
        return Error::from(error).about(&spec.name);
    }
    let why = match engine.start_failure(spec, since) {
        // What its own process said is in the journal too, between lines that say less.
        Some(told) if !told.starts_with(SYSTEMD_SAYS) => told,
        told => {
            let mut units = vec![spec.unit(), unit::prepare_name(&spec.name)];
            // What its volumes are on may be what could not be had.
            units.extend(
                engine.mounted_volumes(&spec.binds).keys().map(|name| engine.volume_unit(name)),
            );
            let mut all =
                vec![format!("{}; its last lines were", told.unwrap_or(error.to_string()))];
            all.extend(last_lines(&units, since));
            all.join("\n  ")
        }
    };
    Error::new(ErrorKind::General, format!("The container {} did not start", spec.name))
        .about(&spec.name)
        .because(why)
        .hinted(format!("See `volt logs {}` or `systemctl status {}`", spec.name, spec.unit()))
}

/// What units said last, oldest first. Without the journal there is nothing to add to an error.
pub(crate) fn last_lines(units: &[String], since: Timestamp) -> Vec<String> {
    let query = units.iter().fold(journal::Query::new(), |query, unit| query.about(unit));
    // What was written a moment ago may still be on its way.
    journal::sync();
    let Ok(reader) = query.since(since.into()).lines(LAST_LINES).read() else { return Vec::new() };
    reader.flatten().map(|entry| String::from_utf8_lossy(&entry.message).into_owned()).collect()
}

/// What is to be told of a unit that runs so that its limits, which were `before`, are `now`. Of devices that is said of each: a
/// list adds to what systemd knows, and what it has forgotten since, because its files were read again, the kernel still has.
fn changes(before: &Limits, now: &Limits) -> Vec<(&'static str, Setting)> {
    let mut all = settings(&now.properties());
    for old in before.properties() {
        let (name, gone) = unlimited(&old);
        match (all.iter_mut().find(|(set, _)| *set == name), gone) {
            (None, gone) => all.push((name, gone)),
            (Some((_, Setting::Limits(list))), Setting::Limits(gone)) => {
                let gone = gone.into_iter().filter(|(path, _)| list.iter().all(|l| l.0 != *path));
                let gone: Vec<_> = gone.collect();
                list.extend(gone);
            }
            (Some(_), _) => {}
        }
    }
    all
}

/// What this unit property is where a container has no such limit, as D-Bus has it.
fn unlimited(property: &Property) -> (&'static str, Setting) {
    match (property.directive, &property.value) {
        // What the template says.
        ("TasksMax", _) => ("TasksMax", Setting::U64(16_384)),
        ("CPUQuota", _) => ("CPUQuotaPerSecUSec", Setting::U64(u64::MAX)),
        (directive, PropertyValue::Device(path, _)) => {
            (directive, Setting::Limits(vec![(path.clone(), u64::MAX)]))
        }
        (directive, _) => (directive, Setting::U64(u64::MAX)),
    }
}

/// Unit-file properties as D-Bus has them.
fn settings(properties: &[Property]) -> Vec<(&'static str, Setting)> {
    let mut all: Vec<(&'static str, Setting)> = Vec::new();
    for property in properties {
        match &property.value {
            PropertyValue::Number(n) => all.push((property.directive, Setting::U64(*n))),
            // 100 per cent is one second of CPU time a second.
            PropertyValue::Percent(n) => {
                all.push(("CPUQuotaPerSecUSec", Setting::U64(u64::from(*n) * 10_000)));
            }
            PropertyValue::Device(path, rate) => {
                let pair = (path.clone(), *rate);
                match all.iter_mut().find(|(name, _)| *name == property.directive) {
                    Some((_, Setting::Limits(list))) => list.push(pair),
                    _ => all.push((property.directive, Setting::Limits(vec![pair]))),
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::{engine_on, spec};
    use std::sync::Arc;
    use volt_host::systemd::{FakeSystemd, Systemd as _};
    use volt_model::size::Bytes;

    #[test]
    fn a_limit_that_is_taken_away_is_reset_live() {
        let systemd = Arc::new(FakeSystemd::new());
        let (_dir, engine) = engine_on(systemd.clone());
        let mut web = spec("web");
        systemd.queue_job(JobKind::Start, &web.unit()).unwrap();
        let before = Limits {
            memory: Some(Bytes(512 << 20)),
            cpu: Some(200),
            pids: Some(100),
            io_read_bps: vec!["/dev/vda:10M".parse().unwrap()],
            io_write_bps: vec!["/dev/vda:1M".parse().unwrap(), "/dev/vdb:2M".parse().unwrap()],
            ..Limits::default()
        };
        web.limits.cpu = Some(50);
        web.limits.io_write_bps = vec!["/dev/vdb:3M".parse().unwrap()];
        let disk = |path: &str, rate: u64| (path.to_owned(), rate);
        Systemd { by_proot: false }.apply_limits(&engine, &web, &before).unwrap();
        let set = systemd.unit(&web.unit()).unwrap().settings;
        for (name, value) in [
            ("MemoryMax", Setting::U64(u64::MAX)),
            ("TasksMax", Setting::U64(16_384)),
            ("CPUQuotaPerSecUSec", Setting::U64(500_000)),
            ("IOReadBandwidthMax", Setting::Limits(vec![disk("/dev/vda", u64::MAX)])),
            (
                "IOWriteBandwidthMax",
                Setting::Limits(vec![disk("/dev/vdb", 3 << 20), disk("/dev/vda", u64::MAX)]),
            ),
        ] {
            assert_eq!(set.get(name), Some(&value), "{name}");
        }
        assert_eq!(set.len(), 5, "{set:?}");
    }
}
