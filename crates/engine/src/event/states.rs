//! From states of containers to events. Pure.

use super::News;
use std::collections::HashMap;
use volt_model::container::Exit;
use volt_model::name::Name;
use volt_model::state::State;

/// The last state of each container that was told.
#[derive(Debug, Default)]
pub(super) struct States(HashMap<Name, State>);

impl States {
    /// Takes what is as known.
    pub(super) fn begin(&mut self, states: impl IntoIterator<Item = (Name, State)>) {
        self.0.extend(states);
    }

    /// What it means that the container is in this state now; nothing where that is known already.
    pub(super) fn news(
        &mut self,
        name: &Name,
        state: State,
        exit: impl FnOnce() -> Option<Exit>,
    ) -> Option<News> {
        let before = self.0.insert(name.clone(), state).unwrap_or(State::Stopped);
        let action = match (before, state) {
            (before, now) if before == now => return None,
            (State::Frozen, State::Running) => "thawed",
            (_, State::Running) => "started",
            (_, State::Frozen) => "frozen",
            (_, State::Restarting) => "restarting",
            (_, State::Failed) => "failed",
            (_, State::Stopped) => "stopped",
            // On the way: told when it has arrived.
            (_, State::Starting | State::Stopping) => return None,
        };
        let mut news = News::new("container", name.as_str(), action);
        if matches!(state, State::Stopped | State::Failed | State::Restarting)
            && let Some(exit) = exit()
        {
            news = news.with("exit_code", &exit.code).with("reason", &exit.reason);
        }
        Some(news)
    }

    /// Those that were up when last heard of.
    pub(super) fn alive(&self) -> Vec<Name> {
        self.0.iter().filter(|(_, state)| state.is_alive()).map(|(name, _)| name.clone()).collect()
    }

    /// Forgets a container that is gone.
    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
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
        let told: Vec<News> =
            all.into_iter().filter_map(|state| states.news(&name, state, exit)).collect();
        let actions: Vec<_> = told.iter().map(|n| n.action).collect();
        assert_eq!(actions, ["started", "frozen", "thawed", "failed", "stopped"]);
        assert_eq!(told[3].details["exit_code"], "3");
        assert!(told[0].details.is_empty());
        states.begin([(name.clone(), State::Running)]);
        assert_eq!(states.alive(), [name]);
    }
}
