//! The configuration file as text, and how to tell whether it is still the same.

use crate::Engine;
use crate::error::Result;

/// The configuration file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// YAML; empty where there is no file.
    pub text: String,
    /// A digest of it.
    pub revision: String,
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        // FNV-1a, stable over builds: it tells a changed file, and need not withstand somebody who may write the file anyway.
        let digest = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
            (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { revision: format!("{digest:016x}-{}", text.len()), text }
    }
}

impl Engine {
    /// Reads the configuration file, whether or not it can be used.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn config_read(&self) -> Result<Text> {
        Ok(self.config_text()?.into())
    }
}
