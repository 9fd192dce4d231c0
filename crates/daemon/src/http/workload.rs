//! Workloads of every kind, units of the host, logs, load, events.

use super::convert::{container, exit};
use super::fields::{Fields, read};
use crate::router::{Cx, Failure, Routes};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use volt_api::operations::*;
use volt_api::types::{Event, LogLine, Named, Usage, Workload, WorkloadDetails, WorkloadLogs};
use volt_engine::workload::{Query, View};
use volt_engine::{Engine, event, workload};
use volt_model::name::Target;
use volt_model::time::parse_point;

/// Over how long it is measured what is used a second.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<WorkloadListOp>(|cx, params, _| {
            let all = cx.state.workload_list(params.all, params.kind.as_deref())?.into_iter();
            let wanted = params.stack.as_deref();
            let fits = |view: &View| wanted.is_none_or(|stack| view.stack() == Some(stack));
            Ok(all.filter(fits).map(shown).collect())
        })
        .plain::<WorkloadInspectOp>(|cx, params, _| {
            let details = cx.state.workload_inspect(&read("name", &params.name)?)?;
            Ok(WorkloadDetails {
                workload: shown(details.workload),
                container: details.container.map(|view| container(view, cx.sees_secrets())),
                properties: details.properties,
            })
        })
        .plain::<WorkloadStartOp>(|cx, params, _| {
            Ok(shown(cx.state.workload_start(&to_change(cx, &params)?)?))
        })
        .plain::<WorkloadStopOp>(|cx, params, _| {
            Ok(shown(cx.state.workload_stop(&to_change(cx, &params)?)?))
        })
        .plain::<WorkloadRestartOp>(|cx, params, _| {
            Ok(shown(cx.state.workload_restart(&to_change(cx, &params)?)?))
        })
        .plain::<WorkloadFreezeOp>(|cx, params, _| {
            Ok(shown(cx.state.workload_freeze(&to_change(cx, &params)?)?))
        })
        .plain::<WorkloadThawOp>(|cx, params, _| {
            Ok(shown(cx.state.workload_thaw(&to_change(cx, &params)?)?))
        })
        .lines::<WorkloadLogsOp>(|cx, params, each| {
            let query = query(&params)?;
            if let Target::Unit(unit) = &query.target {
                // The host's journal is not for everybody, and this would read it with root's rights.
                cx.require_journal(unit)?;
            }
            cx.state.workload_logs(&query, &mut |found| each(line(found)), &cx.gone())?;
            Ok(())
        })
        .plain::<WorkloadTopOp>(|cx, _, _| top(&cx.state))
        .events::<EventStreamOp>(|cx, _, each| {
            cx.state.event_stream(&mut |event| each(told(event)), &cx.gone())?;
            Ok(())
        })
}

/// What is to be changed: a workload of Volt, or for root any unit of the host.
pub(super) fn to_change(cx: &Cx<Engine>, params: &Named) -> Result<Target, Failure> {
    let target = read("name", &params.name)?;
    if let Target::Unit(unit) = &target {
        cx.require_root(&format!("{unit}, a unit of the host,"))?;
    }
    Ok(target)
}

fn query(params: &WorkloadLogs) -> Result<Query, Failure> {
    let now = jiff::Timestamp::now();
    let mut fields = Fields::default();
    let target = fields.one("name", &params.name);
    let mut point = |field, text: &Option<String>| {
        text.as_deref().and_then(|text| fields.with(field, text, |t| parse_point(t, now)))
    };
    let (since, until) = (point("since", &params.since), point("until", &params.until));
    let stream = params.stream.as_deref().and_then(|text| fields.with("stream", text, stream_of));
    let target = fields.finish(target)?;
    Ok(Query {
        target,
        follow: params.follow,
        lines: params.lines,
        since,
        until,
        grep: params.grep.clone(),
        stream,
    })
}

fn stream_of(text: &str) -> Result<&'static str, &'static str> {
    match text {
        "stdout" => Ok("stdout"),
        "stderr" => Ok("stderr"),
        _ => Err("write stdout or stderr"),
    }
}

/// What everything uses, with what that is a second measured between two looks.
fn top(engine: &Engine) -> Result<Vec<Usage>, Failure> {
    let began = Instant::now();
    let first: HashMap<String, Usage> =
        engine.workload_top()?.into_iter().map(|usage| (usage.name.clone(), used(usage))).collect();
    if !first.is_empty() {
        std::thread::sleep(INTERVAL);
    }
    let second = engine.workload_top()?;
    let passed = began.elapsed();
    let measured = |usage: workload::Usage| {
        let earlier = first.get(&usage.name);
        used(usage).since(earlier, passed)
    };
    Ok(second.into_iter().map(measured).collect())
}

fn used(usage: workload::Usage) -> Usage {
    Usage {
        name: usage.name,
        kind: usage.kind.to_owned(),
        cpu_nanoseconds: usage.cpu_nanoseconds,
        memory: usage.memory,
        memory_limit: usage.memory_limit,
        io_read: usage.io_read,
        io_written: usage.io_written,
        network_received: usage.network.map(|network| network.received_bytes),
        network_sent: usage.network.map(|network| network.sent_bytes),
        tasks: usage.tasks,
        ..Usage::default()
    }
}

/// A workload as it is shown.
pub(super) fn shown(view: View) -> Workload {
    Workload {
        stack: view.stack().map(str::to_owned),
        name: view.name,
        kind: view.kind.to_owned(),
        state: view.state.to_string(),
        image: view.image.map(|image| image.to_string()),
        command: view.command,
        problem: view.problem,
        unit: view.unit,
        created: view.created.map(|t| t.to_string()),
        started: view.started.map(|t| t.to_string()),
        health: view.health.map(|status| status.to_string()),
        exit: view.exit.map(exit),
        labels: view.labels,
    }
}

pub(super) fn line(line: workload::LogLine) -> LogLine {
    LogLine {
        time: line.time.to_string(),
        stream: line.stream.to_owned(),
        priority: line.priority,
        identifier: line.identifier,
        message: line.message,
    }
}

fn told(event: event::Event) -> Event {
    Event {
        id: event.id,
        time: event.time.to_string(),
        kind: event.kind.to_owned(),
        name: event.name,
        action: event.action.to_owned(),
        details: event.details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}
