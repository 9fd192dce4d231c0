//! Snapshots.

use super::convert::{change, container};
use super::fields::{Fields, read};
use super::{Unseen, convert};
use crate::router::{Failure, Routes};
use volt_api::operations::*;
use volt_api::types::{Nothing, Snapshot, SnapshotName};
use volt_engine::Engine;
use volt_engine::snapshot;
use volt_model::name::Name;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .progress::<SnapshotCreateOp>(|cx, params, body, report| {
            let mut fields = Fields::default();
            let container = fields.one::<Name>("name", &params.name);
            let name = fields.maybe::<Name>("snapshot", body.snapshot.as_deref());
            let container = fields.finish(container)?;
            Ok(shown(cx.state.snapshot_create(&container, name, report)?))
        })
        .plain::<SnapshotListOp>(|cx, params, _| {
            let of = params.container.map(|name| read::<Name>("container", &name)).transpose()?;
            Ok(cx.state.snapshot_list(of.as_ref())?.into_iter().map(shown).collect())
        })
        .plain::<SnapshotRestoreOp>(|cx, params, _| {
            let (of, name) = names(&params)?;
            Ok(container(cx.state.snapshot_restore(&of, &name)?, cx.sees_secrets()))
        })
        .plain::<SnapshotDeleteOp>(|cx, params, _| {
            let (of, name) = names(&params)?;
            cx.state.snapshot_delete(&of, &name)?;
            Ok(Nothing {})
        })
        .plain::<SnapshotDiffOp>(|cx, params, _| {
            let mut fields = Fields::default();
            let of = fields.one::<Name>("name", &params.name);
            let from = fields.one::<Name>("snapshot", &params.snapshot);
            let to = fields.maybe::<Name>("to", params.to.as_deref());
            let (of, from) = fields.finish(of.zip(from))?;
            let changes = cx.state.snapshot_diff(&of, &from, to.as_ref(), &Unseen(cx))?;
            Ok(changes.into_iter().map(change).collect())
        })
}

fn names(params: &SnapshotName) -> Result<(Name, Name), Failure> {
    let mut fields = Fields::default();
    let container = fields.one::<Name>("name", &params.name);
    let snapshot = fields.one::<Name>("snapshot", &params.snapshot);
    fields.finish(container.zip(snapshot))
}

fn shown(snapshot: snapshot::Snapshot) -> Snapshot {
    Snapshot {
        name: snapshot.name.to_string(),
        container: snapshot.container.to_string(),
        created: snapshot.created.to_string(),
        image: snapshot.image.to_string(),
        tree: snapshot.tree.to_string(),
        entries: snapshot.entries,
        size: snapshot.size,
        new: snapshot.new,
        left_out: convert::left_out(snapshot.left_out),
    }
}
