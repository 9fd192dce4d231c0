//! Services.

use super::container::{check_env, limits};
use super::convert;
use super::fields::{Fields, read};
use super::workload::to_change;
use crate::router::{Cx, Failure, Routes};
use volt_api::operations::*;
use volt_api::types::{
    Named, Nothing, Service, ServiceCreate, ServiceFile, ServiceProfile, ServiceText,
};
use volt_engine::Engine;
use volt_engine::config::Text;
use volt_engine::service::{Create, Exposure, File, View};
use volt_model::container::parse_signal;
use volt_model::name::Target;
use volt_model::restart::Restart;
use volt_model::service::Program;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    let routes = routes
        .plain::<ServiceCreateOp>(|cx, _, body| {
            let made = cx.state.service_create(wanted(body)?)?;
            Ok(shown(made, cx.sees_secrets()))
        })
        .plain::<ServiceListOp>(|cx, params, _| {
            let all = cx.state.service_list(params.all)?;
            Ok(all.into_iter().map(|view| shown(view, cx.sees_secrets())).collect())
        })
        .plain::<ServiceProfilesOp>(|cx, _, _| {
            Ok(cx.state.service_profiles()?.into_iter().map(profile).collect())
        })
        .plain::<ServiceStatusOp>(|cx, params, _| {
            let view = cx.state.service_status(&target(&params)?)?;
            Ok(shown(view, cx.sees_secrets()))
        })
        .plain::<ServiceShowOp>(|cx, params, _| {
            let all = cx.state.service_show(&target(&params)?)?;
            Ok(all.into_iter().map(|one| file(one, cx.sees_secrets())).collect())
        })
        .plain::<ServiceReadOp>(|cx, params, _| Ok(text(cx.state.service_read(&target(&params)?)?)))
        .plain::<ServiceWriteOp>(|cx, params, body| {
            let target = target(&params)?;
            Ok(text(cx.state.service_write(&target, &body.text, body.revision.as_deref())?))
        })
        .plain::<ServiceDeleteOp>(|cx, params, _| {
            cx.state.service_delete(&read("name", &params.name)?, params.force)?;
            Ok(Nothing {})
        });
    running(routes)
}

fn running(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<ServiceStartOp>(|cx, params, _| {
            let view = cx.state.service_start(&to_change(cx, &params)?)?;
            Ok(of(cx, view))
        })
        .plain::<ServiceStopOp>(|cx, params, _| {
            let view = cx.state.service_stop(&to_change(cx, &params)?)?;
            Ok(of(cx, view))
        })
        .plain::<ServiceKillOp>(|cx, params, _| {
            let signal = params.signal.as_deref().unwrap_or("KILL");
            let mut fields = Fields::default();
            let signal = fields.with("signal", signal, parse_signal);
            let signal = fields.finish(signal)?;
            let target = to_change(cx, &Named { name: params.name })?;
            Ok(of(cx, cx.state.service_kill(&target, signal)?))
        })
        .plain::<ServiceRestartOp>(|cx, params, _| {
            let view = cx.state.service_restart(&to_change(cx, &params)?)?;
            Ok(of(cx, view))
        })
        .plain::<ServiceEnableOp>(|cx, params, _| {
            let view = cx.state.service_enable(&read("name", &params.name)?, params.now)?;
            Ok(of(cx, view))
        })
        .plain::<ServiceDisableOp>(|cx, params, _| {
            let view = cx.state.service_disable(&read("name", &params.name)?, params.now)?;
            Ok(of(cx, view))
        })
}

fn target(params: &Named) -> Result<Target, Failure> {
    read("name", &params.name)
}

fn of(cx: &Cx<Engine>, view: View) -> Service {
    shown(view, cx.sees_secrets())
}

fn wanted(body: ServiceCreate) -> Result<Create, Failure> {
    let mut fields = Fields::default();
    let name = fields.one("name", &body.name);
    let profile = fields.maybe("profile", body.profile.as_deref()).unwrap_or_default();
    let limits = limits(&mut fields, &body.limits);
    let restart = fields.maybe("restart", body.restart.as_deref());
    let secrets = fields.all("secrets", &body.secrets);
    check_env(&mut fields, &body.env);
    fields.finish(name).map(|name| Create {
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
        env: body.env,
        restart: restart.unwrap_or(Restart::OnFailure(None)),
        health: None,
        stop_timeout: body.stop_timeout,
        labels: body.labels,
        now: body.now,
    })
}

fn shown(view: View, secrets: bool) -> Service {
    let mut service = Service {
        name: view.name,
        unit: view.unit,
        health: view.health.map(|status| status.to_string()),
        state: view.state.to_string(),
        description: view.description,
        enabled: view.enabled,
        exec: Vec::new(),
        profile: None,
        user: None,
        workdir: None,
        writable: Vec::new(),
        secrets: Vec::new(),
        env: view.environment.map(|env| convert::env(env, secrets)),
        limits: Default::default(),
        restart: None,
        stop_timeout: None,
        pid: view.pid,
        started: view.started.map(|time| time.to_string()),
        restarts: view.restarts,
        result: view.result,
        exit_code: view.code,
        memory: view.memory,
        tasks: view.tasks,
        created: None,
        labels: Default::default(),
    };
    if let Some(spec) = view.spec {
        service.limits = convert::limits(&spec.program.limits);
        service.exec = spec.program.exec;
        service.profile = Some(spec.program.profile.to_string());
        service.user = spec.program.user;
        service.workdir = spec.program.workdir;
        service.writable = spec.program.writable;
        service.secrets = spec.program.secrets.iter().map(ToString::to_string).collect();
        service.restart = Some(spec.restart.to_string());
        service.stop_timeout = Some(spec.stop_timeout);
        service.created = Some(spec.created.to_string());
        service.labels = spec.labels;
    }
    service
}

fn profile(one: Exposure) -> ServiceProfile {
    ServiceProfile {
        name: one.profile.to_string(),
        exposure: one.score,
        description: one.profile.about().to_owned(),
        directives: one.profile.directives().into_iter().map(str::to_owned).collect(),
    }
}

fn file(file: File, secrets: bool) -> ServiceFile {
    let text = (file.is_public || secrets).then_some(file.text);
    ServiceFile { path: file.path.to_string_lossy().into_owned(), text }
}

fn text(text: Text) -> ServiceText {
    ServiceText { text: text.text, revision: Some(text.revision) }
}
