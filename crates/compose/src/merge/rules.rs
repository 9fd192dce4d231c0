//! Which fields are merged otherwise than by their shape (Compose Specification, 13-merge: exceptions).

use crate::yaml::{Entry, Node, Value};

/// How the values of a field are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// By their shape.
    Shape,
    /// The later one alone counts.
    Replace,
    /// A mapping, or a list of `KEY=VALUE`.
    Pairs,
    /// A mapping, or a list of its keys.
    Names,
    /// A mapping, or a text that is its `context`.
    Build,
    /// A mapping, if both have the same driver.
    Logging,
    /// A list, or its only item; each key once.
    Keyed(Key),
}

/// By what items of a list are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// By all of it.
    Whole,
    /// A port by address, port of the host, port inside and protocol.
    Port,
    /// A mount or device by where it is in the container.
    Target,
    /// A secret or configuration by where its file is.
    Grant,
    /// A file of variables by its path.
    Path,
    /// A pool of addresses by its subnet.
    Subnet,
}

pub(super) fn of(path: &[String]) -> Rule {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    match words[..] {
        ["services" | "containers" | "vms" | "tasks", _, ref rest @ ..] => of_service(rest),
        ["networks", _, "ipam", "config"] => Rule::Keyed(Key::Subnet),
        ["networks" | "volumes" | "configs" | "secrets", _, "labels"] => Rule::Pairs,
        _ => Rule::Shape,
    }
}

fn of_service(path: &[&str]) -> Rule {
    match path {
        ["command" | "entrypoint" | "exec"] | ["healthcheck", "test"] | ["ulimits", _] => {
            Rule::Replace
        }
        ["environment" | "labels" | "annotations" | "sysctls" | "storage_opt"]
        | ["build", "args" | "labels" | "additional_contexts"]
        | ["deploy", "labels"]
        | ["logging", "options"] => Rule::Pairs,
        ["depends_on" | "networks" | "models"] => Rule::Names,
        ["build"] => Rule::Build,
        ["logging"] => Rule::Logging,
        ["ports"] => Rule::Keyed(Key::Port),
        ["volumes" | "devices" | "tmpfs"] => Rule::Keyed(Key::Target),
        ["secrets" | "configs"] => Rule::Keyed(Key::Grant),
        ["env_file" | "label_file"] => Rule::Keyed(Key::Path),
        [
            "dns"
            | "dns_search"
            | "dns_opt"
            | "expose"
            | "cap_add"
            | "cap_drop"
            | "profiles"
            | "links"
            | "group_add"
            | "security_opt"
            | "extra_hosts"
            | "external_links"
            | "device_cgroup_rules"
            | "volumes_from",
        ]
        | ["networks", _, "aliases" | "link_local_ips"]
        | ["build", "tags" | "platforms" | "extra_hosts"] => Rule::Keyed(Key::Whole),
        _ => Rule::Shape,
    }
}

/// The value in the one form that its rule merges.
pub(super) fn shaped(rule: Rule, node: Node) -> Node {
    let place = node.place.clone();
    let value = match (rule, node.value) {
        (Rule::Pairs, Value::List(items)) => Value::Map(pairs(items)),
        (Rule::Names, Value::List(items)) => {
            let entry = |item: Node| {
                let key = item.as_text()?.to_owned();
                Some(Entry {
                    key,
                    place: item.place.clone(),
                    node: Node::new(Value::Null, &item.place),
                })
            };
            Value::Map(items.into_iter().filter_map(entry).collect())
        }
        (Rule::Build, Value::Scalar(scalar)) => {
            let node = Node::text(scalar.text, &place);
            Value::Map(vec![Entry { key: "context".to_owned(), place: place.clone(), node }])
        }
        (Rule::Keyed(_), value @ Value::Scalar(_)) => Value::List(vec![Node::new(value, &place)]),
        (Rule::Keyed(Key::Whole), Value::Map(entries)) => {
            Value::List(entries.iter().map(one_text).collect())
        }
        (_, value) => value,
    };
    Node { value, place, tag: node.tag }
}

/// `KEY=VALUE` and `KEY` as entries of a mapping; what stands last counts.
fn pairs(items: Vec<Node>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let Some(text) = item.as_text() else { continue };
        let (key, node) = match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Node::text(value, &item.place)),
            None => (text.to_owned(), Node::new(Value::Null, &item.place)),
        };
        entries.retain(|entry| entry.key != key);
        entries.push(Entry { key, place: item.place.clone(), node });
    }
    entries
}

fn one_text(entry: &Entry) -> Node {
    let value = entry.node.as_text().unwrap_or_default();
    Node::text(format!("{}={value}", entry.key), &entry.place)
}

impl Key {
    /// The key of an item, as text.
    pub(super) fn of(self, node: &Node) -> String {
        let field = |name: &str| node.get(name).and_then(Node::as_text).unwrap_or_default();
        let text = node.as_text();
        match (self, text) {
            (Self::Port, _) => port_key(node),
            (Self::Target, Some(text)) => {
                let parts: Vec<&str> = text.split(':').collect();
                let first = parts.first().copied().unwrap_or_default();
                // A tmpfs has its options where a mount has its target.
                let second = parts.get(1).filter(|part| part.starts_with('/'));
                second.copied().unwrap_or(first).trim_end_matches('/').to_owned()
            }
            (Self::Target, None) => field("target").trim_end_matches('/').to_owned(),
            (Self::Grant, Some(text)) => text.to_owned(),
            (Self::Grant, None) => {
                let target = field("target").trim_start_matches("/run/secrets/");
                if target.is_empty() { field("source").to_owned() } else { target.to_owned() }
            }
            (Self::Path, None) => field("path").to_owned(),
            (Self::Subnet, _) => field("subnet").to_owned(),
            (Self::Whole | Self::Path, Some(text)) => text.to_owned(),
            (Self::Whole, None) => format!("{}:{}", node.place.line, node.place.column),
        }
    }
}

/// `ADDRESS:PUBLISHED:TARGET/PROTOCOL` of either form of a port.
fn port_key(node: &Node) -> String {
    let field = |name: &str| node.get(name).and_then(Node::as_text);
    if let Some(text) = node.as_text() {
        let (ports, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
        let mut parts = ports.rsplitn(3, ':');
        let target = parts.next().unwrap_or_default();
        let published = parts.next().unwrap_or_default();
        let address = parts.next().unwrap_or("0.0.0.0");
        return format!("{address}:{published}:{target}/{protocol}");
    }
    format!(
        "{}:{}:{}/{}",
        field("host_ip").unwrap_or("0.0.0.0"),
        field("published").unwrap_or_default(),
        field("target").unwrap_or_default(),
        field("protocol").unwrap_or("tcp")
    )
}
