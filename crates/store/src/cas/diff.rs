//! What is different between two trees.

use super::name::shown;
use super::tree::Tree;
use super::{Cas, Pointer};
use crate::error::Result;
use crate::manifest::{Node, NodeKind, order};
use std::cmp::Ordering;

/// A path that is not the same in both trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path, bytes that can't be shown as `\xHH`; the root is `/`.
    pub path: String,
    /// What is different about it.
    pub what: Difference,
}

/// What is different about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is only in the second tree.
    Added,
    /// It is only in the first tree.
    Removed,
    /// It is in both, and these are not the same: `kind`, `content`, `holes`, `target`, `device`, `mode`, `owner`,
    /// `time`, `attributes`, `names` (what other names it has).
    Changed(Vec<&'static str>),
}

impl Cas {
    /// What is different between two trees, in the order of paths.
    pub fn diff(&self, from: &Pointer, to: &Pointer) -> Result<Vec<Change>> {
        let (from, to) = (self.resolve(from)?, self.resolve(to)?);
        if from == to {
            return Ok(Vec::new());
        }
        Ok(changes(&self.tree(&from)?, &self.tree(&to)?))
    }
}

pub(super) fn changes(from: &Tree, to: &Tree) -> Vec<Change> {
    let (mut a, mut b) = (from.nodes.iter().peekable(), to.nodes.iter().peekable());
    let mut changes = Vec::new();
    let change = |node: &Node, what| Change { path: shown(&node.path), what };
    loop {
        let next = match (a.peek(), b.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order(a.path.as_bytes(), b.path.as_bytes()),
        };
        let left = if next.is_le() { a.next() } else { None };
        let right = if next.is_ge() { b.next() } else { None };
        match (left, right) {
            (Some(left), Some(right)) => {
                let what = differences((from, left), (to, right));
                if !what.is_empty() {
                    changes.push(change(left, Difference::Changed(what)));
                }
            }
            (Some(left), None) => changes.push(change(left, Difference::Removed)),
            (None, Some(right)) => changes.push(change(right, Difference::Added)),
            (None, None) => {}
        }
    }
}

fn differences((from, left): (&Tree, &Node), (to, right): (&Tree, &Node)) -> Vec<&'static str> {
    let (a, b) = (from.real(left), to.real(right));
    let mut what = Vec::new();
    let mut note = |is: bool, word| {
        if is {
            what.push(word);
        }
    };
    match (&a.kind, &b.kind) {
        (NodeKind::File(a), NodeKind::File(b)) => {
            note(a.digest != b.digest, "content");
            note(a.digest == b.digest && a.segments != b.segments, "holes");
        }
        (NodeKind::Symlink(a), NodeKind::Symlink(b)) => note(a != b, "target"),
        (NodeKind::Char(a), NodeKind::Char(b)) | (NodeKind::Block(a), NodeKind::Block(b)) => {
            note(a != b, "device");
        }
        (a, b) => note(a != b, "kind"),
    }
    note(a.meta.mode != b.meta.mode, "mode");
    note((a.meta.uid, a.meta.gid) != (b.meta.uid, b.meta.gid), "owner");
    note(a.meta.mtime != b.meta.mtime, "time");
    note(a.meta.xattrs != b.meta.xattrs, "attributes");
    let is_name = |node: &Node| matches!(node.kind, NodeKind::Link(_));
    note(is_name(left) != is_name(right) || (is_name(left) && a.path != b.path), "names");
    what
}
