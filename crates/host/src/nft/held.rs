//! What the kernel has of Volt's tables, compared with what it is to have.

use super::dump::{attribute, attributes, dump};
use super::elements::{
    DATA, KEY, LIST_ELEMENT, LIST_ELEMENTS, LIST_SET, LIST_TABLE, NFTABLES, VALUE,
};
use super::encode::{Header, Message, fields, protocol_family};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use volt_model::net::ruleset::{Element, Family, TABLE};

/// `NFT_MSG_GETRULE`, `NFT_MSG_GETSETELEM`.
const GET_RULES: u16 = NFTABLES << 8 | 7;
const GET_ELEMENTS: u16 = NFTABLES << 8 | 13;
/// `NFTA_RULE_TABLE`.
const RULE_TABLE: u16 = 1;

/// Whether these sets and maps have these elements, each its own and no others.
///
/// # Errors
/// When the kernel can't be asked.
pub fn has_elements(
    sets: impl IntoIterator<Item = (Family, Cow<'static, str>)>,
    wanted: &[Element],
) -> io::Result<bool> {
    for (family, set) in sets {
        let own = wanted.iter().filter(|element| element.family == family && element.set == set);
        let own: BTreeSet<_> =
            own.map(|element| (fields(&element.key), fields(&element.value))).collect();
        match held(family, &set) {
            Ok(held) if held == own => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// How many rules Volt's table of this family has; none where it isn't there.
///
/// # Errors
/// When the kernel can't be asked.
pub fn count_rules(family: Family) -> io::Result<usize> {
    let mut question = Message::new(header(GET_RULES, family));
    question.text(RULE_TABLE, TABLE);
    let mut count = 0;
    let asked = dump(&question.finish(), &mut |answer| {
        // Older kernels tell those of other tables too.
        let table = attribute(answer.attributes, RULE_TABLE).unwrap_or_default();
        count += usize::from(table.strip_suffix(b"\0") == Some(TABLE.as_bytes()));
    });
    match asked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        asked => asked.map(|()| count),
    }
}

/// The keys and values of a set or map, as this crate writes them.
fn held(family: Family, set: &str) -> io::Result<BTreeSet<(Vec<u8>, Vec<u8>)>> {
    let mut question = Message::new(header(GET_ELEMENTS, family));
    question.text(LIST_TABLE, TABLE);
    question.text(LIST_SET, set);
    let mut all = BTreeSet::new();
    dump(&question.finish(), &mut |answer| {
        let list = attribute(answer.attributes, LIST_ELEMENTS).unwrap_or_default();
        for (_, element) in attributes(list).filter(|(kind, _)| *kind == LIST_ELEMENT) {
            let value = |kind| {
                let value = attribute(element, kind).and_then(|data| attribute(data, VALUE));
                let mut bytes = value.unwrap_or_default().to_vec();
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                bytes
            };
            all.insert((value(KEY), value(DATA)));
        }
    })?;
    Ok(all)
}

fn header(kind: u16, family: Family) -> Header {
    let (flags, family) = (NLM_F_REQUEST | NLM_F_DUMP, protocol_family(family));
    Header { kind, flags, sequence: 1, family, resource: 0 }
}
