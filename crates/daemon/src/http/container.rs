//! Containers.

use super::Unseen;
use super::convert::{container, exit};
use super::fields::{Fields, read};
use super::{health, image};
use crate::router::{Cx, Failure, Routes, Upload, parse_json};
use std::time::Duration;
use volt_api::Problem;
use volt_api::operations::*;
use volt_api::types::{
    Container, ContainerCommit, ContainerCreate, ContainerExec, ContainerUpdate, ContainerWaited,
    Limits, LimitsChange, Named, Nothing,
};
use volt_engine::Engine;
use volt_engine::container::{Commit, Create, Exec, Update, View};
use volt_model::container::parse_signal;
use volt_model::limits::{self, DeviceRate, Limits as ModelLimits};
use volt_model::name::Name;
use volt_model::net::connections;
use volt_model::size::Bytes;

/// What takes root where the one who runs it is root.
const UNCONFINED: &str = "a container that nothing confines (proot)";

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    let routes = routes
        .plain::<ContainerCreateOp>(|cx, _, body| {
            let wanted = wanted(body)?;
            if cx.state.is_unconfined(wanted.backend)? {
                cx.require_root(UNCONFINED)?;
            }
            Ok(shown(cx, cx.state.container_create(wanted)?))
        })
        .plain::<ContainerListOp>(|cx, params, _| {
            let all = cx.state.container_list(params.all)?;
            Ok(all.into_iter().map(|view| shown(cx, view)).collect())
        })
        .plain::<ContainerInspectOp>(|cx, params, _| {
            let view = cx.state.container_inspect(&name(&params)?)?;
            Ok(shown(cx, view))
        })
        .plain::<ContainerStartOp>(|cx, params, _| {
            let view = cx.state.container_start(&name(&params)?)?;
            Ok(shown(cx, view))
        })
        .plain::<ContainerStopOp>(|cx, params, _| {
            let name = read("name", &params.name)?;
            Ok(shown(cx, cx.state.container_stop(&name, seconds(params.timeout))?))
        })
        .plain::<ContainerRestartOp>(|cx, params, _| {
            let name = read("name", &params.name)?;
            Ok(shown(cx, cx.state.container_restart(&name, seconds(params.timeout))?))
        })
        .plain::<ContainerKillOp>(|cx, params, _| {
            let mut fields = Fields::default();
            let name = fields.one::<Name>("name", &params.name);
            let signal = params.signal.as_deref().unwrap_or("KILL");
            let signal = fields.with("signal", signal, parse_signal);
            let (name, signal) = fields.finish(name.zip(signal))?;
            Ok(shown(cx, cx.state.container_kill(&name, signal)?))
        })
        .plain::<ContainerDeleteOp>(|cx, params, _| {
            cx.state.container_delete(&read("name", &params.name)?, params.force)?;
            Ok(Nothing {})
        });
    changing(reaching_in(routes))
}

fn changing(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<ContainerUpdateOp>(|cx, params, body| {
            let name = name(&params)?;
            Ok(shown(cx, cx.state.container_update(&name, &update(&body)?)?))
        })
        .plain::<ContainerRenameOp>(|cx, params, _| {
            let mut fields = Fields::default();
            let from = fields.one::<Name>("name", &params.name);
            let to = fields.one::<Name>("to", &params.to);
            let (from, to) = fields.finish(from.zip(to))?;
            Ok(shown(cx, cx.state.container_rename(&from, &to)?))
        })
        .progress::<ContainerCloneOp>(|cx, params, body, report| {
            let mut fields = Fields::default();
            let from = fields.one::<Name>("name", &params.name);
            let to = fields.one::<Name>("to", &body.to);
            let snapshot = fields.maybe::<Name>("snapshot", body.snapshot.as_deref());
            let (from, to) = fields.finish(from.zip(to))?;
            may_get_out(cx, &from)?;
            Ok(shown(cx, cx.state.container_clone(&from, &to, snapshot.as_ref(), report)?))
        })
        .progress::<ContainerCommitOp>(|cx, params, body, report| {
            let (name, commit) = commit(&params, body)?;
            Ok(image::shown(cx, cx.state.container_commit(&name, commit, report)?))
        })
        .plain::<ContainerWaitOp>(|cx, params, _| {
            let ended = cx.state.container_wait(&name(&params)?, &cx.gone())?;
            Ok(ContainerWaited { name: params.name, exit: exit(ended) })
        })
}

