//! The content-addressed store.

use super::Unseen;
use super::convert::{change, left_out};
use super::fields::{Fields, read};
use super::registry::account;
use crate::router::Routes;
use volt_api::operations::*;
use volt_api::types::*;
use volt_engine::Engine;
use volt_engine::cas::{Damage, Pointer, TreeEntry, TreeName};
use volt_model::image::ImageRef;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    changes(looks(routes))
}

fn looks(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<CasStatusOp>(|cx, _, _| Ok(status(cx.state.cas_status()?)))
        .plain::<CasListOp>(|cx, _, _| Ok(cx.state.cas_list()?.into_iter().map(named).collect()))
        .plain::<CasDedupOp>(|cx, _, _| {
            let dedup = cx.state.cas_dedup()?;
            let shared = |s: volt_engine::cas::Shared| CasShared {
                a: s.a,
                b: s.b,
                files: s.files,
                bytes: s.bytes,
            };
            let pairs = dedup.pairs.into_iter().map(shared).collect();
            Ok(CasDedup { trees: dedup.trees, logical: dedup.logical, once: dedup.once, pairs })
        })
        .plain::<CasLsOp>(|cx, params, _| {
            let tree = read::<Pointer>("name", &params.name)?;
            let entries = cx.state.cas_ls(&tree, &params.path, params.recursive)?;
            Ok(entries.into_iter().map(entry).collect())
        })
        .download::<CasCatOp>(|cx, params, out| {
            Ok(cx.state.cas_cat(&read::<Pointer>("name", &params.name)?, &params.path, out)?)
        })
        .plain::<CasDiffOp>(|cx, params, _| {
            let mut fields = Fields::default();
            let from = fields.one::<Pointer>("from", &params.from);
            let to = fields.one::<Pointer>("to", &params.to);
            let (from, to) = fields.finish(from.zip(to))?;
            Ok(cx.state.cas_diff(&from, &to)?.into_iter().map(change).collect())
        })
        .download::<CasExportOp>(|cx, params, out| {
            let tree = read::<Pointer>("name", &params.name)?;
            cx.state.cas_export(&tree, out, &Unseen(cx))?;
            Ok(())
        })
}

fn changes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .progress::<CasBuildOp>(|cx, _, body, report| {
            let name = body.name.map(|name| read::<TreeName>("name", &name)).transpose()?;
            let built = cx.state.cas_build(body.path.as_ref(), name, report)?;
            let stored = built.stored;
            Ok(CasBuilt {
                name: built.name.to_string(),
                tree: stored.tree.to_string(),
                entries: stored.entries,
                size: stored.size,
                new: stored.new,
                left_out: left_out(stored.notes),
            })
        })
        .progress::<CasPushOp>(|cx, _, body, report| {
            let mut fields = Fields::default();
            let tree = fields.one::<Pointer>("name", &body.name);
            let to = fields.one::<ImageRef>("to", &body.to);
            let (tree, to) = fields.finish(tree.zip(to))?;
            let pushed = cx.state.cas_push(&tree, &to, body.account.map(account), report)?;
            Ok(CasPushed {
                name: to.to_string(),
                tree: pushed.tree.to_string(),
                digest: pushed.digest,
                sent: pushed.sent,
                present: pushed.present,
            })
        })
        .progress::<CasPullOp>(|cx, _, body, report| {
            let mut fields = Fields::default();
            let from = fields.one::<ImageRef>("from", &body.from);
            let name = fields.maybe::<TreeName>("name", body.name.as_deref());
            let from = fields.finish(from)?;
            let (name, pulled) =
                cx.state.cas_pull(&from, name, body.account.map(account), report)?;
            Ok(CasPulled {
                name: name.to_string(),
                tree: pulled.tree.to_string(),
                entries: pulled.entries,
                size: pulled.size,
                fetched: pulled.fetched,
            })
        })
        .plain::<CasDeleteOp>(|cx, params, _| {
            cx.state.cas_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
        .progress::<CasVerifyOp>(|cx, _, body, report| {
            let from: Vec<_> = body.from.into_iter().map(Into::into).collect();
            let repair = (body.repair || !from.is_empty()).then_some(&from[..]);
            let verified = cx.state.cas_verify(repair, report)?;
            Ok(CasVerified {
                objects: verified.objects,
                bytes: verified.bytes,
                trees: verified.trees,
                damages: verified.damages.into_iter().map(damage).collect(),
            })
        })
        .plain::<CasGcOp>(|cx, _, body| {
            let swept = cx.state.cas_gc(body.dry_run)?;
            Ok(CasSwept { objects: swept.objects, bytes: swept.bytes, on_disk: swept.on_disk })
        })
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn status(status: volt_engine::cas::Status) -> CasStatus {
    // Kept blobs are what is in the trees once more, for registries.
    let ratio = match status.stored.saturating_sub(status.blob_bytes) {
        0 => 0.0,
        stored => status.logical as f64 / stored as f64,
    };
    CasStatus {
        refs: status.refs,
        trees: status.trees,
        logical: status.logical,
        objects: status.objects,
        stored: status.stored,
        on_disk: status.on_disk,
        ratio,
        broken: status.broken,
        quarantined: status.quarantined,
        blobs: status.blobs,
        blob_bytes: status.blob_bytes,
    }
}

fn named(tree: volt_engine::cas::NamedTree) -> CasTree {
    CasTree {
        name: tree.name,
        kind: tree.kind.to_owned(),
        tree: tree.tree.to_string(),
        size: tree.size,
        entries: tree.entries,
        created: tree.created.map(|time| time.to_string()),
        source: tree.source.map(|path| path.to_string_lossy().into_owned()),
    }
}

fn entry(entry: TreeEntry) -> CasEntry {
    CasEntry {
        path: entry.path,
        kind: entry.kind.to_owned(),
        mode: format!("{:04o}", entry.mode),
        uid: entry.uid,
        gid: entry.gid,
        size: entry.size,
        modified: entry.modified.map(|time| time.to_string()),
        target: entry.target,
        digest: entry.digest.map(|digest| digest.to_string()),
        same_as: entry.same_as,
    }
}

fn damage(damage: Damage) -> CasDamage {
    let touch = |touch: volt_engine::cas::Touch| CasTouch {
        name: touch.name,
        paths: touch.paths,
        more: touch.more,
    };
    CasDamage {
        subject: damage.subject,
        problem: damage.problem,
        touches: damage.touches.into_iter().map(touch).collect(),
        quarantined: damage.is_quarantined,
        repaired: damage.is_repaired,
        hint: damage.hint,
    }
}
