//! Who we are at a registry: from files as `docker login`, `podman login` and `volt login` write them.
//!
//! Source: the `config.json` of Docker's command line, and containers-auth.json(5), which also has entries for single
//! repositories. Where a file names a program that keeps secrets (`credHelpers`, `credsStore`), which one is told, and what it
//! answers is read; running it is up to whoever asks.

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
pub struct Credentials {
    accounts: BTreeMap<String, Account>,
    /// By registry.
    helpers: BTreeMap<String, String>,
    /// For all others.
    store: Option<String>,
}

/// A program that keeps accounts: its name, and by what it is asked for one, on its standard input after the argument `get`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    /// Such as `docker-credential-pass`.
    pub program: String,
    /// What the registry is called there.
    pub server: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    #[serde(default)]
    username: String,
    secret: String,
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
        for (place, account) in other.accounts {
            self.accounts.entry(place).or_insert(account);
        }
        for (host, helper) in other.helpers {
            self.helpers.entry(host).or_insert(helper);
        }
        self.store = self.store.take().or(other.store);
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
        let is_name = |name: &String| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !name.is_empty() && name.chars().all(is_part)
        };
        let helpers = file.helpers.into_iter().filter(|(_, name)| is_name(name));
        Ok(Self {
            accounts: accounts.collect(),
            helpers: helpers.map(|(key, name)| (place_of_key(&key), name)).collect(),
            store: file.store.filter(is_name),
        })
    }

    /// Who may have an account for a registry for which there is none here.
    #[must_use]
    pub fn helper(&self, host: &str) -> Option<Helper> {
        let name = self.helpers.get(host).or(self.store.as_ref())?;
        let server = if host == DOCKER { DOCKER_KEY } else { host };
        Some(Helper { program: format!("docker-credential-{name}"), server: server.to_owned() })
    }

    /// Whether there is no account at all, and nobody who may have one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.helpers.is_empty() && self.store.is_none()
    }

    /// Whether there is an account for just this place.
    #[must_use]
    pub fn has(&self, place: &str) -> bool {
        self.accounts.contains_key(place)
    }

    /// What there are accounts for, sorted.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.accounts.keys().map(String::as_str)
    }

    /// An account for a place.
    pub fn insert(&mut self, place: &str, account: Account) {
        self.accounts.insert(place_of(place), account);
    }

    /// The account for a repository: of the longest place that it is in.
    #[must_use]
    pub fn account(&self, host: &str, repository: &str) -> Option<&Account> {
        let mut place = format!("{host}/{repository}");
        loop {
            if let Some(account) = self.accounts.get(&place) {
                return Some(account);
            }
            place.truncate(place.rfind('/')?);
        }
    }
}

impl Account {
    /// What a helper has answered; nothing where that is no account.
    #[must_use]
    pub fn kept(answer: &[u8]) -> Option<Self> {
        let Kept { username, secret } = serde_json::from_slice(answer).ok()?;
        match username.as_str() {
            "" => None,
            _ if secret.is_empty() => None,
            "<token>" => Some(Self::Identity(secret)),
            _ => Some(Self::Password { user: username, password: secret }),
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

    #[test]
    fn helpers_and_what_they_answer() {
        let text = r#"{"credHelpers":{"r.example":"own","bad.example":"../x"},"credsStore":"all"}"#;
        let all = Credentials::parse(text.as_bytes()).unwrap();
        let asked = |host: &str| all.helper(host).map(|helper| (helper.program, helper.server));
        let of = |name: &str, server: &str| {
            Some((format!("docker-credential-{name}"), server.to_owned()))
        };
        assert_eq!(asked("r.example"), of("own", "r.example"));
        assert_eq!(asked("bad.example"), of("all", "bad.example"));
        assert_eq!(asked(DOCKER), of("all", DOCKER_KEY));
        assert_eq!(Credentials::parse(br#"{"auths":{}}"#).unwrap().helper("r.example"), None);
        for (answer, account) in [
            (
                r#"{"ServerURL":"x","Username":"joe","Secret":"s"}"#,
                Some(Account::Password { user: "joe".into(), password: "s".into() }),
            ),
            (r#"{"Username":"<token>","Secret":"t"}"#, Some(Account::Identity("t".into()))),
            (r#"{"Username":"joe","Secret":""}"#, None),
            (r#"{"Username":"","Secret":"s"}"#, None),
            ("credentials not found in native keychain", None),
        ] {
            assert_eq!(Account::kept(answer.as_bytes()), account, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(Credentials::parse(&bytes));
        }
    }
}