fn reaching_in(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .stream::<ContainerExecOp>(|cx, params| {
            let name: Name = read("name", &params.name)?;
            may_get_out(cx, &name)?;
            Ok(cx.state.container_exec(&name, &exec(params)?)?)
        })
        .stream::<ContainerAttachOp>(|cx, params| {
            let name: Name = read("name", &params.name)?;
            may_get_out(cx, &name)?;
            let attached = cx.state.container_attach(&name, params.start).map_err(Failure::from);
            if params.start {
                // To whoever reads the trail it was started, whichever way.
                cx.record_too("container.start", &params.name, attached.as_ref().err())?;
            }
            attached
        })
        .download::<ContainerCopyOutOp>(|cx, params, out| {
            let name: Name = read("name", &params.name)?;
            Ok(cx.state.container_copy_out(&name, &params.path, out)?)
        })
        .upload::<ContainerCopyInOp>(|cx, params, mut body: Upload| {
            let name: Name = read("name", &params.name)?;
            may_get_out(cx, &name)?;
            cx.state.container_copy_in(&name, &params.path, &mut body)?;
            Ok(Nothing {})
        })
        .download::<ContainerExportOp>(|cx, params, out| {
            Ok(cx.state.container_export(&name(&params)?, out, &Unseen(cx))?)
        })
}

/// Refuses to reach into a container that nothing confines, but for root: what runs there is a process of root's like any other. To
/// start and stop it as root made it is for the group, as with services.
fn may_get_out(cx: &Cx<Engine>, name: &Name) -> Result<(), Failure> {
    match cx.state.container_is_unconfined(name) {
        true => cx.require_root(UNCONFINED),
        false => Ok(()),
    }
}

fn name(params: &Named) -> Result<Name, Failure> {
    read("name", &params.name)
}

fn shown(cx: &Cx<Engine>, view: View) -> Container {
    container(view, cx.sees_secrets())
}

fn seconds(timeout: Option<u32>) -> Option<Duration> {
    timeout.map(|s| Duration::from_secs(s.into()))
}

fn wanted(body: ContainerCreate) -> Result<Create, Failure> {
    let mut fields = Fields::default();
    let image = fields.one("image", &body.image);
    let name = fields.maybe("name", body.name.as_deref());
    let network = match body.networks.as_slice() {
        [] => None,
        words => fields.with("networks", "", |_| connections(words)),
    };
    let publish = fields.all("publish", &body.publish);
    let binds = fields.all("volumes", &body.volumes);
    let tmpfs = fields.all("tmpfs", &body.tmpfs);
    let secrets = fields.all("secrets", &body.secrets);
    let limits = limits(&mut fields, &body.limits);
    let seccomp = fields.maybe("seccomp", body.seccomp.as_deref()).unwrap_or_default();
    let restart = fields.maybe("restart", body.restart.as_deref()).unwrap_or_default();
    let stop_signal =
        body.stop_signal.and_then(|text| fields.with("stop_signal", &text, parse_signal));
    let health = body.health.map(|check| health::wanted(&mut fields, check)).unwrap_or_default();
    let ulimits = fields.all("ulimits", &body.ulimits);
    let backend = fields.maybe("backend", body.backend.as_deref());
    check_env(&mut fields, &body.env);
    fields.finish(image).map(|image| Create {
        name,
        image,
        command: body.command,
        entrypoint: body.entrypoint,
        env: body.env,
        user: body.user,
        workdir: body.workdir,
        hostname: body.hostname,
        tty: body.tty,
        stdin: body.stdin,
        auto_remove: body.auto_remove,
        boot: body.boot,
        network,
        publish,
        expose: body.expose,
        binds,
        tmpfs,
        secrets,
        read_only: body.read_only,
        limits,
        cap_add: body.cap_add,
        cap_drop: body.cap_drop,
        seccomp,
        restart,
        health,
        stop_signal,
        stop_timeout: body.stop_timeout,
        ulimits,
        around: Default::default(),
        standing: Default::default(),
        group_add: Vec::new(),
        own_volumes: Vec::new(),
        labels: body.labels,
        backend,
    })
}

