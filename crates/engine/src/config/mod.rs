//! The configuration file: reading it, and changing it key by key or as a whole.
//!
//! `keys` is the one table of what may stand in it; `parse` reads and checks a text; `edit` changes one value in a text and
//! leaves the other lines alone. What the keys mean for the rest of Volt is not decided here.

mod edit;
mod get;
mod keys;
pub(crate) mod parse;
mod read;
mod set;
mod show;
mod write;

pub use read::Text;
pub use set::Operator;
pub use show::Value;

use crate::Engine;
use crate::error::{Error, Result};
use volt_host::files;
use volt_model::config::Config;
use volt_model::kind::ErrorKind;

/// The most a configuration file may hold, in bytes.
const MAX: usize = 1 << 20;

impl Engine {
    /// The configuration; what it doesn't say, or all where there is no file, has its default.
    ///
    /// # Errors
    /// `InvalidConfig`, with line and column, for a file that can't be used.
    pub fn config(&self) -> Result<Config> {
        self.parse_config(&self.config_text()?)
    }

    /// The file's content; empty where there is none, unless it was named.
    fn config_text(&self) -> Result<String> {
        let path = self.paths().config();
        match files::read_text(&path, MAX) {
            Err(e) if e.is_not_found() && self.paths().config.is_none() => Ok(String::new()),
            Err(e) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("The configuration file {} can't be read", path.display()),
            )
            .about(&path.display())
            .because(e)),
            Ok(text) => Ok(text),
        }
    }

    fn parse_config(&self, text: &str) -> Result<Config> {
        let path = self.paths().config();
        parse::config(text).map_err(|e| {
            let message = format!("The configuration file {} can't be used", path.display());
            Error { message, ..e.about(&path.display()) }
        })
    }

    /// Puts a checked text in the file's place. The lock `config` must be held.
    fn publish_config(&self, text: &str) -> Result<()> {
        files::create_dirs(&self.paths().etc, 0o755)?;
        Ok(files::write_atomic(&self.paths().config(), text.as_bytes(), 0o644)?)
    }
}

#[cfg(test)]
mod tests;
