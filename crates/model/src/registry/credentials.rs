//! Who we are at a registry: from files as `docker login`, `podman login` and `volt login` write them.
//!
//! Source: the `config.json` of Docker's command line, and containers-auth.json(5), which also has entries for single
//! repositories. Programs that keep secrets (`credHelpers`) are not run.

use super::DOCKER;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// How Docker's files call Docker's registry.
pub(super) const DOCKER_KEY: &str = "https://index.docker.io/v1/";

/// An account. Its `Debug` form shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Account {
    /// A name and its password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that is exchanged for others.
    Identity(String),
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "Password({user:?})"),
            Self::Identity(_) => f.write_str("Identity"),
        }
    }
}

/// Accounts by what they are for: `HOST` or `HOST/NAMESPACE…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, Account>);

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default, rename = "identitytoken")]
    identity: String,
}

impl Credentials {
    /// Those of `other` too, where there is none for the same place yet.
    pub fn extend(&mut self, other: Self) {
        for (place, account) in other.0 {
            self.0.entry(place).or_insert(account);
        }
    }

    /// Those of a file's bytes.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, serde_json::Error> {
        let file: File = serde_json::from_slice(bytes)?;
        let accounts = file
            .auths
            .into_iter()
            .filter_map(|(key, entry)| Some((place_of_key(&key), entry.account()?)));
        Ok(Self(accounts.collect()))
    }

    /// Whether there is no account at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is an account for just this place.
    #[must_use]
    pub fn has(&self, place: &str) -> bool {
        self.0.contains_key(place)
    }

    /// What there are accounts for, sorted.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// An account for a place.
    pub fn insert(&mut self, place: &str, account: Account) {
        self.0.insert(place_of(place), account);
    }

    /// The account for a repository: of the longest place that it is in.
    #[must_use]
    pub fn account(&self, host: &str, repository: &str) -> Option<&Account> {
        let mut place = format!("{host}/{repository}");
        loop {
            if let Some(account) = self.0.get(&place) {
                return Some(account);
            }
            place.truncate(place.rfind('/')?);
        }
    }
}

impl Entry {
    fn account(self) -> Option<Account> {
        if !self.identity.is_empty() {
            return Some(Account::Identity(self.identity));
        }
        let decoded = STANDARD.decode(self.auth.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        // Some tools fill the field with NULs.
        let password = password.trim_end_matches('\0').to_owned();
        (!user.is_empty()).then(|| Account::Password { user: user.to_owned(), password })
    }
}

/// The place that a key of a file means.
pub(super) fn place_of_key(key: &str) -> String {
    if key == DOCKER_KEY { DOCKER.to_owned() } else { place_of(key) }
}

/// The place that a key means: without scheme and without the version at its end.
fn place_of(key: &str) -> String {
    let bare = key.trim_start_matches("https://").trim_start_matches("http://");
    let bare = bare.trim_end_matches('/');
    bare.strip_suffix("/v1").or(bare.strip_suffix("/v2")).unwrap_or(bare).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(text: &str) -> String {
        format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{joe}"}},"reg.example/team":{{"auth":"{ann}"}},
               "reg.example":{{"identitytoken":"tok"}},"empty.example":{{}},"bad.example":{{"auth":"!"}}}},"credsStore":"x"{text}}}"#,
            joe = STANDARD.encode("joe:pass:word"),
            ann = STANDARD.encode("ann:x\0\0"),
        )
    }

    #[test]
    fn the_longest_place_counts() {
        let all = Credentials::parse(file("").as_bytes()).unwrap();
        let password = |user: &str, password: &str| Account::Password {
            user: user.into(),
            password: password.into(),
        };
        for (host, repository, account) in [
            ("docker.io", "library/debian", Some(password("joe", "pass:word"))),
            ("reg.example", "team/app", Some(password("ann", "x"))),
            ("reg.example", "teams/app", Some(Account::Identity("tok".into()))),
            ("other.example", "team/app", None),
            ("empty.example", "a", None),
            ("bad.example", "a", None),
        ] {
            assert_eq!(all.account(host, repository).cloned(), account, "{host}/{repository}");
        }
        assert!(!format!("{all:?}").contains("pass:word") && !format!("{all:?}").contains("tok"));
    }

    #[test]
    fn earlier_files_come_first() {
        let one = |user: &str| {
            let auth = STANDARD.encode(format!("{user}:x"));
            let text = format!(r#"{{"auths":{{"r.example":{{"auth":"{auth}"}}}}}}"#);
            Credentials::parse(text.as_bytes()).unwrap()
        };
        let mut all = one("first");
        all.extend(one("second"));
        let found = all.account("r.example", "a").unwrap();
        assert!(matches!(found, Account::Password { user, .. } if user == "first"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(Credentials::parse(&bytes));
        }
    }
}
