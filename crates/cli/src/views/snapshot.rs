//! How snapshots look.

use crate::output::{Column, Output, ago, or_dash, size};
use volt_api::types::Snapshot;

const COLUMNS: &[Column<Snapshot>] = &[
    Column::new("CONTAINER", |s| s.container.as_str().into()),
    Column::new("NAME", |s| s.name.as_str().into()),
    Column::new("CREATED", |s| ago(&s.created).into()),
    Column::number("WRITTEN", |s| size(s.size).into()),
    Column::number("NEW", |s| size(s.new).into()),
    Column::wide("IMAGE", |s| s.image.as_str().into()),
    Column::wide("ENTRIES", |s| s.entries.to_string().into()),
    Column::wide("TREE", |s| or_dash(Some(&s.tree)).into()),
];

/// A list of snapshots.
pub(crate) fn list(snapshots: &[Snapshot]) -> Output {
    Output::list(snapshots, COLUMNS, |s| &s.name, "No snapshots.")
}

/// One that was made.
pub(crate) fn made(s: &Snapshot) -> Output {
    let text = format!("{}\n{} written, {} new\n", s.name, size(s.size), size(s.new));
    Output::text(s, &s.name, text)
}
