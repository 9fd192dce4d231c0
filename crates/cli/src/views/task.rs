//! How tasks and their runs look.

use super::{command, labels, yes_no};
use crate::output::{Cell, Column, Details, Output, ago, or_dash, short, when, when_and_ago};
use volt_api::types::{Task, TaskRun};

/// How long a command in a list may be, in characters.
const COMMAND: usize = 40;

const COLUMNS: &[Column<Task>] = &[
    Column::new("NAME", |t| t.name.as_str().into()),
    Column::new("STATE", |t| Cell::state(&t.state)),
    Column::new("SCHEDULE", |t| t.schedule.as_str().into()),
    Column::new("NEXT", |t| match &t.next {
        Some(next) => when(next).into(),
        None => if t.enabled { "-" } else { "disabled" }.into(),
    }),
    Column::new("LAST", |t| {
        t.last.as_ref().map_or_else(|| "-".into(), |run| ago(&run.finished)).into()
    }),
    Column::new("RESULT", |t| t.last.as_ref().map_or_else(|| "-".into(), result).into()),
    Column::new("IMAGE", |t| or_dash(t.image.as_deref()).into()),
    Column::wide("COMMAND", |t| short(&command(&t.exec), COMMAND).into()),
    Column::wide("UNIT", |t| t.unit.as_str().into()),
    Column::wide("LABELS", |t| labels(&t.labels).into()),
];

const RUNS: &[Column<TaskRun>] = &[
    Column::new("STARTED", |r| r.started.as_deref().map_or_else(|| "-".into(), when).into()),
    Column::new("ENDED", |r| when(&r.finished).into()),
    Column::number("TRY", |r| r.attempt.to_string().into()),
    Column::new("RESULT", |r| result(r).into()),
    Column::wide("INVOCATION", |r| r.invocation.as_str().into()),
];

/// How a run ended, in a word or three.
fn result(run: &TaskRun) -> String {
    match run.exit_code {
        Some(code) if run.result != "success" => format!("{} ({code})", run.result),
        _ => run.result.clone(),
    }
}

/// A list of tasks.
pub(crate) fn list(tasks: &[Task]) -> Output {
    Output::list(tasks, COLUMNS, |t| &t.name, "No tasks.")
}

/// How runs ended.
pub(crate) fn history(runs: &[TaskRun]) -> Output {
    Output::list(runs, RUNS, |r| &r.invocation, "It has not run yet.")
}

/// All that is known of one.
pub(crate) fn details(t: &Task) -> Output {
    let details = Details::new()
        .row("Name", &t.name)
        .some("Description", t.description.as_ref())
        .row("State", &t.state)
        .row("Schedule", &t.schedule)
        .row("Enabled", yes_no(t.enabled))
        .some("Next", t.next.as_deref().map(when))
        .some("Last", t.last.as_ref().map(|run| when_and_ago(&run.finished)))
        .some("Result", t.last.as_ref().map(result))
        .row("Command", command(&t.exec))
        .some("Image", t.image.as_ref())
        .some("Profile", t.image.is_none().then_some(&t.profile))
        .some("User", t.user.as_ref())
        .some("Folder", t.workdir.as_ref())
        .each("Writable", &t.writable)
        .each("Secrets", &t.secrets)
        .some("Time limit", t.timeout.as_ref())
        .some("Retries", (t.retries > 0).then(|| t.retries.to_string()))
        .some("Random delay", t.random_delay.as_ref())
        .row("Makes up", yes_no(t.persistent))
        .row("Unit", &t.unit)
        .row("Timer", &t.timer)
        .row("Created", when_and_ago(&t.created))
        .section("Labels");
    let details = t.labels.iter().fold(details, |d, (key, value)| d.row(key, value));
    Output::details(t, &t.name, details)
}
