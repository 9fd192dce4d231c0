//! How workloads of every kind look, with their load, logs and events.

use super::container::{Life, sections, status};
use super::labels;
use crate::output::{
    Cell, Column, Details, Output, Tone, ago, clean, exactly_when, or_dash, paint, percent, short,
    size, size_or_dash, when, when_and_ago,
};
use volt_api::types::{Event, LogLine, Usage, Workload, WorkloadDetails};

/// How long a command in a list may be, in characters.
const COMMAND: usize = 40;

const COLUMNS: &[Column<Workload>] = &[
    Column::new("NAME", |w| w.name.as_str().into()),
    Column::new("KIND", |w| w.kind.as_str().into()),
    Column::new("STATE", |w| Cell::state(&w.state)),
    Column::new("STATUS", |w| status(of(w)).into()),
    Column::new("IMAGE", |w| or_dash(w.image.as_deref()).into()),
    Column::new("COMMAND", |w| {
        let problem = w.problem.as_ref().map(|problem| format!("({problem})"));
        problem.unwrap_or_else(|| short(&w.command, COMMAND)).into()
    }),
    Column::wide("CREATED", |w| w.created.as_deref().map_or_else(|| "-".into(), ago).into()),
    Column::wide("UNIT", |w| or_dash(w.unit.as_deref()).into()),
    Column::wide("LABELS", |w| labels(&w.labels).into()),
];

/// What `volt top` shows of each.
pub(crate) const USAGE: &[Column<Usage>] = &[
    Column::new("NAME", |u| u.name.as_str().into()),
    Column::new("KIND", |u| u.kind.as_str().into()),
    Column::number("CPU", |u| percent(u.cpu_percent).into()),
    Column::number("MEMORY", |u| size_or_dash(u.memory).into()),
    Column::number("LIMIT", |u| size_or_dash(u.memory_limit).into()),
    Column::number("READ", |u| size_or_dash(u.io_read).into()),
    Column::number("WRITTEN", |u| size_or_dash(u.io_written).into()),
    Column::number("NET IN", |u| a_second(u.network_receive_rate).into()),
    Column::number("NET OUT", |u| a_second(u.network_send_rate).into()),
    Column::number("TASKS", |u| u.tasks.map_or_else(|| "-".into(), |t| t.to_string().into())),
];

fn of(w: &Workload) -> Life<'_> {
    let (started, health) = (w.started.as_deref(), w.health.as_deref());
    Life { state: &w.state, started, exit: w.exit.as_ref(), health }
}

/// Bytes a second, or a dash where they are not known.
fn a_second(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{}/s", size(bytes)))
}

/// A list of workloads.
pub(crate) fn list(workloads: &[Workload], all: bool) -> Output {
    let empty = if all { "No workloads." } else { "Nothing runs. See `volt ps -a`." };
    let list = Output::list(workloads, COLUMNS, |w| &w.name, empty);
    list.grouped(workloads, COLUMNS, |w| w.stack.as_deref())
}

/// What each uses.
pub(crate) fn usage(rows: &[Usage]) -> Output {
    Output::list(rows, USAGE, |u| &u.name, "Nothing runs.")
}

/// All that is known of one.
pub(crate) fn details(d: &WorkloadDetails) -> Output {
    let w = &d.workload;
    let details = match &d.container {
        Some(container) => sections(container),
        None => Details::new()
            .row("Name", &w.name)
            .row("Kind", &w.kind)
            .row("State", &w.state)
            .row("Status", status(of(w)))
            .some("Stack", w.stack.as_ref())
            .some("Image", w.image.as_ref())
            .row("Command", &w.command)
            .some("Unit", w.unit.as_ref())
            .some("Created", w.created.as_deref().map(when_and_ago))
            .some("Started", w.started.as_deref().map(when_and_ago)),
    };
    // As systemd words it, for who knows its words.
    let details = details.wide("systemd", d.properties.clone().into_iter());
    Output::details(d, &w.name, details)
}

/// How a line of a log is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogStyle {
    /// With its time.
    pub(crate) times: bool,
    /// With the stream it came on.
    pub(crate) streams: bool,
    /// With colour.
    pub(crate) color: bool,
}

/// A line of a log.
pub(crate) fn log_line(line: &LogLine, style: LogStyle) -> String {
    let mut out = String::new();
    if style.times {
        out.push_str(&paint(style.color, Tone::Faint, &exactly_when(&line.time)));
        out.push(' ');
    }
    if style.streams {
        out.push_str(&format!("{:<6} ", line.stream));
    }
    let tone = match line.stream.as_str() {
        "stderr" => Tone::Warn,
        "system" => Tone::Faint,
        _ => Tone::Plain,
    };
    // A log may hold colours of its own on purpose; without a terminal to mislead it goes through as it is.
    let message = if style.color { clean_but_colours(&line.message) } else { line.message.clone() };
    out.push_str(&paint(style.color, tone, &message));
    out
}

/// The text with tabs and colours (`ESC [ … m`), and every other control character made visible.
fn clean_but_colours(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(char::is_control) {
        out.push_str(&rest[..at]);
        let parameters = rest[at..].strip_prefix("\x1b[").and_then(|r| r.split_once('m'));
        match parameters {
            Some((numbers, behind)) if numbers.bytes().all(|b| b.is_ascii_digit() || b == b';') => {
                out.push_str(&format!("\x1b[{numbers}m"));
                rest = behind;
            }
            _ => {
                let mut chars = rest[at..].chars();
                let control = chars.next().unwrap_or('\t');
                out.push_str(if control == '\t' { "\t" } else { "\u{fffd}" });
                rest = chars.as_str();
            }
        }
    }
    out + rest
}

/// An event.
pub(crate) fn event(event: &Event, color: bool) -> String {
    let details: Vec<String> = event.details.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let tone = match event.action.as_str() {
        "started" => Tone::Good,
        "failed" => Tone::Bad,
        _ => Tone::Plain,
    };
    let time = paint(color, Tone::Faint, &when(&event.time));
    let action = paint(color, tone, &clean(&event.action));
    let line = format!("{time} {} {} {action}", clean(&event.kind), clean(&event.name));
    if details.is_empty() { line } else { format!("{line} ({})", clean(&details.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> LogLine {
        LogLine {
            time: "2026-01-02T00:00:00Z".into(),
            stream: "stderr".into(),
            priority: 3,
            identifier: "web".into(),
            message: message.into(),
        }
    }

    #[test]
    fn lines_of_a_log() {
        let plain = LogStyle { times: true, streams: true, color: false };
        let shown = log_line(&line("a\tb"), plain);
        assert!(
            shown.starts_with("2026-01-0") && shown.ends_with(":00.000 stderr a\tb"),
            "{shown}"
        );
        let coloured = LogStyle { color: true, ..LogStyle::default() };
        let text = log_line(&line("\x1b[31mred\x1b[0m \x1b[2J\tx\x07"), coloured);
        assert_eq!(text, "\x1b[33m\x1b[31mred\x1b[0m \u{fffd}[2J\tx\u{fffd}\x1b[0m");
    }

    #[test]
    fn an_event_is_one_line() {
        let mut details = std::collections::BTreeMap::new();
        details.insert("code".to_owned(), "1".to_owned());
        let sample = Event {
            id: 1,
            time: "T".into(),
            kind: "container".into(),
            name: "web".into(),
            action: "failed".into(),
            details,
        };
        assert_eq!(event(&sample, false), "T container web failed (code=1)");
    }
}
