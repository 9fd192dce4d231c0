//! Writing the configuration file as a whole.

use super::Text;
use crate::Engine;
use crate::error::{Error, Result};
use volt_model::kind::ErrorKind;

impl Engine {
    /// Writes the configuration file after a check. With `revision`, only when it is still what was read.
    ///
    /// # Errors
    /// `InvalidConfig` for a text that can't be used, `Conflict` for a file that was changed meanwhile.
    pub fn config_write(&self, text: String, revision: Option<&str>) -> Result<Text> {
        drop(self.parse_config(&text)?);
        let _lock = self.lock("config")?;
        if let Some(read) = revision
            && Text::from(self.config_text()?).revision != read
        {
            return Err(Error::new(
                ErrorKind::Conflict,
                "The configuration file was changed meanwhile",
            )
            .about(&self.paths().config().display())
            .hinted("Read it again and make the change once more"));
        }
        self.publish_config(&text)?;
        Ok(text.into())
    }
}
