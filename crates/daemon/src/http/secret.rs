//! Secrets.

use super::fields::read;
use crate::router::{Routes, Upload};
use volt_api::operations::*;
use volt_api::types::{Nothing, Secret};
use volt_engine::Engine;
use volt_engine::secret::View;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .upload::<SecretCreateOp>(|cx, params, mut body: Upload| {
            let name = read("name", &params.name)?;
            Ok(shown(&cx.state.secret_create(&name, params.replace, &mut body)?))
        })
        .plain::<SecretListOp>(|cx, _, _| Ok(cx.state.secret_list()?.iter().map(shown).collect()))
        .plain::<SecretDeleteOp>(|cx, params, _| {
            cx.state.secret_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
}

fn shown(view: &View) -> Secret {
    Secret {
        name: view.name.to_string(),
        created: view.created.to_string(),
        protection: view.protection.to_string(),
        used_by: view.used_by.iter().map(ToString::to_string).collect(),
    }
}
