//! How the content-addressed store looks.

use crate::output::{Column, Columns, Output, Table, ago, clean, or_dash, size, size_or_dash};
use volt_api::types::{
    CasBuilt, CasChange, CasDamage, CasDedup, CasEntry, CasShared, CasStatus, CasSwept, CasTree,
    CasVerified,
};

const TREES: &[Column<CasTree>] = &[
    Column::new("NAME", |t| t.name.as_str().into()),
    Column::number("SIZE", |t| size_or_dash(t.size).into()),
    Column::number("ENTRIES", |t| {
        t.entries.map_or_else(|| "damaged".to_owned(), |n| n.to_string()).into()
    }),
    Column::new("CREATED", |t| or_dash(t.created.as_deref().map(ago).as_deref()).into()),
    Column::new("TREE", |t| t.tree.chars().take("blake3:".len() + 12).collect::<String>().into()),
    Column::wide("KIND", |t| t.kind.as_str().into()),
    Column::wide("SOURCE", |t| or_dash(t.source.as_deref()).into()),
    Column::wide("DIGEST", |t| t.tree.as_str().into()),
];

const ENTRIES: &[Column<CasEntry>] = &[
    Column::new("MODE", |e| format!("{}{}", letter(&e.kind), e.mode).into()),
    Column::number("UID", |e| e.uid.to_string().into()),
    Column::number("GID", |e| e.gid.to_string().into()),
    Column::number("SIZE", |e| size_or_dash(e.size).into()),
    Column::new("PATH", |e| path(e).into()),
    Column::wide("MODIFIED", |e| or_dash(e.modified.as_deref()).into()),
    Column::wide("DIGEST", |e| or_dash(e.digest.as_deref()).into()),
];

const PAIRS: &[Column<CasShared>] = &[
    Column::new("TREE", |s| s.a.as_str().into()),
    Column::new("TREE", |s| s.b.as_str().into()),
    Column::number("FILES", |s| s.files.to_string().into()),
    Column::number("SHARED", |s| size(s.bytes).into()),
];

/// What there is, in words.
pub(crate) fn status(s: &CasStatus) -> Output {
    let trees = counted(s.trees, "tree");
    let mut text = format!("{trees}, {} logical, {} stored", size(s.logical), size(s.stored));
    if s.stored > 0 {
        text.push_str(&format!(", {:.1}×", s.ratio));
    }
    text.push_str(&format!("\n{}, {} on disk\n", counted(s.objects, "object"), size(s.on_disk)));
    if s.blobs > 0 {
        let blobs = counted(s.blobs, "blob");
        text.push_str(&format!("{blobs} of registries among them, {}\n", size(s.blob_bytes)));
    }
    if s.broken > 0 {
        text.push_str(&format!("{} can't be read\n", counted(s.broken, "tree")));
    }
    if s.quarantined > 0 {
        text.push_str(&format!("{} in quarantine\n", counted(s.quarantined, "object")));
    }
    Output::text(s, "cas", text)
}

/// A folder that was stored.
pub(crate) fn built(b: &CasBuilt) -> Output {
    let entries = if b.entries == 1 { "entry" } else { "entries" };
    let text = format!(
        "{} {}\n{} {entries}, {}, {} new\n",
        b.name,
        b.tree,
        b.entries,
        size(b.size),
        size(b.new)
    );
    Output::text(b, &b.name, text)
}

/// A list of trees.
pub(crate) fn list(trees: &[CasTree]) -> Output {
    Output::list(trees, TREES, |t| &t.name, "No trees.")
}

/// What is in a folder of a tree.
pub(crate) fn entries(entries: &[CasEntry]) -> Output {
    Output::list(entries, ENTRIES, |e| &e.path, "Nothing is in it.")
}

/// What is different between two trees.
pub(crate) fn changes(changes: &[CasChange]) -> Output {
    let line = |c: &CasChange| {
        let path = clean(&c.path);
        match c.change.as_str() {
            "added" => format!("+ {path}\n"),
            "removed" => format!("- {path}\n"),
            _ => format!("~ {path} ({})\n", c.what.join(", ")),
        }
    };
    let mut text: String = changes.iter().map(line).collect();
    if changes.is_empty() {
        text.push_str("No difference.\n");
    }
    Output::text(&changes, "diff", text)
}

/// What is stored once.
pub(crate) fn dedup(d: &CasDedup) -> Output {
    let saved = d.logical.saturating_sub(d.once);
    let mut text = format!(
        "{}, {} in all, {} when each content counts once: {} saved\n",
        counted(d.trees, "tree"),
        size(d.logical),
        size(d.once),
        size(saved)
    );
    if !d.pairs.is_empty() {
        text.push('\n');
        text.push_str(&Table::of(&d.pairs, PAIRS).render(Columns::All, false));
    }
    Output::text(d, "dedup", text)
}

/// What a verification found: where something is still amiss, the exit code says so.
pub(crate) fn verified(v: &CasVerified) -> Output {
    let mut text: String = v.damages.iter().map(damaged).collect();
    text.push_str(&format!(
        "{}, {} read, {}",
        counted(v.objects, "object"),
        size(v.bytes),
        counted(v.trees, "tree")
    ));
    let amiss = v.damages.iter().filter(|d| !d.repaired).count();
    text.push_str(&match (amiss, v.damages.len()) {
        (0, 0) => ": all good\n".to_owned(),
        (0, _) => ": all good again\n".to_owned(),
        (n, _) => format!(": {} damaged\n", counted(n as u64, "object")),
    });
    Output::text(v, "verify", text).with_code(u8::from(amiss > 0))
}

fn damaged(d: &CasDamage) -> String {
    let quarantined = if d.quarantined { "; it is in quarantine now" } else { "" };
    let repaired = match (d.repaired, d.touches.is_empty()) {
        (true, false) => "; repaired",
        (true, true) => "; nothing needs it",
        _ => "",
    };
    let mut text = format!("{}: {}{quarantined}{repaired}\n", clean(&d.subject), clean(&d.problem));
    for touch in &d.touches {
        let paths = if touch.paths.is_empty() {
            "the whole tree".to_owned()
        } else {
            clean(&touch.paths.join(", "))
        };
        let more = if touch.more > 0 { format!(" and {} more", touch.more) } else { String::new() };
        text.push_str(&format!("  {}: {paths}{more}\n", clean(&touch.name)));
    }
    if let Some(hint) = &d.hint {
        text.push_str(&format!("  {}\n", clean(hint)));
    }
    text
}

/// What was collected.
pub(crate) fn swept(s: &CasSwept, dry_run: bool) -> Output {
    let verb = if dry_run { "Would remove" } else { "Removed" };
    let text = format!("{verb} {}, {} on disk.\n", counted(s.objects, "object"), size(s.on_disk));
    Output::text(s, "gc", text)
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// The letter that `ls` has for it.
fn letter(kind: &str) -> char {
    match kind {
        "folder" => 'd',
        "link" => 'l',
        "pipe" => 'p',
        "character device" => 'c',
        "block device" => 'b',
        _ => '-',
    }
}

fn path(e: &CasEntry) -> String {
    match (&e.target, &e.same_as) {
        (Some(target), _) => format!("{} -> {target}", e.path),
        (_, Some(other)) => format!("{} = {other}", e.path),
        _ => e.path.clone(),
    }
}
