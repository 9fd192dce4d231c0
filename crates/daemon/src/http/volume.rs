//! Volumes.

use super::fields::{Fields, read};
use crate::router::Routes;
use volt_api::operations::*;
use volt_api::types::{Nothing, Volume};
use volt_engine::Engine;
use volt_engine::volume::{Create, View};
use volt_model::name::Name;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<VolumeCreateOp>(|cx, _, body| {
            let mut fields = Fields::default();
            let name: Option<Name> = fields.one("name", &body.name);
            let driver = fields.maybe("driver", body.driver.as_deref()).unwrap_or_default();
            let name = fields.finish(name)?;
            let create = Create { labels: body.labels, driver, options: body.options };
            Ok(shown(cx.state.volume_create(&name, create)?))
        })
        .plain::<VolumeListOp>(|cx, _, _| {
            Ok(cx.state.volume_list()?.into_iter().map(shown).collect())
        })
        .plain::<VolumeInspectOp>(|cx, params, _| {
            Ok(shown(cx.state.volume_inspect(&read("name", &params.name)?)?))
        })
        .plain::<VolumeDeleteOp>(|cx, params, _| {
            cx.state.volume_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
}

fn shown(view: View) -> Volume {
    Volume {
        name: view.name.to_string(),
        created: view.created.to_string(),
        path: view.path.to_string_lossy().into_owned(),
        size: view.size,
        used_by: view.used_by.iter().map(ToString::to_string).collect(),
        labels: view.labels,
        driver: view.driver.to_string(),
        options: view.options,
    }
}
