//! What `volt top` shows on a terminal, and what keys and measurements make of it. Pure: it asks nobody and draws nothing.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::cmp::Ordering;
use std::collections::VecDeque;
use volt_api::types::Usage;

/// How many lines of a log are kept to look back at.
const KEPT: usize = 2000;
/// How far a page is.
const PAGE: isize = 10;

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// By name.
    Name,
    /// The busiest first.
    #[default]
    Cpu,
    /// By memory.
    Memory,
    /// By bytes read and written.
    Io,
    /// By bytes received and sent a second.
    Network,
    /// By processes and threads.
    Tasks,
}

impl Sort {
    const ALL: [Self; 6] =
        [Self::Name, Self::Cpu, Self::Memory, Self::Io, Self::Network, Self::Tasks];

    /// What people call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Io => "I/O",
            Self::Network => "network",
            Self::Tasks => "tasks",
        }
    }

    fn next(self, back: bool) -> Self {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap_or_default();
        let step = if back { Self::ALL.len() - 1 } else { 1 };
        Self::ALL[(at + step) % Self::ALL.len()]
    }

    /// Which comes first: names from a to z, numbers from the greatest down, what is not known last.
    fn compare(self, a: &Usage, b: &Usage) -> Ordering {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or_default().saturating_add(b.unwrap_or_default())),
        };
        let number = |u: &Usage| match self {
            Self::Memory => u.memory,
            Self::Io => sum(u.io_read, u.io_written),
            Self::Network => sum(u.network_receive_rate, u.network_send_rate),
            Self::Tasks => u.tasks,
            Self::Name | Self::Cpu => None,
        };
        let load = |u: &Usage| u.cpu_percent.unwrap_or(-1.0);
        match self {
            Self::Name => Ordering::Equal,
            Self::Cpu => load(b).total_cmp(&load(a)),
            _ => number(b).cmp(&number(a)),
        }
    }
}

/// The log of a workload as it comes.
#[derive(Debug)]
pub(super) struct Logs {
    /// Whose.
    pub(super) name: String,
    /// The last lines.
    pub(super) lines: VecDeque<String>,
    /// How many lines are below those that are shown.
    pub(super) back: usize,
}

/// What the keys are for at this moment.
#[derive(Debug, Default)]
pub(super) enum Mode {
    /// The list.
    #[default]
    List,
    /// What is typed narrows the list.
    Filter,
    /// The keys are explained.
    Help,
    /// Whether to stop this workload is asked.
    Stop(String),
    /// A log is looked at.
    Logs(Logs),
}

/// What somebody else has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// End.
    Quit,
    /// Bring the log of this workload.
    Logs(String),
    /// Bring no more of it.
    NoLogs,
    /// Stop this workload.
    Stop(String),
    /// Give the terminal to a shell in this container.
    Shell(String),
}

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct State {
    rows: Vec<Usage>,
    selected: Option<String>,
    /// By what.
    pub(super) sort: Sort,
    /// The other way round.
    pub(super) reversed: bool,
    /// What names or kinds have in them.
    pub(super) filter: String,
    /// What keys are for.
    pub(super) mode: Mode,
    /// What was last to be said.
    pub(super) message: Option<String>,
}

impl State {
    /// Takes a measurement.
    pub(super) fn measured(&mut self, rows: Vec<Usage>) {
        self.rows = rows;
        self.settle();
    }

    /// The rows as they are shown.
    pub(super) fn shown(&self) -> Vec<&Usage> {
        let wanted = self.filter.to_lowercase();
        let fits = |u: &&Usage| u.name.to_lowercase().contains(&wanted) || u.kind.contains(&wanted);
        let mut shown: Vec<&Usage> = self.rows.iter().filter(fits).collect();
        shown.sort_by(|a, b| {
            let order = self.sort.compare(a, b).then_with(|| a.name.cmp(&b.name));
            if self.reversed { order.reverse() } else { order }
        });
        shown
    }

    /// How many there are, shown or not.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// Which of those that are shown is chosen.
    pub(super) fn at(&self) -> Option<usize> {
        let name = self.selected.as_ref()?;
        self.shown().iter().position(|usage| usage.name == *name)
    }

