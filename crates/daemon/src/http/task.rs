//! Tasks.

use super::container::{check_env, limits};
use super::convert;
use super::fields::{Fields, read};
use super::workload::line;
use crate::router::{Failure, Routes};
use std::time::Duration;
use volt_api::operations::*;
use volt_api::types::{Nothing, Task, TaskCreate, TaskOutput, TaskRun};
use volt_engine::Engine;
use volt_engine::task::{Create, View};
use volt_model::name::Name;
use volt_model::service::Program;
use volt_model::task::{Run, Schedule, unit};
use volt_model::time::{parse_span, span_text};

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<TaskCreateOp>(|cx, _, body| Ok(shown(cx.state.task_create(wanted(body)?)?)))
        .plain::<TaskListOp>(|cx, _, _| Ok(cx.state.task_list()?.into_iter().map(shown).collect()))
        .plain::<TaskInspectOp>(|cx, params, _| {
            Ok(shown(cx.state.task_inspect(&read("name", &params.name)?)?))
        })
        .lines::<TaskRunOp>(|cx, params, each| {
            let name: Name = read("name", &params.name)?;
            let mut told = |said| each(TaskOutput { line: Some(line(said)), run: None });
            let ended = cx.state.task_run(&name, &mut told, &cx.gone())?;
            if let Some(ended) = ended {
                each(TaskOutput { line: None, run: Some(run(ended)) });
            }
            Ok(())
        })
        .plain::<TaskHistoryOp>(|cx, params, _| {
            let runs = cx.state.task_history(&read("name", &params.name)?)?;
            Ok(runs.into_iter().map(run).collect())
        })
        .plain::<TaskEnableOp>(|cx, params, _| {
            Ok(shown(cx.state.task_enable(&read("name", &params.name)?)?))
        })
        .plain::<TaskDisableOp>(|cx, params, _| {
            Ok(shown(cx.state.task_disable(&read("name", &params.name)?)?))
        })
        .plain::<TaskDeleteOp>(|cx, params, _| {
            cx.state.task_delete(&read("name", &params.name)?, params.force)?;
            Ok(Nothing {})
        })
}

fn wanted(body: TaskCreate) -> Result<Create, Failure> {
    let mut fields = Fields::default();
    let name = fields.one("name", &body.name);
    let image = fields.maybe("image", body.image.as_deref());
    let profile = fields.maybe("profile", body.profile.as_deref()).unwrap_or_default();
    let limits = limits(&mut fields, &body.limits);
    let schedule = schedule(&mut fields, &body);
    let mut seconds = |field, text: &Option<String>| {
        text.as_deref().and_then(|text| fields.with(field, text, whole_seconds))
    };
    let timeout = seconds("timeout", &body.timeout);
    let random_delay = seconds("random_delay", &body.random_delay);
    let secrets = fields.all("secrets", &body.secrets);
    check_env(&mut fields, &body.env);
    fields.finish(name.zip(schedule)).map(|(name, schedule)| Create {
        name,
        description: body.description,
        program: Program {
            exec: body.exec,
            profile,
            user: body.user,
            workdir: body.workdir,
            writable: body.writable,
            limits,
            secrets,
        },
        image,
        env: body.env,
        schedule,
        timeout,
        retries: body.retries,
        random_delay,
        persistent: body.persistent,
        network: None,
        labels: body.labels,
        disabled: body.disabled,
    })
}

/// The one time that was given.
fn schedule(fields: &mut Fields, body: &TaskCreate) -> Option<Schedule> {
    let one = match (&body.on_calendar, &body.every, &body.cron) {
        (Some(text), None, None) => Ok(Schedule::Calendar(text.clone())),
        (None, Some(text), None) => Ok(Schedule::Every(text.clone())),
        (None, None, Some(text)) => Ok(Schedule::Cron(text.clone())),
        _ => Err("one of `on_calendar`, `every` and `cron` says when it is started".to_owned()),
    };
    fields.with("schedule", "", |_| {
        let schedule = one?;
        schedule.trigger().map_err(|e| e.to_string())?;
        Ok::<_, String>(schedule)
    })
}

/// Seconds, of a span of at least one.
fn whole_seconds(text: &str) -> Result<u64, String> {
    let span = parse_span(text).map_err(|e| e.to_string())?;
    match span.as_secs() {
        0 => Err(format!("`{text}` is below a second")),
        seconds => Ok(seconds),
    }
}

fn shown(view: View) -> Task {
    let spec = view.spec;
    let span = |seconds: Option<u64>| seconds.map(|s| span_text(Duration::from_secs(s)));
    Task {
        unit: spec.unit(),
        timer: unit::timer(&spec.name),
        name: spec.name.to_string(),
        state: view.state.to_string(),
        enabled: view.enabled,
        schedule: spec.schedule.to_string(),
        next: view.next.map(|time| time.to_string()),
        started: view.started.map(|time| time.to_string()),
        last: view.last.map(run),
        description: spec.description,
        image: spec.image.map(|image| image.to_string()),
        profile: spec.program.profile.to_string(),
        limits: convert::limits(&spec.program.limits),
        exec: spec.program.exec,
        user: spec.program.user,
        workdir: spec.program.workdir,
        writable: spec.program.writable,
        secrets: spec.program.secrets.iter().map(ToString::to_string).collect(),
        timeout: span(spec.timeout),
        retries: spec.retries,
        random_delay: span(spec.random_delay),
        persistent: spec.persistent,
        created: spec.created.to_string(),
        labels: spec.labels,
    }
}

fn run(run: Run) -> TaskRun {
    TaskRun {
        invocation: run.invocation,
        started: run.started.map(|time| time.to_string()),
        finished: run.finished.to_string(),
        attempt: run.attempt,
        result: run.result,
        exit_code: run.code,
    }
}
