//! A stack as files of other engines: Compose's own form, Quadlet's, Kubernetes'. Pure: what comes out are files with their names,
//! and what could not be said in them.

mod compose;
mod kubernetes;
mod quadlet;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

use crate::stack::Stack;
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// A file that a conversion makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What a conversion makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// The files.
    pub files: Vec<File>,
    /// What is lost, or has to be done by hand.
    pub notes: Vec<String>,
}

impl Converted {
    fn file(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.files.push(File { name: name.into(), text: text.into() });
    }

    fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// What a stack is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One file as this crate reads it, with everything put in that variables and other files gave.
    Compose,
    /// Units for Podman's generator.
    Quadlet,
    /// Manifests.
    Kubernetes,
}

/// A word that is no format.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is nothing that a stack is converted to: write compose, quadlet or kubernetes")]
pub struct FormatError(String);

impl Format {
    /// All there are, with their words.
    pub const ALL: [(&str, Self); 3] =
        [("compose", Self::Compose), ("quadlet", Self::Quadlet), ("kubernetes", Self::Kubernetes)];
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let found = Self::ALL.iter().find(|(word, _)| *word == text);
        found.map(|(_, format)| *format).ok_or_else(|| FormatError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::ALL.iter().find(|(_, format)| format == self).map_or("", |(word, _)| word))
    }
}

/// Converts a stack.
#[must_use]
pub fn convert(stack: &Stack, to: Format) -> Converted {
    match to {
        Format::Compose => compose::convert(stack),
        Format::Quadlet => quadlet::convert(stack),
        Format::Kubernetes => kubernetes::convert(stack),
    }
}

/// A mapping that is being written: what is not said is left out.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    fn maybe<T: Into<Value>>(&mut self, key: &str, value: Option<T>) -> &mut Self {
        if let Some(value) = value {
            self.put(key, value);
        }
        self
    }

    /// A truth value that is worth saying.
    fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.maybe(key, value.then_some(true))
    }

    /// A list of texts that is not empty.
    fn texts<T: ToString>(&mut self, key: &str, list: &[T]) -> &mut Self {
        let list: Vec<Value> = list.iter().map(|item| Value::from(item.to_string())).collect();
        self.maybe(key, (!list.is_empty()).then_some(list))
    }

    /// A mapping of texts that is not empty.
    fn map<'m>(
        &mut self,
        key: &str,
        map: impl IntoIterator<Item = (&'m String, &'m String)>,
    ) -> &mut Self {
        let map: Map<String, Value> =
            map.into_iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
        self.maybe(key, (!map.is_empty()).then_some(map))
    }

    /// Fields that are not empty.
    fn fields(&mut self, key: &str, fields: Self) -> &mut Self {
        if !fields.0.is_empty() {
            self.put(key, fields);
        }
        self
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.0)
    }
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).expect("JSON can be written as YAML")
}
