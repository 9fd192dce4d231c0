//! All that is known of a service.

use super::View;
use crate::Engine;
use crate::error::Result;
use crate::plain::is_frozen;
use jiff::Timestamp;
use volt_host::files;
use volt_host::systemd::MainExit;
use volt_model::name::Target;
use volt_model::state::State;
use volt_model::unitfile::parse_environment_file;

/// The most that is read of an environment, in bytes.
const MAX: usize = 4 << 20;

impl Engine {
    /// Shows a service of Volt's, or of the host's.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn service_status(&self, target: &Target) -> Result<View> {
        let unit = self.service_unit(target)?;
        let spec = match target {
            Target::Workload(name) => Some(self.service_spec(name)?),
            Target::Unit(_) => None,
        };
        let environment = spec
            .as_ref()
            .and_then(|spec| files::read_text(&self.service_environment(&spec.name), MAX).ok());
        let mut view = View {
            name: target.to_string(),
            description: spec
                .as_ref()
                .and_then(|spec| spec.description.clone())
                .unwrap_or_default(),
            unit,
            spec,
            state: State::Stopped,
            health: None,
            enabled: String::new(),
            pid: None,
            started: None,
            restarts: 0,
            result: String::new(),
            code: None,
            memory: None,
            tasks: None,
            environment: environment.map(|text| {
                let all = parse_environment_file(&text).into_iter();
                all.map(|(name, value)| format!("{name}={value}")).collect()
            }),
        };
        if self.can_use_systemd_to_look() {
            self.fill_in(&mut view)?;
        }
        Ok(view)
    }

    /// What systemd knows of it.
    pub(super) fn fill_in(&self, view: &mut View) -> Result<()> {
        let status = self.systemd().unit_status(&view.unit)?;
        if view.spec.is_none() {
            let all = self.systemd().unit_properties(&view.unit, &["Description"])?;
            view.description = all.text("Description");
        }
        let frozen = is_frozen(&status.control_group);
        view.state = State::from_systemd(status.active.word(), &status.sub, frozen);
        let health = view.spec.as_ref().and_then(|spec| self.health_of(&spec.name));
        view.health = health.filter(|_| view.state.is_alive()).map(|health| health.status);
        view.enabled = status.file_state;
        view.pid = status.main_pid;
        view.started = status.active_since.and_then(|time| Timestamp::try_from(time).ok());
        view.restarts = status.restarts;
        view.result = status.result;
        view.code = status.main_exit.map(|exit| match exit {
            MainExit::Exited(code) => code,
            MainExit::Signaled(signal) => 128 + signal,
        });
        view.memory = status.memory;
        view.tasks = status.tasks;
        Ok(())
    }
}
