//! One key with its value.

use super::keys::Key;
use super::{Value, parse, show};
use crate::Engine;
use crate::error::Result;

impl Engine {
    /// Shows one key.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, for one that isn't; else as [`Engine::config`].
    pub fn config_get(&self, key: &str) -> Result<Value> {
        let key = Key::find(key)?;
        let text = self.config_text()?;
        let all = parse::tree(&self.parse_config(&text)?);
        Ok(show::value(key, &all, &parse::said(&text)))
    }
}
