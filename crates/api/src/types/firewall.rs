//! The firewall and policies on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A policy. Whom it is about is a workload, `KEY=VALUE` for a label, `net:NETWORK`, an address, a subnet, `any` or `outside`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetPolicy {
    /// What it is called.
    pub name: String,
    /// `allow` or `deny`.
    pub action: String,
    /// Who begins.
    #[serde(default = "any")]
    pub from: String,
    /// Whom they want to reach.
    #[serde(default = "any")]
    pub to: String,
    /// By which ports, such as `80/tcp`, `8000-8100/udp`, or `icmp` for pings; by all where there are none.
    #[serde(default)]
    pub ports: Vec<String>,
    /// What is to be known of one that holds nobody back, or not yet; in answers alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A rule of the firewall. Whom it is about is said as in a policy; it may lead to the `host`, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallRule {
    /// What it is called; a free name where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `allow` or `deny`.
    pub action: String,
    /// Who begins.
    #[serde(default = "any")]
    pub from: String,
    /// Whom they want to reach.
    #[serde(default = "any")]
    pub to: String,
    /// By which ports, such as `80/tcp`, `8000-8100/udp`, or `icmp` for pings; by all where there are none.
    #[serde(default)]
    pub ports: Vec<String>,
    /// What is to be known of one that holds nobody back, or not yet; in answers alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

fn any() -> String {
    "any".to_owned()
}

/// What to do with what no policy is about.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetPolicyDefault {
    /// `allow` or `deny`.
    pub action: String,
    /// `ingress` for what comes to members, `egress` for what they begin; both where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// Who wants to reach whom.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetPolicyTest {
    /// A workload, an address, or `outside`.
    pub from: String,
    /// The same, or `host`, with a port behind a colon: `web:80`, `[fd00::2]:53/udp`.
    pub to: String,
}

/// Whether a way from one to another is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetPolicyAnswer {
    /// Who begins.
    pub from: NetPolicyEnd,
    /// Whom they want to reach.
    pub to: NetPolicyEnd,
    /// Whether they may.
    pub allowed: bool,
    /// What says so.
    pub by: String,
}

/// One end of a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetPolicyEnd {
    /// The workload, `outside` or `host`.
    pub name: String,
    /// The network by which a workload takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// How the firewall stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallStatus {
    /// Whether the kernel has what it is to have.
    pub whole: bool,
    /// How many networks there are.
    pub networks: u64,
    /// How many workloads are connected.
    pub connected: u64,
    /// How many ports of the host lead in.
    pub published: u64,
    /// How many policies are in force.
    pub policies: u64,
    /// How many rules are.
    pub rules: u64,
    /// Why what the files say is not in force; nothing where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// Whether the kernel shows what crosses a bridge to the rules for what is routed, too.
    pub bridge_nf: bool,
    /// Chains of other programs that drop what they do not know, of what comes to the host or is passed on: family, table and chain.
    #[serde(default)]
    pub closed: Vec<String>,
    /// Networks that policies, rules or defaults name, and that there are not.
    #[serde(default)]
    pub unknown: Vec<String>,
}
