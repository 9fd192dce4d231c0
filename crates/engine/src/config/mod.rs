//! The configuration file: reading it, and changing it key by key or as a whole.
//!
//! `keys` is the one table of what may stand in it; `parse` reads and checks a text; `edit` changes one value in a text and
//! leaves the other lines alone. What the keys mean for the rest of Volt is not decided here.

mod edit;
mod get;
mod keys;
mod parse;
mod read;
mod set;
mod show;
mod write;

pub use read::Text;
pub use set::Operator;
pub use show::Value;

use crate::Engine;
use crate::error::Result;
use volt_host::files;
use volt_model::config::Config;

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

    /// The file's content; empty where there is none.
    fn config_text(&self) -> Result<String> {
        match files::read_text(&self.paths().config(), MAX) {
            Err(e) if e.is_not_found() => Ok(String::new()),
            other => Ok(other?),
        }
    }

    fn parse_config(&self, text: &str) -> Result<Config> {
        parse::config(text).map_err(|mut e| {
            let path = self.paths().config();
            e.message = format!("{} ({})", e.message, path.display());
            e.about(&path.display())
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
