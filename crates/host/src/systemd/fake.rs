//! systemd for the tests of the crates above: units and their states in memory, failures on request.

use super::watch::Feed;
use super::{
    ActiveState, Error, JobKind, JobResult, Lifetime, Properties, Property, Result, Setting,
    Systemd, UnitChange, UnitEvent, UnitStatus, UnitSummary, UnitWatch, Whom, matches_pattern,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A unit of the fake.
#[derive(Debug, Clone, Default)]
pub struct FakeUnit {
    /// Its properties; `ActiveState` and `SubState` are kept by the fake.
    pub properties: Properties,
    /// What `set_properties` set.
    pub settings: BTreeMap<String, Setting>,
    /// Signals it was sent.
    pub signals: Vec<i32>,
    /// Whether it is frozen.
    pub frozen: bool,
    /// Whether it is enabled.
    pub enabled: bool,
}

impl FakeUnit {
    fn active(&self) -> ActiveState {
        ActiveState::parse(&self.properties.text("ActiveState"))
    }

    fn set_state(&mut self, active: ActiveState, sub: &str) {
        self.set("ActiveState", active.word());
        self.set("SubState", sub);
    }

    fn set(&mut self, name: &str, value: &str) {
        self.properties.0.insert(name.to_owned(), Property::Text(value.to_owned()));
    }
}

/// systemd in memory. A job on an unknown unit makes it known: templates need no file here.
#[derive(Debug, Default)]
pub struct FakeSystemd {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    units: BTreeMap<String, FakeUnit>,
    failures: VecDeque<(String, Error)>,
    calls: Vec<String>,
    feeds: Vec<(Vec<String>, Feed)>,
}

impl FakeSystemd {
    /// One without units.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next call whose log line (`start web.service`) begins so fail with this error.
    pub fn fail_next(&self, call: &str, error: Error) {
        self.inner().failures.push_back((call.to_owned(), error));
    }

    /// What was called, in order, one line each: `start web.service`, `daemon-reload`.
    pub fn calls(&self) -> Vec<String> {
        self.inner().calls.clone()
    }

    /// A copy of a unit.
    pub fn unit(&self, name: &str) -> Option<FakeUnit> {
        self.inner().units.get(name).cloned()
    }

    /// Sets a state from outside, as when a process dies by itself.
    pub fn set_state(&self, name: &str, active: ActiveState, sub: &str) {
        self.inner().change(name, active, sub);
    }

    /// Sets a property.
    pub fn set_property(&self, unit: &str, name: &str, value: Property) {
        self.inner().unit(unit).properties.0.insert(name.to_owned(), value);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, call: String) -> Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        let failing =
            inner.failures.iter().position(|(prefix, _)| call.starts_with(prefix.as_str()));
        inner.calls.push(call);
        match failing.and_then(|at| inner.failures.remove(at)) {
            Some((_, error)) => Err(error),
            None => Ok(inner),
        }
    }
}

impl Inner {
    fn unit(&mut self, name: &str) -> &mut FakeUnit {
        self.units.entry(name.to_owned()).or_insert_with(|| {
            let mut unit = FakeUnit::default();
            unit.set_state(ActiveState::Inactive, "dead");
            unit.set("LoadState", "loaded");
            unit
        })
    }

    fn known(&mut self, name: &str) -> Result<&mut FakeUnit> {
        let unit = name.to_owned();
        self.units.get_mut(name).ok_or(Error::NoSuchUnit { unit })
    }

    fn change(&mut self, name: &str, active: ActiveState, sub: &str) {
        self.unit(name).set_state(active, sub);
        let change = UnitChange::State { active, sub: sub.to_owned() };
        let event = UnitEvent { unit: name.to_owned(), change };
        self.feeds.retain_mut(|(patterns, feed)| {
            let wanted = patterns.is_empty() || patterns.iter().any(|p| matches_pattern(p, name));
            !wanted || feed.send(event.clone())
        });
    }
}

impl Systemd for FakeSystemd {
    fn run_job(&self, job: JobKind, unit: &str, _limit: Duration) -> Result<JobResult> {
        self.queue_job(job, unit).map(|()| JobResult::Done)
    }

