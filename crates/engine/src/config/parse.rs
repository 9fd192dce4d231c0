//! From the file's text to a checked `Config`. Pure.

use super::edit;
use super::keys::KEYS;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use volt_model::config::{Config, nearest};
use volt_model::kind::ErrorKind;

const UNUSABLE: &str = "The configuration file can't be used";
const HINT: &str = "`volt config show` lists all keys with their values";

/// What is wrong in the text, and where.
#[derive(Debug)]
struct At {
    line: u64,
    column: u64,
    message: String,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.message);
        }
        write!(f, "line {}", self.line)?;
        if self.column > 0 {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for At {}

/// Parses and checks a text.
pub(super) fn config(text: &str) -> Result<Config> {
    // An empty file and one of comments only is a null to YAML.
    let config: Option<Config> = yaml(text, UNUSABLE, HINT)?;
    let config = config.unwrap_or_default();
    let tree = tree(&config);
    for key in &KEYS {
        if let Err(error) = key.check(tree.pointer(&key.pointer()).unwrap_or(&Value::Null)) {
            let line = edit::line_of(text, key.parts()).unwrap_or_default() as u64;
            let at = At { line, column: 0, message: error.message.clone() };
            return Err(Error { message: UNUSABLE.to_owned(), ..error }.because(at));
        }
    }
    Ok(config)
}

/// The configuration as a JSON tree.
pub(super) fn tree(config: &Config) -> Value {
    serde_json::to_value(config).expect("a configuration is plain data")
}

/// What the text itself says, without defaults. The text must have been parsed before.
pub(super) fn said(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or(Value::Null)
}

/// What a file that the user edits says. Where it is wrong the error has `title`, the place, and what may be meant.
pub(crate) fn yaml<T: DeserializeOwned>(text: &str, title: &str, hint: &str) -> Result<Option<T>> {
    serde_saphyr::from_str(text).map_err(|error| refused(&error, title, hint))
}

fn refused(error: &serde_saphyr::Error, title: &str, hint: &str) -> Error {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let bare = error.without_snippet();
    let (message, hint) = match bare {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let hint = match nearest(field, expected.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Here may stand: {}", expected.join(", ")),
            };
            (format!("`{field}` is no key"), hint)
        }
        other => (plain(&other.to_string()), hint.to_owned()),
    };
    Error::new(ErrorKind::InvalidConfig, title).hinted(hint).because(At { line, column, message })
}

/// The message without the place at its end, which is told in front of it.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let end = first.find(" at line ").unwrap_or(first.len());
    let start = first.strip_prefix("error: ").map_or(0, |_| "error: ".len());
    first[start..end.max(start)].trim_end_matches([',', ' ']).to_owned()
}
