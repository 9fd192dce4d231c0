//! How a registry asks who is there: the `WWW-Authenticate` header. Pure.
//!
//! Sources: RFC 9110, section 11.6.1, and the token authentication specification of the distribution project.

use std::collections::BTreeMap;

/// The most parameters of a challenge that are read.
const LIMIT: usize = 32;

/// What a registry wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A name and a password with each request.
    Basic,
    /// A token, which `realm` gives.
    Bearer {
        /// The URL of the one who gives tokens.
        realm: String,
        /// For whom the token is to be.
        service: Option<String>,
        /// What it is to allow, where the registry says so.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenges in a header, of those kinds that are known here.
    #[must_use]
    pub fn parse(header: &str) -> Vec<Self> {
        let mut all = Vec::new();
        let mut rest = header.trim_start();
        while let Some((scheme, after)) = word(rest) {
            let (mut parameters, after) = parameters(after);
            if scheme.eq_ignore_ascii_case("basic") {
                all.push(Self::Basic);
            } else if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = parameters.remove("realm")
            {
                let (service, scope) = (parameters.remove("service"), parameters.remove("scope"));
                all.push(Self::Bearer { realm, service, scope });
            }
            rest = after.trim_start_matches([',', ' ', '\t']);
        }
        all
    }
}

/// A token of RFC 9110, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)));
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (!word.is_empty()).then_some((word, rest))
}

/// `name=value` pairs with commas between, up to where the next scheme begins.
fn parameters(text: &str) -> (BTreeMap<String, String>, &str) {
    let mut all = BTreeMap::new();
    let mut rest = text;
    while all.len() < LIMIT {
        let at = rest.trim_start_matches([',', ' ', '\t']);
        let Some((name, after)) = word(at) else { return (all, at) };
        let Some(after) = after.trim_start().strip_prefix('=') else { return (all, at) };
        let Some((value, after)) = value(after.trim_start()) else { return (all, "") };
        all.insert(name.to_ascii_lowercase(), value);
        rest = after;
    }
    (all, "")
}

/// A value, in quotes or without.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return word(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut out = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((out, &quoted[at + 1..])),
            '\\' => out.push(characters.next()?.1),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.into(), service: owned(service), scope: owned(scope) }
    }

    #[test]
    fn challenges_as_registries_write_them() {
        for (header, wanted) in [
            ("Basic realm=\"Registry\"", vec![Challenge::Basic]),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a/b:pull,push\"",
                vec![bearer(
                    "https://auth.example/token",
                    Some("registry.example"),
                    Some("repository:a/b:pull,push"),
                )],
            ),
            (
                "Negotiate, bearer realm=https , Basic realm=\"a \\\"b\\\"\"",
                vec![bearer("https", None, None), Challenge::Basic],
            ),
            ("Bearer service=\"no realm\"", vec![]),
            ("Bearer realm=\"never ends", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(Challenge::parse(header), wanted, "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_ends(header in ".{0,200}") {
            drop(Challenge::parse(&header));
        }

        #[test]
        fn quoted_text_reads_back(text in "[ -~]{0,40}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let all = Challenge::parse(&format!("Bearer realm=\"{quoted}\""));
            prop_assert_eq!(all, vec![bearer(&text, None, None)]);
        }
    }
}
