//! The reader: events of the parser become nodes. Anchors, aliases and merge keys (`<<`) are resolved; a key that stands twice,
//! and what is too large, too deep or too often repeated, is refused.

use super::{Entry, Node, Place, Scalar, Tag, Value};
use crate::problem::Problem;
use granit_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;
use std::sync::Arc;

/// The largest file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep lists and mappings may stand in each other.
pub const MAX_DEPTH: usize = 64;
/// How many values a file may have once its aliases are resolved.
pub const MAX_NODES: usize = 200_000;
/// How many a single list or mapping may have: what looks for one in it goes through all.
pub const MAX_ENTRIES: usize = 10_000;

/// Reads the one document of a file. A file of nothing is an empty mapping.
///
/// # Errors
/// At the first place where it is no YAML, or more than is read.
pub fn read(file: &Arc<str>, text: &str) -> Result<Node, Problem> {
    let start = Place::start(file);
    if text.len() > MAX_BYTES {
        let what = format!("{file} is larger than {MAX_BYTES} bytes");
        return Err(Problem::at(&start, what)
            .hinted("Move a part of it to a file of its own and `include` that"));
    }
    let mut builder =
        Builder { file, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let place = builder.place(error.marker().line(), error.marker().col());
                return Err(Problem::at(&place, format!("this is no YAML: {}", error.info())));
            }
        }
    }
    match builder.root {
        Some(root) if !root.is_null() => Ok(root),
        _ => Ok(Node::new(Value::Map(Vec::new()), &start)),
    }
}

/// A list or mapping that has begun.
struct Open {
    node: Node,
    anchor: usize,
    /// How much of it there is by now.
    extent: Extent,
    /// The key whose value comes next.
    key: Option<(String, Place)>,
    /// What `<<` brought, which comes behind what the mapping has itself.
    merged: Vec<Entry>,
}

/// How much a value is, itself counted.
#[derive(Clone, Copy)]
struct Extent {
    nodes: usize,
    depth: usize,
}

/// A scalar's.
const ONE: Extent = Extent { nodes: 1, depth: 1 };

struct Builder<'a> {
    file: &'a Arc<str>,
    open: Vec<Open>,
    /// The values that have an anchor.
    anchors: HashMap<usize, (Node, Extent)>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn place(&self, line: usize, column: usize) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { file: Arc::clone(self.file), line: number(line), column: number(column + 1) }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let place = self.place(span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, &place)?;
                let tag = merge_tag(tag.as_deref(), &place)?;
                let node = Node { value: scalar(&text, style), place, tag };
                self.finish(node, anchor, ONE)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = merge_tag(tag.as_deref(), &place)?;
                self.begin(Node { value: Value::List(Vec::new()), place, tag }, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = merge_tag(tag.as_deref(), &place)?;
                self.begin(Node { value: Value::Map(Vec::new()), place, tag }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.close(open),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(extent) = self.anchors.get(&anchor).map(|(_, extent)| *extent) else {
                    return Err(Problem::at(&place, "this alias stands inside of what it names"));
                };
                self.count(extent.nodes, &place)?;
                self.not_too_deep(extent.depth, &place)?;
                // It keeps its own place: an error in it is mended where it was written.
                let node = self.anchors[&anchor].0.clone();
                self.finish(node, 0, extent)
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(Problem::at(&place, "a second document begins here")
                    .hinted("Write one document a file; several files are given by several -f"))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, more: usize, place: &Place) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            let what = format!("the file has more than {MAX_NODES} values, aliases resolved");
            return Err(Problem::at(place, what));
        }
        Ok(())
    }

    /// Whether a value so deep may stand here.
    fn not_too_deep(&self, depth: usize, place: &Place) -> Result<(), Problem> {
        if self.open.len() + depth > MAX_DEPTH {
            let what = format!("more than {MAX_DEPTH} lists and mappings stand in each other");
            return Err(Problem::at(place, what));
        }
        Ok(())
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.not_too_deep(1, &node.place)?;
        self.count(1, &node.place)?;
        self.open.push(Open { node, anchor, extent: ONE, key: None, merged: Vec::new() });
        Ok(())
    }

    fn close(&mut self, mut open: Open) -> Result<(), Problem> {
        if let Value::Map(entries) = &mut open.node.value {
            for entry in open.merged {
                if entries.iter().all(|own| own.key != entry.key) {
                    entries.push(entry);
                }
            }
        }
        self.finish(open.node, open.anchor, open.extent)
    }

    /// Puts a complete value where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, extent: Extent) -> Result<(), Problem> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), extent));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let count = parent.merged.len() + parent.node.items().len() + parent.node.entries().len();
        if count >= MAX_ENTRIES {
            let what = format!("a list or mapping has more than {MAX_ENTRIES} entries");
            return Err(Problem::at(&parent.node.place, what));
        }
        parent.extent.nodes += extent.nodes;
        parent.extent.depth = parent.extent.depth.max(extent.depth + 1);
        match &mut parent.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match parent.key.take() {
                None => parent.key = Some(key(node, entries)?),
                Some((key, _)) if key == MERGE => merge_key(&node, &mut parent.merged)?,
                Some((key, place)) => entries.push(Entry { key, place, node }),
            },
            Value::Null | Value::Scalar(_) => {}
        }
        Ok(())
    }
}

/// The merge key of YAML 1.1, which the Compose Specification (10-fragments) keeps.
const MERGE: &str = "<<";

fn key(node: Node, entries: &[Entry]) -> Result<(String, Place), Problem> {
    let key = match node.value {
        Value::Scalar(scalar) => scalar.text,
        Value::Null => "null".to_owned(),
        Value::List(_) | Value::Map(_) => {
            return Err(Problem::at(&node.place, "a key is a single value, not a list or mapping"));
        }
    };
    match entries.iter().find(|entry| entry.key == key) {
        Some(first) => Err(Problem::at(
            &node.place,
            format!("`{key}` stands twice, first in line {}", first.place.line),
        )
        .hinted("Keep one of them")),
        None => Ok((key, node.place)),
    }
}

fn merge_key(node: &Node, merged: &mut Vec<Entry>) -> Result<(), Problem> {
    let one = std::slice::from_ref(node);
    let maps = if let Value::List(items) = &node.value { items } else { one };
    for map in maps {
        if !matches!(map.value, Value::Map(_)) {
            return Err(Problem::at(&map.place, "`<<` merges mappings only"));
        }
        // What was named first wins.
        for entry in map.entries() {
            if merged.iter().all(|known| known.key != entry.key) {
                merged.push(entry.clone());
            }
        }
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar(Scalar { text: text.to_owned(), plain })
}

/// `!reset` and `!override`; the tags of YAML itself change nothing, since scalars are read by who wants them.
fn merge_tag(tag: Option<&granit_parser::Tag>, place: &Place) -> Result<Option<Tag>, Problem> {
    let Some(tag) = tag else { return Ok(None) };
    let written = tag.to_string();
    match written.as_str() {
        "!reset" => Ok(Some(Tag::Reset)),
        "!override" => Ok(Some(Tag::Override)),
        _ if written.contains("yaml.org") || written.starts_with("!!") || written == "!" => {
            Ok(None)
        }
        _ => Err(Problem::at(place, format!("the tag `{written}` means nothing here"))
            .hinted("There are !reset and !override")),
    }
}