    /// Takes a line of the log that is looked at.
    pub(super) fn log(&mut self, line: String) {
        let Mode::Logs(logs) = &mut self.mode else { return };
        logs.lines.push_back(line);
        if logs.back > 0 {
            // What is being read stays where it is.
            logs.back += 1;
        }
        if logs.lines.len() > KEPT {
            logs.lines.pop_front();
        }
        logs.back = logs.back.min(logs.lines.len() - 1);
    }

    /// Does what a key is for.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        self.message = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return matches!(key.code, KeyCode::Char('c')).then_some(Wish::Quit);
        }
        match &mut self.mode {
            Mode::List => self.in_list(key.code),
            Mode::Filter => {
                self.in_filter(key.code);
                None
            }
            Mode::Help => {
                self.mode = Mode::List;
                None
            }
            Mode::Stop(name) => {
                let name = std::mem::take(name);
                self.mode = Mode::List;
                (key.code == KeyCode::Char('y')).then_some(Wish::Stop(name))
            }
            Mode::Logs(logs) => {
                let most = logs.lines.len().saturating_sub(1);
                logs.back = match key.code {
                    KeyCode::Char('q') | KeyCode::Esc | KeyCode::Enter => {
                        self.mode = Mode::List;
                        return Some(Wish::NoLogs);
                    }
                    KeyCode::Home | KeyCode::Char('g') => most,
                    KeyCode::End | KeyCode::Char('G') => 0,
                    code => logs.back.saturating_add_signed(-way(code)).min(most),
                };
                None
            }
        }
    }

    fn in_list(&mut self, code: KeyCode) -> Option<Wish> {
        match code {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Right | KeyCode::Char('>') => self.sort = self.sort.next(false),
            KeyCode::Left | KeyCode::Char('<') => self.sort = self.sort.next(true),
            KeyCode::Home | KeyCode::Char('g') => self.select(0),
            KeyCode::End | KeyCode::Char('G') => self.select(usize::MAX),
            KeyCode::Enter | KeyCode::Char('l') => {
                let name = self.chosen()?.name.clone();
                let logs = Logs { name: name.clone(), lines: VecDeque::new(), back: 0 };
                self.mode = Mode::Logs(logs);
                return Some(Wish::Logs(name));
            }
            KeyCode::Char('s') => self.mode = Mode::Stop(self.chosen()?.name.clone()),
            KeyCode::Char('e') => {
                let chosen = self.chosen()?;
                if chosen.kind == "container" {
                    return Some(Wish::Shell(chosen.name.clone()));
                }
                self.message =
                    Some(format!("{} has no shell: it is a {}", chosen.name, chosen.kind));
            }
            code => {
                let at = self.at().unwrap_or_default();
                self.select(at.saturating_add_signed(way(code)));
            }
        }
        self.settle();
        None
    }

    fn in_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.mode = Mode::List,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::List;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(sign) => self.filter.push(sign),
            _ => {}
        }
        self.settle();
    }

    fn chosen(&self) -> Option<&Usage> {
        self.shown().get(self.at()?).copied()
    }

    /// Chooses the row of that number, or the last.
    fn select(&mut self, at: usize) {
        let shown = self.shown();
        let row = shown.get(at).or(shown.last());
        self.selected = row.map(|usage| usage.name.clone());
    }

    /// What is not shown isn't chosen.
    fn settle(&mut self) {
        if self.at().is_none() {
            self.select(0);
        }
    }
}

