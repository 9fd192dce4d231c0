//! How the firewall and policies look.

use super::yes_no;
use crate::output::{Column, Details, Output, or_dash};
use volt_api::types::{
    FirewallRule, FirewallStatus, NetPolicy, NetPolicyAnswer, NetPolicyEnd, Network,
};

const POLICIES: &[Column<NetPolicy>] = &[
    Column::new("NAME", |p| p.name.as_str().into()),
    Column::new("ACTION", |p| p.action.as_str().into()),
    Column::new("FROM", |p| p.from.as_str().into()),
    Column::new("TO", |p| p.to.as_str().into()),
    Column::new("PORTS", |p| ports(&p.ports).into()),
];

const RULES: &[Column<FirewallRule>] = &[
    Column::new("NAME", |r| or_dash(r.name.as_deref()).into()),
    Column::new("ACTION", |r| r.action.as_str().into()),
    Column::new("FROM", |r| r.from.as_str().into()),
    Column::new("TO", |r| r.to.as_str().into()),
    Column::new("PORTS", |r| ports(&r.ports).into()),
];

const ANSWERS: &[Column<NetPolicyAnswer>] = &[
    Column::new("FROM", |a| end(&a.from).into()),
    Column::new("TO", |a| end(&a.to).into()),
    Column::new("ANSWER", |a| said(a).into()),
    Column::new("BY", |a| a.by.as_str().into()),
];

fn ports(ports: &[String]) -> String {
    if ports.is_empty() { "all".to_owned() } else { ports.join(", ") }
}

fn said(answer: &NetPolicyAnswer) -> &'static str {
    if answer.allowed { "allowed" } else { "denied" }
}

fn end(end: &NetPolicyEnd) -> String {
    let known = [Some(end.name.as_str()), end.ip.as_deref(), end.network.as_deref()];
    known.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A list of policies.
pub(crate) fn policies(policies: &[NetPolicy]) -> Output {
    Output::list(policies, POLICIES, |p| &p.name, "No policies.")
}

/// A list of rules.
pub(crate) fn rules(rules: &[FirewallRule]) -> Output {
    Output::list(rules, RULES, |r| r.name.as_deref().unwrap_or_default(), "No rules.")
}

/// Whether somebody may reach somebody.
pub(crate) fn answers(answers: &[NetPolicyAnswer]) -> Output {
    Output::list(answers, ANSWERS, said, "There is no way from one to the other.")
}

/// What a network does with what no policy is about.
pub(crate) fn default(network: &Network) -> Output {
    let text =
        format!("{}: ingress {}, egress {}\n", network.name, network.ingress, network.egress);
    Output::text(network, &network.name, text)
}

/// The networks that are named and are not there, in words.
fn unknown(status: &FirewallStatus) -> String {
    let each = status.unknown.iter().map(|name| format!("network {name}"));
    each.collect::<Vec<_>>().join(", ")
}

/// How the firewall stands.
pub(crate) fn status(status: &FirewallStatus) -> Output {
    let details = Details::new()
        .row("In the kernel", yes_no(status.whole))
        .row("Networks", status.networks.to_string())
        .row("Connected", status.connected.to_string())
        .row("Published ports", status.published.to_string())
        .row("Policies", status.policies.to_string())
        .row("Rules", status.rules.to_string())
        .row("Files", status.pending.as_deref().unwrap_or("in force"))
        .row("Bridges filtered twice", yes_no(status.bridge_nf))
        .row("Others that drop", or_dash(Some(&status.closed.join(", "))))
        .row("Named, but not there", or_dash(Some(&unknown(status))));
    Output::details(status, "firewall", details)
}
