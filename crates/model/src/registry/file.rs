//! Putting accounts into the files that `docker login` and `podman login` write, and taking them out: what else is in such a file
//! stays as it is. Pure.
//!
//! Source: as for reading, in `credentials`.

use super::credentials::place_of_key;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// The file with an account, which takes the place of an earlier one; `before` is what was in the file, empty where there was none.
///
/// # Errors
/// When what was there is no such file.
pub fn with_account(
    before: &[u8],
    place: &str,
    (user, password): (&str, &str),
) -> Result<Vec<u8>, serde_json::Error> {
    let mut file = read(before)?;
    let entry = serde_json::json!({ "auth": STANDARD.encode(format!("{user}:{password}")) });
    let auths = file.entry("auths").or_insert_with(|| Value::Object(Map::new()));
    if !auths.is_object() {
        *auths = Value::Object(Map::new());
    }
    let auths = auths.as_object_mut().expect("it was made one");
    let known = auths.keys().find(|key| place_of_key(key) == place).cloned();
    auths.insert(known.unwrap_or_else(|| key_of(place)), entry);
    written(&file)
}

/// The file without the accounts of a place; nothing where it has none.
///
/// # Errors
/// When it is no such file.
pub fn without_account(before: &[u8], place: &str) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let mut file = read(before)?;
    let Some(auths) = file.get_mut("auths").and_then(Value::as_object_mut) else { return Ok(None) };
    let count = auths.len();
    auths.retain(|key, _| place_of_key(key) != place);
    if auths.len() == count { Ok(None) } else { written(&file).map(Some) }
}

/// How all tools find Docker's own registry.
fn key_of(place: &str) -> String {
    if place == super::DOCKER { super::credentials::DOCKER_KEY } else { place }.to_owned()
}

fn read(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    if bytes.trim_ascii().is_empty() { Ok(Map::new()) } else { serde_json::from_slice(bytes) }
}

fn written(file: &Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(file)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Account, Credentials};
    use proptest::prelude::*;

    #[test]
    fn what_else_is_in_the_file_stays() {
        let before =
            br#"{"credsStore":"x","auths":{"https://r.example/v1/":{"auth":"eA=="},"other":{}}}"#;
        let with = with_account(before, "r.example", ("joe", "pw")).unwrap();
        let text = String::from_utf8(with.clone()).unwrap();
        assert!(text.contains("credsStore") && text.contains("https://r.example/v1/"), "{text}");
        let all = Credentials::parse(&with).unwrap();
        assert!(
            matches!(all.account("r.example", "a"), Some(Account::Password { user, .. }) if user == "joe")
        );
        let without = without_account(&with, "r.example").unwrap().unwrap();
        assert!(Credentials::parse(&without).unwrap().account("r.example", "a").is_none());
        assert!(String::from_utf8(without.clone()).unwrap().contains("other"));
        assert_eq!(without_account(&without, "r.example").unwrap(), None);
        assert!(with_account(b"[]", "r.example", ("a", "b")).is_err());
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_found(user in "[^:]{1,20}", password in ".{1,20}") {
            for place in ["docker.io", "r.example:5000"] {
                let file = with_account(b"", place, (&user, &password)).unwrap();
                let all = Credentials::parse(&file).unwrap();
                let wanted = password.trim_end_matches('\0');
                let wanted = Account::Password { user: user.clone(), password: wanted.to_owned() };
                prop_assert_eq!(all.account(place, "a/b"), Some(&wanted));
            }
        }
    }
}
