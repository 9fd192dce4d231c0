//! The configuration.

use super::fields::Fields;
use crate::router::Routes;
use volt_api::operations::*;
use volt_api::types::{ConfigText, ConfigValue};
use volt_engine::Engine;
use volt_engine::config::{Operator, Text, Value};

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<ConfigShowOp>(|cx, _, _| {
            Ok(cx.state.config_show()?.into_iter().map(shown).collect())
        })
        .plain::<ConfigGetOp>(|cx, params, _| Ok(shown(cx.state.config_get(&params.key)?)))
        .plain::<ConfigSetOp>(|cx, params, body| {
            let mut fields = Fields::default();
            let operator = fields.with("operator", &body.operator, operator);
            let operator = fields.finish(operator)?;
            Ok(shown(cx.state.config_set(&params.key, operator, &body.value)?))
        })
        .plain::<ConfigReadOp>(|cx, _, _| Ok(text(cx.state.config_read()?)))
        .plain::<ConfigWriteOp>(|cx, _, body| {
            Ok(text(cx.state.config_write(body.text, body.revision.as_deref())?))
        })
}

fn operator(text: &str) -> Result<Operator, &'static str> {
    match text {
        "=" => Ok(Operator::Set),
        "+=" => Ok(Operator::Add),
        "-=" => Ok(Operator::Remove),
        _ => Err("write =, += or -="),
    }
}

fn shown(value: Value) -> ConfigValue {
    ConfigValue {
        key: value.key.to_owned(),
        value: value.value,
        set: value.set,
        description: value.description.to_owned(),
    }
}

fn text(text: Text) -> ConfigText {
    ConfigText { text: text.text, revision: Some(text.revision) }
}
