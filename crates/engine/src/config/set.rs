//! Changing one key.

use super::keys::Key;
use super::{Value, edit, parse, show};
use crate::Engine;
use crate::error::{Error, Result};
use serde_json::Value as Json;
use volt_model::kind::ErrorKind;

/// How a key is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`: takes the value.
    Set,
    /// `+=`: the list gets further items.
    Add,
    /// `-=`: items are taken from the list.
    Remove,
}

impl Engine {
    /// Changes one key, typed as the table says. Other lines of the file stay as they are.
    ///
    /// # Errors
    /// `NotFound` for an unknown key, `InvalidConfig` for a value it can't have, `Usage` for `+=` on what is no list.
    pub fn config_set(&self, key: &str, operator: Operator, text: &str) -> Result<Value> {
        let key = Key::find(key)?;
        let value = key.read(text)?;
        let _lock = self.lock("config")?;
        let old = self.config_text()?;
        let mut wanted = parse::tree(&self.parse_config(&old)?);
        let place = wanted
            .pointer_mut(&key.pointer())
            .expect("the table's keys are those of the configuration");
        *place = changed(key, operator, place, value)?;
        let new = edit::set(&old, key.parts(), place);
        // The edit knows only the usual ways to write YAML; whether it understood the file is seen by reading it again.
        match parse::config(&new) {
            Ok(config) if parse::tree(&config) == normal(wanted.clone()) => {}
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!(
                        "The configuration file is written so that {} can't be changed by itself",
                        key.name
                    ),
                )
                .about(&self.paths().config().display())
                .hinted("Change it with `volt config edit`"));
            }
        }
        if new != old {
            self.publish_config(&new)?;
        }
        Ok(show::value(key, &normal(wanted), &parse::said(&new)))
    }
}

/// The tree as it is once it has been read: `65536M` becomes `64G`.
fn normal(tree: Json) -> Json {
    match serde_json::from_value(tree.clone()) {
        Ok(config) => parse::tree(&config),
        Err(_) => tree,
    }
}

fn changed(key: &Key, operator: Operator, old: &Json, value: Json) -> Result<Json> {
    if operator == Operator::Set {
        return Ok(value);
    }
    let (true, Some(old), Json::Array(items)) = (key.kind.is_list(), old.as_array(), value) else {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("{} is no list: += and -= are for lists", key.name),
        )
        .about(&key.name)
        .hinted(format!("Write {}=VALUE", key.name)));
    };
    let mut list = old.clone();
    match operator {
        Operator::Remove => list.retain(|item| !items.contains(item)),
        _ => {
            for item in items {
                if !list.contains(&item) {
                    list.push(item);
                }
            }
        }
    }
    Ok(list.into())
}
