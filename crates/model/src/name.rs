//! Names: what people call workloads, volumes and stacks. Never hex ids.

use std::fmt;
use std::str::FromStr;

/// The name of a container, VM, volume, task or stack: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was given.
    #[error("A name can't be empty")]
    Empty,
    /// More than 63 characters.
    #[error("The name `{0}…` is longer than 63 characters")]
    TooLong(String),
    /// A character that no name has.
    #[error("The name `{name}` has {found:?} in it: only a-z, 0-9 and - may stand in a name")]
    BadCharacter {
        /// The name as given.
        name: String,
        /// The first bad character.
        found: char,
    },
    /// A hyphen at either end.
    #[error("The name `{0}` begins or ends with a hyphen")]
    Hyphen(String),
}

impl Name {
    /// The longest name, in characters.
    pub const MAX: usize = 63;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(found) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            let name = text.chars().take(Self::MAX).collect();
            return Err(NameError::BadCharacter { name, found });
        }
        if text.len() > Self::MAX {
            return Err(NameError::TooLong(text[..Self::MAX].to_owned()));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(NameError::Hyphen(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

crate::serde_by_text!(Name);

/// What a `workload` command may name: one of Volt's own workloads, or any unit of the host by its full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A workload of Volt.
    Workload(Name),
    /// A unit of the host, such as `nginx.service`.
    Unit(String),
}

/// Unit suffixes that make a name a unit of the host.
const SUFFIXES: [&str; 6] = [".service", ".socket", ".timer", ".target", ".mount", ".slice"];

impl FromStr for Target {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if SUFFIXES.iter().any(|s| text.ends_with(s) && text.len() > s.len()) {
            let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
            if let Some(found) = text.chars().find(|c| !allowed(*c)) {
                return Err(NameError::BadCharacter { name: text.to_owned(), found });
            }
            if text.len() > 255 {
                return Err(NameError::TooLong(text[..Name::MAX].to_owned()));
            }
            return Ok(Self::Unit(text.to_owned()));
        }
        text.parse().map(Self::Workload)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(name) => name.fmt(f),
            Self::Unit(unit) => f.pad(unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_and_bad_names() {
        for good in ["a", "0", "web", "db-primary", &"a".repeat(63)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "Web", "a_b", "a/b", "..", "a.b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_suffix_makes_a_unit_of_the_host() {
        assert_eq!("nginx.service".parse(), Ok(Target::Unit("nginx.service".into())));
        assert_eq!("web".parse(), Ok(Target::Workload("web".parse().unwrap())));
        assert!("a b.service".parse::<Target>().is_err());
        assert!("../x.service".parse::<Target>().is_err());
    }

    proptest! {
        #[test]
        fn whatever_parses_is_safe_in_a_path_and_a_unit_name(text in ".{0,80}") {
            if let Ok(name) = text.parse::<Name>() {
                let pattern = name.as_str();
                prop_assert!(!pattern.is_empty() && pattern.len() <= 63);
                prop_assert!(pattern.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
