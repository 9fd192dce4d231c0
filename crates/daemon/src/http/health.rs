//! Health checks.

use super::fields::{Fields, read};
use crate::router::{Cx, Routes};
use volt_api::operations::*;
use volt_api::types::{Health, HealthCheck, HealthEntry, HealthHttp};
use volt_engine::Engine;
use volt_engine::health::View;
use volt_model::health::{self, Command, Entry, Span, Wanted};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<HealthListOp>(|cx, _, _| {
            Ok(cx.state.health_list()?.into_iter().map(|view| shown(cx, view)).collect())
        })
        .plain::<HealthStatusOp>(|cx, params, _| {
            let name: Name = read("name", &params.name)?;
            Ok(shown(cx, cx.state.health_status(&name)?))
        })
        .plain::<HealthHistoryOp>(|cx, params, _| {
            let name: Name = read("name", &params.name)?;
            let past = cx.state.health_history(&name)?.0;
            Ok(past.into_iter().map(|entry| told(cx, entry)).collect())
        })
        .plain::<HealthConfigureOp>(|cx, params, body| {
            let mut fields = Fields::default();
            let name = fields.one::<Name>("name", &params.name);
            let check = body.check.map(|check| wanted(&mut fields, check));
            let name = fields.finish(name)?;
            let root = cx.require_root("a command on the host");
            match (cx.state.health_configure(&name, check.as_ref(), root.is_ok()), root) {
                // It is written down as refused.
                (Err(error), Err(refusal)) if error.kind == ErrorKind::Permission => Err(refusal),
                (done, _) => Ok(shown(cx, done?)),
            }
        })
}

/// What is asked for; what is wrong in it is noted.
pub(super) fn wanted(fields: &mut Fields, check: HealthCheck) -> Wanted {
    let http = check.http.map(|http| health::Http {
        port: http.port,
        path: http.path.unwrap_or_else(|| "/".to_owned()),
        status: fields.all("http.status", &http.status),
        headers: http.headers,
    });
    let mut span = |field, text: &Option<String>| fields.maybe::<Span>(field, text.as_deref());
    Wanted {
        none: check.none,
        http,
        tcp: check.tcp,
        exec: check.exec.map(Command),
        interval: span("interval", &check.interval),
        timeout: span("timeout", &check.timeout),
        start_period: span("start_period", &check.start_period),
        start_interval: span("start_interval", &check.start_interval),
        retries: check.retries,
        on_unhealthy: fields.maybe("on_unhealthy", check.on_unhealthy.as_deref()),
    }
}

/// A check, whole.
pub(super) fn check(check: health::Check) -> HealthCheck {
    let wanted = Wanted::from(check);
    let span = |span: Option<Span>| span.map(|span| span.to_string());
    HealthCheck {
        none: wanted.none,
        http: wanted.http.map(|http| HealthHttp {
            port: http.port,
            path: Some(http.path),
            status: http.status.iter().map(ToString::to_string).collect(),
            headers: http.headers,
        }),
        tcp: wanted.tcp,
        exec: wanted.exec.map(|words| words.0),
        interval: span(wanted.interval),
        timeout: span(wanted.timeout),
        start_period: span(wanted.start_period),
        start_interval: span(wanted.start_interval),
        retries: wanted.retries,
        on_unhealthy: wanted.on_unhealthy.map(|what| what.to_string()),
    }
}

fn shown(cx: &Cx<Engine>, view: View) -> Health {
    let state = view.state.as_ref();
    Health {
        name: view.name.to_string(),
        status: state.map(|state| state.status.to_string()),
        since: state.map(|state| state.since.to_string()),
        streak: state.map_or(0, |state| state.streak),
        checked: state.and_then(|state| state.checked).map(|time| time.to_string()),
        passed: state.and_then(|state| state.passed),
        restarts: state.map_or(0, |state| state.restarts),
        check: view.check.map(check),
        from_file: view.from_file,
        problem: view.problem,
        last_words: view.last_words.filter(|_| cx.sees_secrets()),
    }
}

fn told(cx: &Cx<Engine>, entry: Entry) -> HealthEntry {
    HealthEntry {
        time: entry.at.to_string(),
        what: entry.what.word().to_owned(),
        said: Some(entry.said).filter(|_| cx.sees_secrets()),
    }
}
