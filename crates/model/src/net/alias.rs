//! Aliases: further names of a workload in a network.

use crate::dns::ZONE;
use std::fmt;
use std::str::FromStr;

/// A name that members of a network ask for, beside that of the workload: of letters, digits, `-` and `_`, in labels of up to 63 with
/// dots between them, 253 characters in all (RFC 1035, 2.3.4; underscores as RFC 2181, 11 allows). In lower case, since names differ in
/// nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias(String);

/// Why a text is no [`Alias`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AliasError {
    /// A character that no alias has.
    #[error("The alias `{alias}` has {found:?} in it: only a-z, 0-9, -, _ and . may stand in one")]
    BadCharacter {
        /// The alias as given.
        alias: String,
        /// The first bad character.
        found: char,
    },
    /// A part that is empty, too long, or has a hyphen at an end.
    #[error(
        "The alias `{0}` is no name: its parts have 1 to 63 characters and no hyphen at either end"
    )]
    Label(String),
    /// More than 253 characters.
    #[error("The alias `{0}…` is longer than 253 characters")]
    TooLong(String),
    /// A name in Volt's own zone.
    #[error("The alias `{0}` ends with .{ZONE}, where workloads and networks alone have names")]
    Zone(String),
}

impl Alias {
    /// The longest, in characters.
    pub const MAX: usize = 253;

    /// The alias as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = AliasError;

    fn from_str(text: &str) -> Result<Self, AliasError> {
        let shown = || text.chars().take(80).collect::<String>();
        if text.len() > Self::MAX {
            return Err(AliasError::TooLong(shown()));
        }
        let alias = text.to_ascii_lowercase();
        let is_allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.');
        if let Some(found) = alias.chars().find(|c| !is_allowed(c)) {
            return Err(AliasError::BadCharacter { alias: shown(), found });
        }
        let is_label = |label: &str| {
            matches!(label.len(), 1..=63) && !label.starts_with('-') && !label.ends_with('-')
        };
        if !alias.split('.').all(is_label) {
            return Err(AliasError::Label(shown()));
        }
        // Alone it is a name like others, and a service may be called so.
        if alias.contains('.') && alias.rsplit('.').next() == Some(ZONE) {
            return Err(AliasError::Zone(shown()));
        }
        Ok(Self(alias))
    }
}

impl From<crate::name::Name> for Alias {
    fn from(name: crate::name::Name) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

crate::serde_by_text!(Alias);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_and_bad_aliases() {
        for (text, alias) in [("db", "db"), ("My_DB", "my_db"), ("minio.local", "minio.local")] {
            assert_eq!(text.parse::<Alias>().unwrap().as_str(), alias);
        }
        let long = "a".repeat(64);
        for bad in ["", ".", "a.", "a..b", "-a", "a.b-", "a b", "ä", "a:b", "web.volt", &long] {
            assert!(bad.parse::<Alias>().is_err(), "{bad:?} was taken");
        }
        let volt = Alias::from("volt".parse::<crate::name::Name>().unwrap());
        assert_eq!(volt.as_str().parse::<Alias>().unwrap(), volt);
        assert!(format!("a{}", ".aa".repeat(84)).parse::<Alias>().is_ok());
        assert!(format!("aa{}", ".aa".repeat(84)).parse::<Alias>().is_err());
    }

    proptest! {
        #[test]
        fn what_parses_reads_back(text in "[a-zA-Z0-9._-]{1,80}") {
            if let Ok(alias) = text.parse::<Alias>() {
                prop_assert_eq!(alias.to_string().parse::<Alias>().unwrap(), alias);
            }
        }
    }
}
