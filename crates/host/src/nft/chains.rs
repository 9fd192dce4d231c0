//! What other programs' tables let through.

use super::dump::{attribute, dump};
use super::elements::NFTABLES;
use super::encode::{Header, Message};
use crate::netlink::undisturbed;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use std::fmt;
use std::io;
use volt_model::net::ruleset::TABLE;

/// `NFT_MSG_GETCHAIN`.
pub(super) const GET_CHAINS: u16 = NFTABLES << 8 | 4;
/// `NFTA_CHAIN_TABLE`, `_NAME`, `_HOOK`, `_POLICY`, and `NFTA_HOOK_HOOKNUM`.
const OF_TABLE: u16 = 1;
const NAME: u16 = 3;
const HOOK: u16 = 4;
const POLICY: u16 = 5;
const HOOK_NUMBER: u16 = 1;
/// `NF_DROP`.
const DROP: u32 = 0;
/// `NF_INET_LOCAL_IN`, `NF_INET_FORWARD`: what comes to the host, and what it passes on.
const HOOKS: [u32; 2] = [1, 2];

/// A chain that drops what none of its rules accepts, of what comes to the host or is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// `ip`, `ip6`, `inet` or `bridge`.
    pub family: &'static str,
    /// The table's name.
    pub table: String,
    /// The chain's name.
    pub chain: String,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.family, self.table, self.chain)
    }
}

/// Such chains of others than Volt. What `iptables-legacy` has the kernel does not tell.
///
/// # Errors
/// When the kernel can't be asked.
pub fn closed() -> io::Result<Vec<Closed>> {
    undisturbed(closed_now)
}

fn closed_now() -> io::Result<Vec<Closed>> {
    // Of all families.
    let (flags, family) = (NLM_F_REQUEST | NLM_F_DUMP, 0);
    let question = Header { kind: GET_CHAINS, flags, sequence: 1, family, resource: 0 };
    let mut all = Vec::new();
    dump(&Message::new(question).finish(), &mut |answer| {
        let number = |bytes: Option<&[u8]>| bytes?.try_into().ok().map(u32::from_be_bytes);
        let hook = attribute(answer.attributes, HOOK);
        let hook = number(hook.and_then(|hook| attribute(hook, HOOK_NUMBER)));
        let policy = number(attribute(answer.attributes, POLICY));
        if policy != Some(DROP) || !hook.is_some_and(|hook| HOOKS.contains(&hook)) {
            return;
        }
        let text = |kind| {
            let bytes = attribute(answer.attributes, kind).unwrap_or_default();
            String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
        };
        let family = match answer.family {
            1 => "inet",
            2 => "ip",
            7 => "bridge",
            10 => "ip6",
            _ => return,
        };
        let found = Closed { family, table: text(OF_TABLE), chain: text(NAME) };
        if found.table != TABLE {
            all.push(found);
        }
    })?;
    Ok(all)
}