/// How far a key goes down.
fn way(code: KeyCode) -> isize {
    match code {
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::PageUp => -PAGE,
        KeyCode::PageDown | KeyCode::Char(' ') => PAGE,
        _ => 0,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in super::super) fn usage(name: &str, kind: &str, cpu: f64, memory: u64) -> Usage {
        Usage {
            name: name.into(),
            kind: kind.into(),
            cpu_percent: Some(cpu),
            memory: Some(memory),
            ..Usage::default()
        }
    }

    pub(in super::super) fn state() -> State {
        let mut state = State::default();
        state.measured(vec![
            usage("web", "container", 5.0, 10),
            usage("db", "container", 1.5, 300),
            usage("mail", "service", 40.0, 20),
        ]);
        state
    }

    pub(in super::super) fn press(state: &mut State, code: KeyCode) -> Option<Wish> {
        state.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn names(state: &State) -> Vec<&str> {
        state.shown().iter().map(|usage| usage.name.as_str()).collect()
    }

    fn typed(state: &mut State, text: &str) -> Vec<Wish> {
        text.chars().filter_map(|sign| press(state, KeyCode::Char(sign))).collect()
    }

    #[test]
    fn rows_are_sorted_and_what_is_chosen_stays_chosen() {
        let mut state = state();
        assert_eq!((names(&state), state.at()), (vec!["mail", "web", "db"], Some(0)));
        press(&mut state, KeyCode::Right);
        assert_eq!((names(&state), state.at()), (vec!["db", "mail", "web"], Some(1)));
        press(&mut state, KeyCode::Char('r'));
        assert_eq!(names(&state), ["web", "mail", "db"]);
        press(&mut state, KeyCode::Down);
        state.measured(vec![usage("db", "container", 0.0, 1), usage("new", "task", 0.0, 0)]);
        assert_eq!((names(&state), state.at()), (vec!["new", "db"], Some(1)));
        state.measured(vec![]);
        assert_eq!((state.at(), press(&mut state, KeyCode::Char('l'))), (None, None));
    }

    #[test]
    fn a_filter_is_typed_kept_and_cleared() {
        let mut state = state();
        assert!(typed(&mut state, "/SERVq").is_empty(), "a q is typed like any other");
        press(&mut state, KeyCode::Backspace);
        assert_eq!(names(&state), ["mail"]);
        press(&mut state, KeyCode::Enter);
        assert_eq!(typed(&mut state, "q"), [Wish::Quit]);
        press(&mut state, KeyCode::Esc);
        assert_eq!(state.shown().len(), 3);
    }

    #[test]
    fn keys_ask_for_what_others_do() {
        let mut state = state();
        assert!(typed(&mut state, "e").is_empty());
        assert_eq!(state.message.as_deref(), Some("mail has no shell: it is a service"));
        assert_eq!(typed(&mut state, "je"), [Wish::Shell("web".into())]);
        assert!(typed(&mut state, "sn").is_empty(), "it is asked first");
        assert_eq!(typed(&mut state, "sy"), [Wish::Stop("web".into())]);
        assert_eq!(typed(&mut state, "l"), [Wish::Logs("web".into())]);
        (0..KEPT + 10).for_each(|n| state.log(n.to_string()));
        typed(&mut state, "kk");
        state.log("last".into());
        let Mode::Logs(logs) = &state.mode else { panic!("{:?}", state.mode) };
        assert_eq!((logs.lines.len(), logs.back), (KEPT, 3));
        assert_eq!(typed(&mut state, "q"), [Wish::NoLogs]);
        assert!(typed(&mut state, "?q").is_empty(), "any key ends the help");
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.key(ctrl_c), Some(Wish::Quit));
    }

    pub(in super::super) fn keys() -> impl Strategy<Value = KeyCode> {
        prop_oneof![
            proptest::sample::select("qlsey/?rgGjk<> nab".chars().collect::<Vec<_>>())
                .prop_map(KeyCode::Char),
            proptest::sample::select(vec![
                KeyCode::Enter,
                KeyCode::Esc,
                KeyCode::Backspace,
                KeyCode::Up,
                KeyCode::Down,
                KeyCode::PageUp,
                KeyCode::PageDown,
                KeyCode::Home,
                KeyCode::End,
                KeyCode::Left,
                KeyCode::Tab,
            ]),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_typed_what_is_chosen_is_shown(
            keys in proptest::collection::vec(keys(), 0..40),
            measured in proptest::collection::vec(("[a-c]{1,2}", 0u64..3), 0..6),
        ) {
            let mut state = state();
            // Who is gone before the question about it was answered was shown nevertheless.
            let mut seen: Vec<String> = state.rows.iter().map(|row| row.name.clone()).collect();
            for (n, key) in keys.into_iter().enumerate() {
                if n == 5 {
                    let rows = measured.iter().map(|(name, m)| usage(name, "task", 0.0, *m));
                    state.measured(rows.collect());
                    seen.extend(state.rows.iter().map(|row| row.name.clone()));
                }
                state.log("line".into());
                if let Some(Wish::Logs(name) | Wish::Stop(name) | Wish::Shell(name)) = press(&mut state, key) {
                    prop_assert!(seen.contains(&name));
                }
                prop_assert_eq!(state.at().is_none(), state.shown().is_empty());
                if let Mode::Logs(logs) = &state.mode {
                    prop_assert!(logs.back <= logs.lines.len());
                }
            }
        }
    }
}