    fn queue_job(&self, job: JobKind, unit: &str) -> Result<()> {
        let mut inner = self.begin(format!("{job} {unit}"))?;
        match job {
            JobKind::Start | JobKind::StartAlone | JobKind::Restart => {
                inner.change(unit, ActiveState::Active, "running");
            }
            JobKind::Stop => {
                inner.known(unit)?;
                inner.change(unit, ActiveState::Inactive, "dead");
            }
            JobKind::TryRestart | JobKind::ReloadOrTryRestart => {}
        }
        Ok(())
    }

    fn kill(&self, unit: &str, whom: Whom, signal: i32) -> Result<()> {
        let mut inner = self.begin(format!("kill {unit} {} {signal}", whom.word()))?;
        inner.known(unit)?.signals.push(signal);
        Ok(())
    }

    fn freeze(&self, unit: &str) -> Result<()> {
        self.begin(format!("freeze {unit}"))?.known(unit)?.frozen = true;
        Ok(())
    }

    fn thaw(&self, unit: &str) -> Result<()> {
        self.begin(format!("thaw {unit}"))?.known(unit)?.frozen = false;
        Ok(())
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        let mut inner = self.begin(format!("reset-failed {unit}"))?;
        if inner.known(unit)?.active() == ActiveState::Failed {
            inner.change(unit, ActiveState::Inactive, "dead");
        }
        Ok(())
    }

    fn daemon_reload(&self) -> Result<()> {
        self.begin("daemon-reload".to_owned()).map(drop)
    }

    fn set_properties(
        &self,
        unit: &str,
        _lifetime: Lifetime,
        settings: &[(&str, Setting)],
    ) -> Result<()> {
        let mut inner = self.begin(format!("set-properties {unit}"))?;
        let known = inner.known(unit)?;
        known
            .settings
            .extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Ok(())
    }

    fn list_units(&self, patterns: &[&str]) -> Result<Vec<UnitSummary>> {
        let inner = self.begin("list-units".to_owned())?;
        let wanted =
            |name: &str| patterns.is_empty() || patterns.iter().any(|p| matches_pattern(p, name));
        let listed = inner.units.iter().filter(|(name, _)| wanted(name));
        Ok(listed
            .map(|(name, unit)| UnitSummary {
                name: name.clone(),
                description: unit.properties.text("Description"),
                load: unit.properties.text("LoadState"),
                active: unit.active(),
                sub: unit.properties.text("SubState"),
                job: None,
            })
            .collect())
    }

    fn unit_status(&self, unit: &str) -> Result<UnitStatus> {
        Ok(UnitStatus::from(&self.unit_properties(unit, &[])?))
    }

    fn unit_properties(&self, unit: &str, names: &[&str]) -> Result<Properties> {
        let inner = self.begin(format!("show {unit}"))?;
        let mut properties = match inner.units.get(unit) {
            Some(unit) => unit.properties.clone(),
            None => {
                let mut none = FakeUnit::default();
                none.set_state(ActiveState::Inactive, "dead");
                none.set("LoadState", "not-found");
                none.properties
            }
        };
        properties.0.retain(|name, _| names.is_empty() || names.contains(&name.as_str()));
        Ok(properties)
    }

    fn enable(&self, units: &[&str], _lifetime: Lifetime) -> Result<()> {
        let mut inner = self.begin(format!("enable {}", units.join(" ")))?;
        units.iter().for_each(|unit| inner.unit(unit).enabled = true);
        Ok(())
    }

    fn disable(&self, units: &[&str], _lifetime: Lifetime) -> Result<()> {
        let mut inner = self.begin(format!("disable {}", units.join(" ")))?;
        units.iter().for_each(|unit| inner.unit(unit).enabled = false);
        Ok(())
    }

    fn version(&self) -> Result<String> {
        self.begin("version".to_owned()).map(|_| "257".to_owned())
    }

    fn watch(&self, patterns: &[&str]) -> Result<UnitWatch> {
        let mut inner = self.begin("watch".to_owned())?;
        let (feed, watch) = UnitWatch::new();
        inner.feeds.push((patterns.iter().map(|p| (*p).to_owned()).collect(), feed));
        Ok(watch)
    }
}
