//! How health checks look.

use super::command;
use crate::output::{Cell, Column, Details, Output, ago, or_dash, short, when, when_and_ago};
use volt_api::types::{Health, HealthCheck, HealthEntry};

/// How long a command in a list may be, in characters.
const COMMAND: usize = 50;

const COLUMNS: &[Column<Health>] = &[
    Column::new("NAME", |h| h.name.as_str().into()),
    Column::new("STATUS", |h| h.status.as_deref().map_or_else(|| "-".into(), Cell::state)),
    Column::new("SINCE", |h| h.since.as_deref().map_or_else(|| "-".into(), ago).into()),
    Column::number("FAILURES", |h| h.streak.to_string().into()),
    Column::number("RESTARTS", |h| h.restarts.to_string().into()),
    Column::new("CHECK", |h| short(&looked_at(h), COMMAND).into()),
    Column::wide("LAST WORDS", |h| or_dash(h.last_words.as_deref()).into()),
];

const HISTORY: &[Column<HealthEntry>] = &[
    Column::new("TIME", |e| when(&e.time).into()),
    Column::new("WHAT", |e| Cell::state(&e.what)),
    Column::new("SAID", |e| short(&or_dash(e.said.as_deref()), 80).into()),
];

/// A list of them.
pub(crate) fn list(all: &[Health]) -> Output {
    Output::list(all, COLUMNS, |h| &h.name, "No workload has a health check.")
}

/// What became of one.
pub(crate) fn history(all: &[HealthEntry]) -> Output {
    Output::list(all, HISTORY, |e| &e.what, "Nothing has happened yet.")
}

/// All that is known of one.
pub(crate) fn details(h: &Health) -> Output {
    let times = |time: &Option<String>| time.as_deref().map(when_and_ago);
    let details = Details::new()
        .row("Name", &h.name)
        .row("Status", or_dash(h.status.as_deref()))
        .some("Since", times(&h.since))
        .row("Failures in a row", h.streak.to_string())
        .row("Restarts", h.restarts.to_string())
        .some("Looked", times(&h.checked))
        .some("Last words", h.last_words.as_ref())
        .section("Check");
    let details = match &h.check {
        Some(check) => rows(details.row("Looked at", looked_at(h)), check),
        None => details.row("Looked at", "-"),
    };
    let details = details
        .row("From", if h.from_file { "its file" } else { "the container" })
        .some("Not heeded", h.problem.as_ref());
    Output::details(h, &h.name, details)
}

fn rows(details: Details, check: &HealthCheck) -> Details {
    details
        .some("Interval", check.interval.as_ref())
        .some("Timeout", check.timeout.as_ref())
        .some("Retries", check.retries.map(|n| n.to_string()))
        .some("Start period", check.start_period.as_ref())
        .some("Start interval", check.start_interval.as_ref())
        .some("When unhealthy", check.on_unhealthy.as_ref())
}

/// What is looked at, in a few words.
fn looked_at(h: &Health) -> String {
    let Some(check) = &h.check else { return "-".to_owned() };
    what(check)
}

/// What a check looks at, in a few words.
pub(super) fn what(check: &HealthCheck) -> String {
    match (&check.http, check.tcp, &check.exec) {
        (Some(http), _, _) => {
            let codes = match http.status.as_slice() {
                [] => String::new(),
                codes => format!(" ({})", codes.join(", ")),
            };
            format!("http {}{}{codes}", http.port, http.path.as_deref().unwrap_or("/"))
        }
        (_, Some(port), _) => format!("tcp {port}"),
        (_, _, Some(words)) => format!("exec {}", command(words)),
        _ => "-".to_owned(),
    }
}
