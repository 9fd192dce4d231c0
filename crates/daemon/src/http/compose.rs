//! Stacks.

use super::container::check_env;
use super::convert::container;
use super::fields::{Fields, read};
use super::workload;
use crate::router::{Cx, Failure, Routes};
use std::collections::BTreeMap;
use std::time::Duration;
use volt_api::operations::*;
use volt_api::types::{
    ComposePlan, ComposeRun, ComposeServices, ComposeStack, ComposeStep, ComposeUp,
    ComposeWorkload, Named, Sealed,
};
use volt_engine::Engine;
use volt_engine::compose::{Options, Plan, Run, Step, Up, View};
use volt_model::name::Name;
use volt_model::secret::{Hidden, MAX};

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    let routes = routes
        .progress::<ComposeUpOp>(|cx, params, body, report| {
            let (name, up) = (name(&params)?, up(body)?);
            may_touch_the_host(cx, &name, Some(&up))?;
            Ok(plan(&name, cx.state.compose_up(&name, &up, report)?))
        })
        .plain::<ComposePlanOp>(|cx, params, body| {
            let name = name(&params)?;
            Ok(plan(&name, cx.state.compose_plan(&name, &up(body)?)?))
        })
        .progress::<ComposeDownOp>(|cx, params, body, report| {
            let name = name(&params)?;
            let options = Options {
                services: body.services,
                volumes: body.volumes,
                remove_orphans: body.remove_orphans,
                ..Options::default()
            };
            let timeout = seconds(body.timeout);
            may_touch_the_host(cx, &name, None)?;
            Ok(plan(&name, cx.state.compose_down(&name, &options, timeout, report)?))
        })
        .progress::<ComposeRunOp>(|cx, params, body, report| {
            let name = name(&params)?;
            let (up, run) = run(body)?;
            may_touch_the_host(cx, &name, Some(&up))?;
            let made = cx.state.compose_run(&name, &up, &run, report)?;
            Ok(container(made, cx.sees_secrets()))
        })
        .plain::<ComposeLsOp>(|cx, _, _| {
            Ok(cx.state.compose_ls()?.into_iter().map(shown).collect())
        })
        .plain::<ComposePsOp>(|cx, params, _| Ok(shown(cx.state.compose_ps(&name(&params)?)?)));
    turning(routes)
}

fn turning(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .progress::<ComposeStartOp>(|cx, params, body, report| {
            let name = name(&params)?;
            Ok(plan(&name, cx.state.compose_start(&name, &body.services, report)?))
        })
        .progress::<ComposeStopOp>(|cx, params, body, report| {
            let (name, (services, timeout)) = (name(&params)?, asked(body));
            Ok(plan(&name, cx.state.compose_stop(&name, &services, timeout, report)?))
        })
        .progress::<ComposeRestartOp>(|cx, params, body, report| {
            let (name, (services, timeout)) = (name(&params)?, asked(body));
            Ok(plan(&name, cx.state.compose_restart(&name, &services, timeout, report)?))
        })
}

/// Refuses to make, change or remove services and tasks that run on the host itself, and containers that nothing confines, but for
/// root: a stack gives nobody more than `service create` and `container create` would.
fn may_touch_the_host(cx: &Cx<Engine>, name: &Name, up: Option<&Up>) -> Result<(), Failure> {
    let Err(refusal) = cx.require_root(
        "a stack with a service or task of the host, or a container that nothing confines,",
    ) else {
        return Ok(());
    };
    if cx.state.compose_has_host_units(name, up)? { Err(refusal) } else { Ok(()) }
}

fn name(params: &Named) -> Result<Name, Failure> {
    read("name", &params.name)
}

fn seconds(timeout: Option<u32>) -> Option<Duration> {
    timeout.map(|seconds| Duration::from_secs(seconds.into()))
}

fn asked(body: ComposeServices) -> (Vec<String>, Option<Duration>) {
    (body.services, seconds(body.timeout))
}

/// The content of secrets that was sent along.
fn secrets(sent: BTreeMap<String, Sealed>) -> Result<BTreeMap<String, Hidden>, Failure> {
    let (mut fields, mut all) = (Fields::default(), BTreeMap::new());
    for (key, sealed) in sent {
        let wrong = || format!("it is no base64 of at most {MAX} bytes");
        let hidden = |text: &str| Hidden::decode(text).ok_or_else(wrong);
        all.extend(fields.with("secrets", &sealed.0, hidden).map(|hidden| (key, hidden)));
    }
    fields.finish(Some(all))
}

fn up(body: ComposeUp) -> Result<Up, Failure> {
    Ok(Up {
        document: body.document,
        files: body.files,
        secrets: secrets(body.secrets)?,
        options: Options {
            services: body.services,
            no_dependencies: body.no_deps,
            force: body.force_recreate,
            keep: body.no_recreate,
            remove_orphans: body.remove_orphans,
            disabled: body.disabled.into_iter().collect(),
            no_start: body.no_start,
            volumes: false,
            before: None,
        },
        no_rollback: body.no_rollback,
        images_later: body.images_later,
        wait: body.wait,
    })
}

fn run(body: ComposeRun) -> Result<(Up, Run), Failure> {
    let mut fields = Fields::default();
    let container = fields.maybe::<Name>("container", body.container.as_deref());
    check_env(&mut fields, &body.env);
    fields.finish(Some(()))?;
    let options = Options { no_dependencies: body.no_deps, ..Options::default() };
    let secrets = secrets(body.secrets)?;
    let up = Up { document: body.document, files: body.files, secrets, options, ..Up::default() };
    let run = Run {
        service: body.service,
        command: body.command,
        entrypoint: body.entrypoint,
        env: body.env,
        user: body.user,
        workdir: body.workdir,
        name: container,
        auto_remove: body.auto_remove,
        tty: body.tty,
        stdin: body.stdin,
        ports: body.ports,
    };
    Ok((up, run))
}

fn plan(name: &Name, plan: Plan) -> ComposePlan {
    let step = |step: Step| ComposeStep {
        action: step.action.to_string(),
        kind: step.kind.to_string(),
        name: step.name,
        key: step.key,
        why: step.why,
        after: step.after.into_iter().collect(),
    };
    ComposePlan {
        name: name.to_string(),
        steps: plan.steps.into_iter().map(step).collect(),
        notes: plan.notes,
    }
}

fn shown(view: View) -> ComposeStack {
    let workload = |one| {
        let (service, replica) = View::place(&one);
        ComposeWorkload { service: service.to_owned(), replica, workload: workload::shown(one) }
    };
    ComposeStack {
        name: view.name.to_string(),
        files: view.files,
        unit: view.unit,
        created: view.created.map(|time| time.to_string()),
        workloads: view.workloads.into_iter().map(workload).collect(),
    }
}
