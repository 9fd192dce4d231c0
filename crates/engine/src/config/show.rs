//! Every key with its value.

use super::keys::{KEYS, Key};
use super::parse;
use crate::Engine;
use crate::error::Result;
use serde_json::Value as Json;

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Section and key, with a dot between.
    pub key: &'static str,
    /// What it is now.
    pub value: Json,
    /// Whether the file sets it.
    pub set: bool,
    /// What it is for.
    pub description: &'static str,
}

impl Engine {
    /// Shows every key with its value, in the order of the table.
    ///
    /// # Errors
    /// As [`Engine::config`].
    pub fn config_show(&self) -> Result<Vec<Value>> {
        let text = self.config_text()?;
        let all = parse::tree(&self.parse_config(&text)?);
        let said = parse::said(&text);
        Ok(KEYS.iter().map(|key| value(key, &all, &said)).collect())
    }
}

/// One key out of what is (`all`) and what the file says (`said`).
pub(super) fn value(key: &Key, all: &Json, said: &Json) -> Value {
    let pointer = key.pointer();
    Value {
        key: key.name,
        value: all.pointer(&pointer).cloned().unwrap_or_default(),
        set: said.pointer(&pointer).is_some(),
        description: key.description,
    }
}
