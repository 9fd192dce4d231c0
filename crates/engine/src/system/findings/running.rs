//! What runs and has lost what it needs, what systemd has not read, failures of what is gone, and a configuration nobody can use.

use super::{Facts, Found, Mend, container_of_unit};
use crate::{Engine, health};
use volt_host::namespaces;
use volt_host::systemd::{ActiveState, UnitSummary};
use volt_model::container::{Network, unit};
use volt_model::name::Name;

impl Engine {
    pub(super) fn running_findings(&self, facts: &Facts) -> Vec<Found> {
        let mut found = Vec::new();
        for listed in &facts.units {
            let of = container_of_unit(&listed.name);
            if of.as_ref().is_some_and(|name| self.is_name_busy(name)) || listed.job.is_some() {
                continue;
            }
            match (of, listed.active) {
                (Some(name), ActiveState::Failed) if !facts.containers.contains(&name) => {
                    let why = format!("it failed for the container {name}, which is gone");
                    found.push(Found::new(
                        &listed.name,
                        why,
                        Mend::ForgetFailure(listed.name.clone()),
                    ));
                }
                (Some(name), ActiveState::Active) => {
                    if unit::container_of(&listed.name).is_some() {
                        found.extend(self.lost(&name));
                    }
                    found.extend(self.unread(listed));
                }
                (None, ActiveState::Active) => found.extend(self.unread(listed)),
                _ => {}
            }
        }
        found
    }

    /// What a container that runs no longer has. Only a new start makes it again, and that is for its user to say.
    fn lost(&self, name: &Name) -> Vec<Found> {
        let Ok(spec) = self.spec(name) else { return Vec::new() };
        let mut found = Vec::new();
        let restart = format!("`volt container restart {name}` makes it again");
        let run = self.paths().container_run(name);
        if !run.join("leader").exists() {
            let why = format!("{name} runs without its run folder and can't be reached; {restart}");
            found.push(Found::path(&run, why, Mend::Nothing));
        }
        let netns = self.paths().container_netns(name);
        if spec.network == Network::None && !namespaces::is_netns(&netns).unwrap_or(false) {
            let why = format!("{name} runs without the name of its network namespace; {restart}");
            found.push(Found::path(&netns, why, Mend::Nothing));
        }
        found
    }

    /// A unit that is up by an older text than that on disk.
    fn unread(&self, listed: &UnitSummary) -> Option<Found> {
        let asked = self.systemd().unit_properties(&listed.name, &["NeedDaemonReload"]).ok()?;
        let why = "its files have changed since systemd read them";
        asked.flag("NeedDaemonReload").then(|| Found::new(&listed.name, why, Mend::ReadUnits))
    }

    /// Health checks that the user has written and nobody heeds.
    pub(super) fn health_findings(&self) -> Vec<Found> {
        let checks = self.health_list().unwrap_or_default();
        let wrong = |view: health::View| {
            let path = self.check_path(&view.name);
            Some(Found::path(&path, view.problem?, Mend::Nothing))
        };
        checks.into_iter().filter_map(wrong).collect()
    }

    pub(super) fn config_finding(&self) -> Option<Found> {
        let error = self.config().err()?;
        let path = self.paths().config();
        Some(Found::path(&path, error.chain().join(": "), Mend::Nothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::{engine_on, spec, write_record};
    use std::sync::Arc;
    use volt_host::systemd::{FakeSystemd, JobKind, Property, Systemd as _};

    fn facts(engine: &Engine) -> Facts {
        let units = engine.systemd().list_units(&[]).unwrap();
        Facts {
            containers: engine.container_names().unwrap().into_iter().collect(),
            up: super::super::names_up(&units),
            units,
        }
    }

    #[test]
    fn what_is_amiss_with_units_is_found_and_mended() {
        let systemd = Arc::new(FakeSystemd::new());
        let (_dir, engine) = engine_on(systemd.clone());
        let web = spec("web");
        write_record(&engine, &web);
        let unit = web.unit();
        systemd.queue_job(JobKind::Start, &unit).unwrap();
        let gone = "volt-prepare@gone.service";
        systemd.set_state(gone, ActiveState::Failed, "failed");
        systemd.set_property(&unit, "NeedDaemonReload", Property::Bool(true));

        let found = engine.running_findings(&facts(&engine));
        let mut mends: Vec<Mend> = found.iter().map(|one| one.mend.clone()).collect();
        mends.retain(|mend| *mend != Mend::Nothing);
        assert_eq!(mends.len(), 2, "{found:?}");
        assert!(
            mends.contains(&Mend::ForgetFailure(gone.into())) && mends.contains(&Mend::ReadUnits)
        );
        assert_eq!(found.len(), 4, "the run folder and the network namespace are lost: {found:?}");
        for mend in &mends {
            engine.mend(mend).unwrap();
        }
        let calls = systemd.calls();
        assert!(calls.contains(&format!("reset-failed {gone}")), "{calls:?}");
        assert!(calls.contains(&"daemon-reload".to_owned()), "{calls:?}");
        systemd.set_property(&unit, "NeedDaemonReload", Property::Bool(false));
        let left = engine.running_findings(&facts(&engine));
        assert!(left.iter().all(|one| one.mend == Mend::Nothing), "{left:?}");
    }

    #[test]
    fn a_configuration_that_can_not_be_used_is_named() {
        let (_dir, engine) = engine_on(Arc::new(FakeSystemd::new()));
        assert!(engine.config_finding().is_none());
        let path = engine.paths().config();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "containers: 3\n").unwrap();
        let found = engine.config_finding().unwrap().finding;
        assert_eq!(found.subject, path.display().to_string());
        let error = engine.config().unwrap_err();
        assert!(error.message.contains(&found.subject), "{}", error.message);
    }
}