pub(super) fn limits(fields: &mut Fields, wanted: &Limits) -> ModelLimits {
    ModelLimits {
        memory: fields.maybe("limits.memory", wanted.memory.as_deref()),
        memory_swap: fields.maybe("limits.memory_swap", wanted.memory_swap.as_deref()),
        cpu: wanted.cpu,
        cpu_weight: wanted.cpu_weight,
        pids: wanted.pids,
        io_weight: wanted.io_weight,
        io_read_bps: fields.all("limits.io_read_bps", &wanted.io_read_bps),
        io_write_bps: fields.all("limits.io_write_bps", &wanted.io_write_bps),
        io_read_iops: fields.all("limits.io_read_iops", &wanted.io_read_iops),
        io_write_iops: fields.all("limits.io_write_iops", &wanted.io_write_iops),
        rate: fields.maybe("limits.rate", wanted.rate.as_deref()),
    }
}

fn change(fields: &mut Fields, wanted: &LimitsChange) -> limits::LimitsChange {
    let mut size = |field, text: &Option<Option<String>>| {
        text.as_ref().map(|text| fields.maybe::<Bytes>(field, text.as_deref()))
    };
    let memory = size("limits.memory", &wanted.memory);
    let memory_swap = size("limits.memory_swap", &wanted.memory_swap);
    let rate = wanted.rate.as_ref().map(|text| fields.maybe("limits.rate", text.as_deref()));
    let mut rates = |field, list: &Option<Option<Vec<String>>>| {
        let list = list.as_ref().map(|list| list.as_deref().unwrap_or_default());
        list.map(|list| fields.all::<DeviceRate>(field, list))
    };
    limits::LimitsChange {
        memory,
        memory_swap,
        cpu: wanted.cpu,
        cpu_weight: wanted.cpu_weight,
        pids: wanted.pids,
        io_weight: wanted.io_weight,
        io_read_bps: rates("limits.io_read_bps", &wanted.io_read_bps),
        io_write_bps: rates("limits.io_write_bps", &wanted.io_write_bps),
        io_read_iops: rates("limits.io_read_iops", &wanted.io_read_iops),
        io_write_iops: rates("limits.io_write_iops", &wanted.io_write_iops),
        rate,
    }
}

fn update(body: &ContainerUpdate) -> Result<Update, Failure> {
    let mut fields = Fields::default();
    let limits = change(&mut fields, &body.limits);
    let restart = fields.maybe("restart", body.restart.as_deref());
    fields.finish(Some(Update { limits, restart }))
}

fn commit(params: &Named, body: ContainerCommit) -> Result<(Name, Commit), Failure> {
    let mut fields = Fields::default();
    let name = fields.one::<Name>("name", &params.name);
    let image = fields.one("image", &body.image);
    check_env(&mut fields, &body.env);
    let (name, image) = fields.finish(name.zip(image))?;
    let commit = Commit {
        image,
        entrypoint: body.entrypoint,
        command: body.command,
        env: body.env,
        user: body.user,
        workdir: body.workdir,
        labels: body.labels,
        message: body.message,
        force: body.force,
    };
    Ok((name, commit))
}

/// Refuses what is no variable. The values of these are nobody's business, so the message must not have them.
pub(super) fn check_env(fields: &mut Fields, env: &[String]) {
    if env.iter().any(|entry| entry.starts_with('=') || !entry.contains('=')) {
        fields.with("env", "", |_| Err::<(), _>("write NAME=VALUE"));
    }
}

fn exec(params: ContainerExec) -> Result<Exec, Failure> {
    // The texts may hold secrets, so the message does not quote them.
    let list = |text: &str| match text {
        "" => Ok(Vec::new()),
        _ => parse_json(text.as_bytes())
            .map_err(|_: Problem| r#"write a JSON list of texts, such as ["ls","-l"]"#),
    };
    let mut fields = Fields::default();
    let command = fields.with("command", &params.command, list);
    let env = fields.with("env", &params.env, list);
    let (command, env) = fields.finish(command.zip(env))?;
    Ok(Exec {
        command,
        env,
        user: params.user,
        workdir: params.workdir,
        tty: params.tty,
        stdin: params.stdin,
    })
}
