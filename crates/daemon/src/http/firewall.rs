//! The firewall and policies.

use super::fields::{Fields, read};
use super::net::shown;
use crate::router::{Failure, Routes};
use volt_api::operations::*;
use volt_api::types as wire;
use volt_api::types::Nothing;
use volt_engine::Engine;
use volt_engine::firewall::{Add, Status};
use volt_engine::net::{Answer, End};
use volt_model::name::Name;
use volt_model::net::policy::{Action, Direction, Statement};

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<NetPolicyCreateOp>(|cx, _, body| {
            policy(&cx.state, &cx.state.net_policy_create(wanted(&body)?)?)
        })
        .plain::<NetPolicyListOp>(|cx, _, _| {
            cx.state.net_policy_list()?.iter().map(|one| policy(&cx.state, one)).collect()
        })
        .plain::<NetPolicyDeleteOp>(|cx, params, _| {
            cx.state.net_policy_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
        .plain::<NetPolicyDefaultOp>(|cx, params, body| {
            let mut fields = Fields::default();
            let name = fields.one::<Name>("name", &params.name);
            let action = fields.one::<Action>("action", &body.action);
            let way = body.direction.as_deref();
            let way = way.and_then(|way| fields.with("direction", way, direction));
            let (name, action) = fields.finish(name.zip(action))?;
            Ok(shown(cx.state.net_policy_default(&name, action, way)?))
        })
        .plain::<NetPolicyTestOp>(|cx, params, _| {
            let mut fields = Fields::default();
            let from = fields.one("from", &params.from);
            let to = fields.one("to", &params.to);
            let (from, to) = fields.finish(from.zip(to))?;
            Ok(cx.state.net_policy_test(&from, &to)?.into_iter().map(answer).collect())
        })
        .plain::<FirewallRuleAddOp>(|cx, _, body| {
            rule(&cx.state, &cx.state.firewall_rule_add(added(&body)?)?)
        })
        .plain::<FirewallRuleListOp>(|cx, _, _| {
            cx.state.firewall_rule_list()?.iter().map(|one| rule(&cx.state, one)).collect()
        })
        .plain::<FirewallRuleDeleteOp>(|cx, params, _| {
            cx.state.firewall_rule_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
        .plain::<FirewallStatusOp>(|cx, _, _| Ok(status(cx.state.firewall_status()?)))
        .plain::<FirewallReloadOp>(|cx, _, _| Ok(status(cx.state.firewall_reload()?)))
}

fn direction(text: &str) -> Result<Direction, String> {
    match text {
        "ingress" => Ok(Direction::Ingress),
        "egress" => Ok(Direction::Egress),
        _ => Err(format!("`{text}` is neither ingress nor egress")),
    }
}

fn wanted(body: &wire::NetPolicy) -> Result<Statement, Failure> {
    let mut fields = Fields::default();
    let name = fields.one("name", &body.name);
    let action = fields.one("action", &body.action);
    let from = fields.one("from", &body.from);
    let to = fields.one("to", &body.to);
    let ports = fields.all("ports", &body.ports);
    let ((name, action), (from, to)) = fields.finish(name.zip(action).zip(from.zip(to)))?;
    Ok(Statement { name, action, from, to, ports })
}

fn added(body: &wire::FirewallRule) -> Result<Add, Failure> {
    let mut fields = Fields::default();
    let name = fields.maybe("name", body.name.as_deref());
    let action = fields.one("action", &body.action);
    let from = fields.one("from", &body.from);
    let to = fields.one("to", &body.to);
    let ports = fields.all("ports", &body.ports);
    let (action, (from, to)) = fields.finish(action.zip(from.zip(to)))?;
    Ok(Add { name, action, from, to, ports })
}

fn policy(engine: &Engine, one: &Statement) -> Result<wire::NetPolicy, Failure> {
    Ok(wire::NetPolicy {
        name: one.name.to_string(),
        action: one.action.to_string(),
        from: one.from.to_string(),
        to: one.to.to_string(),
        ports: one.ports.iter().map(ToString::to_string).collect(),
        note: engine.note_on(one)?,
    })
}

fn rule(engine: &Engine, one: &Statement) -> Result<wire::FirewallRule, Failure> {
    let wire::NetPolicy { name, action, from, to, ports, note } = policy(engine, one)?;
    Ok(wire::FirewallRule { name: Some(name), action, from, to, ports, note })
}

fn answer(answer: Answer) -> wire::NetPolicyAnswer {
    wire::NetPolicyAnswer {
        from: end(answer.from),
        to: end(answer.to),
        allowed: answer.allowed,
        by: answer.by,
    }
}

fn end(end: End) -> wire::NetPolicyEnd {
    wire::NetPolicyEnd {
        name: end.who,
        network: end.network.map(|network| network.to_string()),
        ip: end.ip.map(|ip| ip.to_string()),
    }
}

fn status(status: Status) -> wire::FirewallStatus {
    wire::FirewallStatus {
        whole: status.whole,
        networks: status.networks as u64,
        connected: status.connected as u64,
        published: status.published as u64,
        policies: status.policies as u64,
        rules: status.rules as u64,
        pending: status.pending,
        bridge_nf: status.bridge_nf,
        closed: status.closed,
        unknown: status.unknown.iter().map(ToString::to_string).collect(),
    }
}
