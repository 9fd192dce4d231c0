//! What things of a stack are called on the host. A key of a file may have capitals, dots and underscores, which a name in Volt may
//! not; a name that is too long is cut, with a hash of the whole.

use crate::stack::{External, Stack};
use volt_model::name::Name;

/// The nearest name to a text: lower case, other characters as hyphens. Nothing where no letter or digit is in it.
#[must_use]
pub fn plain(text: &str) -> Option<Name> {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => plain.push(c),
            _ if plain.is_empty() || plain.ends_with('-') => {}
            _ => plain.push('-'),
        }
    }
    let plain = plain.trim_end_matches('-');
    if plain.len() <= Name::MAX {
        return plain.parse().ok();
    }
    let hash = blake3::hash(text.as_bytes()).to_hex();
    format!("{}-{}", plain[..Name::MAX - 9].trim_end_matches('-'), &hash[..8]).parse().ok()
}

/// `STACK-KEY`, for a network or a volume.
#[must_use]
pub fn of_resource(stack: &Name, key: &str) -> Name {
    plain(&format!("{stack}-{key}")).expect("a stack's name has a letter or a digit")
}

/// The workload that is number `replica`, from 1, of a service: `STACK-KEY-1`, or what the file calls it.
#[must_use]
pub fn of_replica(stack: &Stack, key: &str, replica: u32) -> Name {
    let given =
        stack.services.get(key).and_then(|service| service.container()?.container_name.clone());
    given.unwrap_or_else(|| {
        plain(&format!("{}-{key}-{replica}", stack.name))
            .expect("a stack's name has a letter or a digit")
    })
}

/// The network of a key: `STACK-KEY`, or what the file calls it, or the key alone where it is there already.
#[must_use]
pub fn of_network(stack: &Stack, key: &str) -> Name {
    let network = stack.networks.get(key);
    given(stack, key, network.map(|network| (network.name.as_deref(), network.external)))
}

/// The same of a volume.
#[must_use]
pub fn of_volume(stack: &Stack, key: &str) -> Name {
    let volume = stack.volumes.get(key);
    given(stack, key, volume.map(|volume| (volume.name.as_deref(), volume.external)))
}

/// The same of a secret.
#[must_use]
pub fn of_secret(stack: &Stack, key: &str) -> Name {
    let secret = stack.secrets.get(key);
    given(stack, key, secret.map(|secret| (secret.name.as_deref(), secret.external())))
}

fn given(stack: &Stack, key: &str, said: Option<(Option<&str>, External)>) -> Name {
    let text = match said {
        Some((Some(name), _)) => Some(name),
        Some((None, External::Yes)) => Some(key),
        _ => None,
    };
    text.and_then(plain).unwrap_or_else(|| of_resource(&stack.name, key))
}

/// The image that a service's build makes where the file gives none: `STACK-KEY`.
#[must_use]
pub fn of_built_image(stack: &Name, key: &str) -> String {
    of_resource(stack, key).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_become_names() {
        for (text, name) in
            [("my_App.web", "my-app-web"), ("web", "web"), ("__a__", "a"), ("A--b", "a-b")]
        {
            assert_eq!(plain(text).unwrap().as_str(), name);
        }
        assert_eq!(plain("___"), None);
        let long = plain(&"x".repeat(80)).unwrap();
        assert_eq!(long.as_str().len(), 63);
        assert_ne!(long, plain(&"x".repeat(81)).unwrap());
    }

    proptest! {
        #[test]
        fn what_has_a_letter_has_a_name(text in "[a-zA-Z0-9._-]{0,100}") {
            let has = text.bytes().any(|b| b.is_ascii_alphanumeric());
            prop_assert_eq!(plain(&text).is_some(), has);
        }
    }
}
