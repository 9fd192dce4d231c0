//! How each wire type looks to people: the columns of its lists, the rows of its details.

pub(crate) mod cas;
pub(crate) mod compose;
pub(crate) mod container;
pub(crate) mod firewall;
pub(crate) mod health;
pub(crate) mod image;
pub(crate) mod net;
pub(crate) mod secret;
pub(crate) mod service;
pub(crate) mod snapshot;
pub(crate) mod system;
pub(crate) mod task;
pub(crate) mod volume;
pub(crate) mod workload;

use std::collections::BTreeMap;

/// Labels as `a=b, c=d`.
fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ")
}

/// A command as it would be typed, near enough for people.
fn command(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// `yes` or `no`.
fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_look_as_typed() {
        let words = ["sh", "-c", "echo 'a' b", ""].map(str::to_owned);
        assert_eq!(command(&words), r"sh -c 'echo '\''a'\'' b' ''");
    }
}
