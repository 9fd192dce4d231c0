//! How `volt top` looks on a terminal. Pure: from a state to a picture of any size.

use super::state::{Logs, Mode, State};
use crate::views::workload::USAGE;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table, TableState};

/// The keys, and what they are for.
const KEYS: &[(&str, &str)] = &[
    ("↑ ↓ PgUp PgDn", "choose a workload (also k, j, g, G)"),
    ("← →", "sort by another column (also <, >)"),
    ("r", "sort the other way round"),
    ("/", "show only what has this in its name or kind; Esc shows all"),
    ("Enter, l", "look at its log; q leaves it"),
    ("e", "a shell in the container"),
    ("s", "stop it"),
    ("?, h", "this help"),
    ("q, Ctrl-C", "end"),
];

/// What is always said of keys.
const HINT: &str = "l logs  e shell  s stop  / filter  ←→ sort  r reverse  ? help  q quit";

const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);

/// Draws it.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let parts = [Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
    let [top, body, bottom] = Layout::vertical(parts).areas(frame.area());
    match &state.mode {
        Mode::Logs(logs) => {
            frame.render_widget(Line::styled(format!("Log of {}", logs.name), STRONG), top);
            log(frame, logs, body);
        }
        _ => {
            frame.render_widget(Line::styled(headline(state), STRONG), top);
            list(frame, state, body);
        }
    }
    if matches!(state.mode, Mode::Help) {
        help(frame, body);
    }
    frame.render_widget(Line::from(last_line(state)), bottom);
}

fn headline(state: &State) -> String {
    let (all, shown) = (state.count(), state.shown().len());
    let of = if shown == all { String::new() } else { format!("{shown} of ") };
    let noun = if all == 1 { "workload" } else { "workloads" };
    let way = if state.reversed { ", reversed" } else { "" };
    let filter =
        if state.filter.is_empty() { String::new() } else { format!(", with `{}`", state.filter) };
    format!("{of}{all} {noun}, by {}{way}{filter}", state.sort.word())
}

fn last_line(state: &State) -> Span<'_> {
    match (&state.mode, &state.message) {
        (Mode::Filter, _) => format!("/{}▏", state.filter).into(),
        (Mode::Stop(name), _) => Span::styled(format!("Stop {name}? y/n"), STRONG),
        (_, Some(message)) => Span::styled(message.as_str(), STRONG),
        (Mode::Logs(_), None) => Span::styled("↑ ↓ PgUp PgDn look back  G follow  q leave", FAINT),
        (Mode::Help, None) => Span::styled("Any key goes back", FAINT),
        (Mode::List, None) => Span::styled(HINT, FAINT),
    }
}

fn list(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let shown = state.shown();
    if shown.is_empty() {
        let why = if state.count() == 0 { "Nothing runs." } else { "Nothing fits." };
        frame.render_widget(Paragraph::new(why), area);
        return;
    }
    let cell = |text: String, number: bool| {
        let side = if number { Alignment::Right } else { Alignment::Left };
        Text::from(text).alignment(side)
    };
    let rows: Vec<Vec<String>> =
        shown.iter().map(|usage| USAGE.iter().map(|column| column.text(usage)).collect()).collect();
    let widths: Vec<Constraint> = USAGE
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().map(|row| Span::raw(row[at].as_str()).width());
            let width = cells.max().unwrap_or_default().max(column.title().len());
            Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX))
        })
        .collect();
    let titles = USAGE.iter().map(|column| cell(column.title().to_owned(), column.is_number()));
    let lines = rows.into_iter().map(|row| {
        Row::new(row.into_iter().zip(USAGE).map(|(text, column)| cell(text, column.is_number())))
    });
    let table = Table::new(lines, widths)
        .header(Row::new(titles).style(STRONG))
        .column_spacing(2)
        .row_highlight_style(CHOSEN);
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(state.at()));
}

fn log(frame: &mut Frame<'_>, logs: &Logs, area: Rect) {
    let end = logs.lines.len() - logs.back.min(logs.lines.len());
    let begin = end.saturating_sub(usize::from(area.height));
    let lines: Vec<Line<'_>> =
        logs.lines.range(begin..end).map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|(keys, what)| {
            Line::from(vec![Span::styled(format!("{keys:<15}"), STRONG), (*what).into()])
        })
        .collect();
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let area = Rect { height, width: area.width.min(80), ..area };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("Keys")), area);
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::{keys, press, state};
    use super::*;
    use crossterm::event::KeyCode;
    use proptest::prelude::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn picture(state: &State, columns: u16, rows: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        let buffer = terminal.backend().buffer();
        let cells: Vec<&str> = buffer.content.iter().map(|cell| cell.symbol()).collect();
        let lines = cells.chunks(usize::from(columns).max(1));
        lines.map(|line| line.concat().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_list_its_questions_and_the_help() {
        let mut state = state();
        let lines = picture(&state, 100, 8);
        assert_eq!(lines[0], "3 workloads, by CPU");
        assert!(lines[1].starts_with("NAME  KIND         CPU  MEMORY  LIMIT"), "{lines:?}");
        assert!(lines[2].starts_with("mail  service    40.0%"), "{lines:?}");
        assert!(lines[7].starts_with("l logs"), "{lines:?}");
        press(&mut state, KeyCode::Char('s'));
        assert_eq!(picture(&state, 100, 8)[7], "Stop mail? y/n");
        press(&mut state, KeyCode::Esc);
        press(&mut state, KeyCode::Char('/'));
        press(&mut state, KeyCode::Char('w'));
        let lines = picture(&state, 100, 8);
        assert_eq!((&*lines[0], &*lines[7]), ("1 of 3 workloads, by CPU, with `w`", "/w▏"));
        press(&mut state, KeyCode::Enter);
        press(&mut state, KeyCode::Char('?'));
        assert!(
            picture(&state, 100, 20).iter().any(|line| line.contains("a shell in the container"))
        );
    }

    #[test]
    fn a_log_is_shown_from_its_end() {
        let mut state = state();
        press(&mut state, KeyCode::Enter);
        (0..20).for_each(|n| state.log(format!("line {n}")));
        let lines = picture(&state, 60, 5);
        assert_eq!(lines[..4], ["Log of mail", "line 17", "line 18", "line 19"]);
        press(&mut state, KeyCode::Up);
        assert_eq!(picture(&state, 60, 5)[3], "line 18");
    }

    proptest! {
        #[test]
        fn every_state_fits_every_terminal(
            keys in proptest::collection::vec(keys(), 0..20),
            columns in 1u16..120,
            rows in 1u16..40,
        ) {
            let mut state = state();
            for key in keys {
                drop(press(&mut state, key));
                state.log("a\tline ✓ 字".into());
            }
            prop_assert_eq!(picture(&state, columns, rows).len(), usize::from(rows));
        }
    }
}
