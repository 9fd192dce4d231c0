//! What the kernel has of Volt's tables, compared with what it is to have.

use super::chains::GET_CHAINS;
use super::dump::{attribute, attributes, dump};
use super::elements::{
    DATA, GET_TABLE, KEY, LIST_ELEMENT, LIST_ELEMENTS, LIST_SET, LIST_TABLE, NFTABLES, Raw,
    TABLE_NAME, VALUE, commit,
};
use super::encode::{Header, Message, fields, protocol_family};
use crate::netlink::undisturbed;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::time::Duration;
use volt_model::net::ruleset::{Element, Family, Field, TABLE};

/// `NFT_MSG_GETRULE`, `NFT_MSG_GETSETELEM`.
const GET_RULES: u16 = NFTABLES << 8 | 7;
const GET_ELEMENTS: u16 = NFTABLES << 8 | 13;
/// `NFTA_CHAIN_TABLE`, `NFTA_RULE_TABLE`.
const OF_TABLE: u16 = 1;
/// `NFTA_CHAIN_NAME`, `_HOOK`, `_POLICY`, `_TYPE`: not its number, nor how many lead to it.
const CHAIN: &[u16] = &[3, 4, 5, 7];
/// `NFTA_RULE_CHAIN`, `_EXPRESSIONS`, `_USERDATA`.
const RULE: &[u16] = &[2, 4, 7];
/// `NFTA_TABLE_USERDATA`.
const TABLE_USERDATA: u16 = 6;
/// `NFTNL_UDATA_TABLE_COMMENT` of libnftnl, in front of its length.
const COMMENT: u8 = 0;

/// How long is waited before each look at a set that is not as it is to be.
const LOOKS: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(20), Duration::from_millis(200)];

/// The keys and values of a set or map.
type Held = BTreeSet<(Vec<u8>, Vec<u8>)>;

/// Whether these sets and maps have these elements, each its own and no others.
///
/// # Errors
/// When the kernel can't be asked.
pub fn has_elements(
    sets: impl IntoIterator<Item = (Family, Cow<'static, str>)>,
    wanted: &[Element],
) -> io::Result<bool> {
    for (family, set) in sets {
        if !holds(family, &set, &own(family, &set, wanted))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a set holds this and nothing else. While the kernel spreads a set that has grown over more buckets, a list of it passes over
/// some of what is in it, and says nothing of that: so another look is taken before it is believed.
fn holds(family: Family, set: &str, wanted: &Held) -> io::Result<bool> {
    for pause in LOOKS {
        std::thread::sleep(pause);
        match held(family, set) {
            Ok(held) if held == *wanted => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Has these sets and maps hold these elements, each its own and no others; whatever they hold now, in one transaction.
///
/// # Errors
/// `NotFound` where a table or a set isn't there, or another program has removed an element meanwhile.
pub fn settle(sets: &[(Family, Cow<'static, str>)], wanted: &[Element]) -> io::Result<()> {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for (family, set) in sets {
        let raw = |(key, value): &(Vec<u8>, Vec<u8>)| {
            let (key, value) = (key.clone(), value.clone());
            Raw { family: *family, set, key, value }
        };
        let (held, own) = (held(*family, set)?, own(*family, set, wanted));
        gone.extend(held.difference(&own).map(|one| (false, raw(one))));
        come.extend(own.difference(&held).map(|one| (true, raw(one))));
    }
    gone.append(&mut come);
    commit(&gone)
}

/// What of all this a set is to hold.
fn own(family: Family, set: &str, wanted: &[Element]) -> Held {
    let own = wanted.iter().filter(|element| element.family == family && element.set == set);
    own.map(|element| (fields(&element.key), fields(&element.value))).collect()
}

/// The rules of a table, as the kernel has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How many they are.
    pub count: usize,
    /// A digest of them and of the chains they are in: of what they do and in which order, not of what the kernel calls them.
    pub digest: u64,
}

/// The rules of Volt's table of this family; none where it isn't there.
///
/// # Errors
/// When the kernel can't be asked.
pub fn rules(family: Family) -> io::Result<Rules> {
    undisturbed(|| rules_now(family))
}

fn rules_now(family: Family) -> io::Result<Rules> {
    let (mut count, mut hasher) = (0, DefaultHasher::new());
    for (kind, told) in [(GET_CHAINS, CHAIN), (GET_RULES, RULE)] {
        let mut question = Message::new(header(kind, family));
        question.text(OF_TABLE, TABLE);
        let asked = dump(&question.finish(), &mut |answer| {
            // Older kernels tell those of other tables too, and newer ones all chains.
            let table = attribute(answer.attributes, OF_TABLE).unwrap_or_default();
            if table.strip_suffix(b"\0") != Some(TABLE.as_bytes()) {
                return;
            }
            count += usize::from(kind == GET_RULES);
            attributes(answer.attributes)
                .filter(|(kind, _)| told.contains(kind))
                .for_each(|own| own.hash(&mut hasher));
        });
        match asked {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Rules::default()),
            asked => asked?,
        }
    }
    Ok(Rules { count, digest: hasher.finish() })
}

/// The comment of Volt's table of this family; none where it has none, or isn't there.
///
/// # Errors
/// When the kernel can't be asked.
pub fn comment(family: Family) -> io::Result<Option<String>> {
    let question = Message::new(header(GET_TABLE, family));
    let mut comment = None;
    dump(&question.finish(), &mut |answer| {
        let name = attribute(answer.attributes, TABLE_NAME).unwrap_or_default();
        if name.strip_suffix(b"\0") != Some(TABLE.as_bytes()) {
            return;
        }
        let about = attribute(answer.attributes, TABLE_USERDATA).unwrap_or_default();
        if let [COMMENT, length, rest @ ..] = about {
            let text = rest.get(..usize::from(*length)).unwrap_or_default();
            comment = Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
        }
    })?;
    Ok(comment)
}

/// Who has begun what with whom on the bridges, of datagrams, as the firewall remembers it; nothing where it remembers nothing.
#[must_use]
pub fn flows() -> Vec<Element> {
    let of = |set: &'static str, length: usize| {
        let keys = held(Family::Bridge, set).unwrap_or_default().into_iter();
        keys.filter_map(move |(key, _)| {
            let key = flow(&key, length)?;
            Some(Element { family: Family::Bridge, set: set.into(), key, value: Vec::new() })
        })
    };
    of("flows4", 4).chain(of("flows6", 16)).collect()
}

/// The fields of one: two addresses, what is carried, two ports.
fn flow(key: &[u8], length: usize) -> Option<Vec<Field>> {
    let ip = |bytes: &[u8]| match length {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|own| Field::Ip(own.into())),
        _ => <[u8; 16]>::try_from(bytes).ok().map(|own| Field::Ip(own.into())),
    };
    let (from, rest) = key.split_at_checked(length)?;
    let (to, rest) = rest.split_at_checked(length)?;
    let [protocol, _, _, _, a, b, _, _, c, d, _, _] = rest else { return None };
    let port = |a: &u8, b: &u8| Field::Port(u16::from_be_bytes([*a, *b]));
    Some(vec![ip(from)?, ip(to)?, Field::Protocol(*protocol), port(a, b), port(c, d)])
}

/// The keys and values of a set or map, as this crate writes them.
fn held(family: Family, set: &str) -> io::Result<Held> {
    undisturbed(|| held_now(family, set))
}

fn held_now(family: Family, set: &str) -> io::Result<Held> {
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
