//! How services look.

use super::{command, labels};
use crate::output::{
    Cell, Column, Details, Output, ago, or_dash, short, size_or_dash, when_and_ago,
};
use volt_api::types::{Service, ServiceProfile};

/// How long a command in a list may be, in characters.
const COMMAND: usize = 50;

const COLUMNS: &[Column<Service>] = &[
    Column::new("NAME", |s| s.name.as_str().into()),
    Column::new("STATE", |s| Cell::state(&s.state)),
    Column::new("SINCE", |s| s.started.as_deref().map_or_else(|| "-".into(), ago).into()),
    Column::new("BOOT", |s| or_dash(Some(&s.enabled)).into()),
    Column::new("PROFILE", |s| or_dash(s.profile.as_deref()).into()),
    Column::new("COMMAND", |s| short(&what(s), COMMAND).into()),
    Column::wide("UNIT", |s| s.unit.as_str().into()),
    Column::wide("LABELS", |s| labels(&s.labels).into()),
];

const PROFILES: &[Column<ServiceProfile>] = &[
    Column::new("PROFILE", |p| p.name.as_str().into()),
    Column::number("EXPOSURE", |p| format!("{:.1}", p.exposure).into()),
    Column::new("WHAT IT IS", |p| p.description.as_str().into()),
    Column::wide("DIRECTIVES", |p| p.directives.join(" ").into()),
];

/// The command, or for a unit of the host its description.
fn what(service: &Service) -> String {
    if service.exec.is_empty() { service.description.clone() } else { command(&service.exec) }
}

/// A list of services.
pub(crate) fn list(services: &[Service]) -> Output {
    Output::list(
        services,
        COLUMNS,
        |s| &s.name,
        "No services. `volt service list --all` lists the host's.",
    )
}

/// A list of sandboxes.
pub(crate) fn profiles(profiles: &[ServiceProfile]) -> Output {
    Output::list(profiles, PROFILES, |p| &p.name, "No profiles.")
}

/// All that is known of one.
pub(crate) fn details(s: &Service) -> Output {
    let failed = !matches!(s.result.as_str(), "" | "success");
    let result = failed.then(|| match s.exit_code {
        Some(code) => format!("{}, exit code {code}", s.result),
        None => s.result.clone(),
    });
    let details = Details::new()
        .row("Name", &s.name)
        .some("Description", Some(&s.description).filter(|text| !text.is_empty()))
        .row("State", &s.state)
        .some("Health", s.health.as_ref())
        .some("Last run", result)
        .row("At boot", or_dash(Some(&s.enabled)))
        .row("Unit", &s.unit)
        .some("Command", (!s.exec.is_empty()).then(|| command(&s.exec)))
        .some("Profile", s.profile.as_ref())
        .some("User", s.user.as_ref())
        .some("Folder", s.workdir.as_ref())
        .each("Writable", &s.writable)
        .each("Secrets", &s.secrets)
        .each("Environment", s.env.as_deref().unwrap_or_default())
        .some("Restart", s.restart.as_ref())
        .some("Process", s.pid.map(|pid| pid.to_string()))
        .some("Started", s.started.as_deref().map(when_and_ago))
        .some("Restarts", (s.restarts > 0).then(|| s.restarts.to_string()))
        .row("Memory", size_or_dash(s.memory))
        .some("Tasks", s.tasks.map(|n| n.to_string()))
        .some("Created", s.created.as_deref().map(when_and_ago))
        .section("Labels");
    let details = s.labels.iter().fold(details, |d, (key, value)| d.row(key, value));
    Output::details(s, &s.name, details)
}
