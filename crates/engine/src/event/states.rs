//! From states of workloads to events. Pure.

use super::News;
use std::collections::HashMap;
use volt_model::container::Exit;
use volt_model::name::Name;
use volt_model::state::State;

/// The last state of each workload that was told, by its kind and name.
#[derive(Debug, Default)]
pub(super) struct States(HashMap<(&'static str, Name), State>);

impl States {
    /// Takes what is as known.
    pub(super) fn begin(&mut self, states: impl IntoIterator<Item = (&'static str, Name, State)>) {
        self.0.extend(states.into_iter().map(|(kind, name, state)| ((kind, name), state)));
    }

    /// What it means that the workload is in this state now; nothing where that is known already.
    pub(super) fn news(
        &mut self,
        kind: &'static str,
        name: &Name,
        state: State,
        exit: impl FnOnce() -> Option<Exit>,
    ) -> Option<News> {
        let before = self.0.insert((kind, name.clone()), state).unwrap_or(State::Stopped);
        let action = match (before, state) {
            (before, now) if before == now => return None,
            // systemd was told to forget how it ended.
            (State::Failed, State::Stopped) if kind != "container" => return None,
            (State::Frozen, State::Running) => "thawed",
            (_, State::Running) => "started",
            (_, State::Frozen) => "frozen",
            (_, State::Restarting) => "restarting",
            (_, State::Failed) => "failed",
            (_, State::Stopped) => "stopped",
            // On the way: told when it has arrived.
            (_, State::Starting | State::Stopping) => return None,
        };
        let mut news = News::new(kind, name.as_str(), action);
        if matches!(state, State::Stopped | State::Failed | State::Restarting)
            && let Some(exit) = exit()
        {
            news = news.with("exit_code", &exit.code).with("reason", &exit.reason);
        }
        Some(news)
    }

    /// Those of a kind that were up when last heard of.
    pub(super) fn alive(&self, kind: &str) -> Vec<Name> {
        let own = self.0.iter().filter(|((one, _), state)| *one == kind && state.is_alive());
        own.map(|((_, name), _)| name.clone()).collect()
    }

    /// Whether it was up when last heard of.
    pub(super) fn is_alive(&self, kind: &'static str, name: &Name) -> bool {
        self.0.get(&(kind, name.clone())).is_some_and(|state| state.is_alive())
    }

    /// Takes it as told that it is in this state.
    pub(super) fn told(&mut self, kind: &'static str, name: &Name, state: State) {
        self.0.insert((kind, name.clone()), state);
    }

    /// Forgets a workload that is gone.
    pub(super) fn forget(&mut self, kind: &str, name: &str) {
        self.0.retain(|(one, other), _| *one != kind || other.as_str() != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let name: Name = "web".parse().unwrap();
        let mut states = States::default();
        let exit = || {
            Some(Exit { code: 3, reason: "exited".into(), finished: jiff::Timestamp::UNIX_EPOCH })
        };
        let all = [
            State::Starting,
            State::Running,
            State::Running,
            State::Frozen,
            State::Running,
            State::Stopping,
            State::Failed,
            State::Failed,
            State::Stopped,
        ];
        let told: Vec<News> = all
            .into_iter()
            .filter_map(|state| states.news("container", &name, state, exit))
            .collect();
        let actions: Vec<_> = told.iter().map(|n| n.action).collect();
        assert_eq!(actions, ["started", "frozen", "thawed", "failed", "stopped"]);
        assert_eq!(told[3].details["exit_code"], "3");
        assert!(told[0].details.is_empty());
        states.begin([("container", name.clone(), State::Running)]);
        assert_eq!(states.alive("container"), std::slice::from_ref(&name));
        // Services have states of their own, and one that systemd forgot is no news.
        assert!(states.alive("service").is_empty() && !states.is_alive("service", &name));
        let mut service = |state| states.news("service", &name, state, || None).map(|n| n.action);
        let told =
            [State::Running, State::Failed, State::Stopped, State::Running].map(&mut service);
        assert_eq!(told, [Some("started"), Some("failed"), None, Some("started")]);
        states.told("service", &name, State::Stopped);
        states.forget("container", "web");
        assert!(states.alive("container").is_empty() && !states.is_alive("service", &name));
    }
}
