//! Every operation has an end-to-end test: one whose name begins with the operation's noun, and in which the words of its command
//! are typed. (That every command has an operation is a test of the crate `cli`.)

use super::Finding;
use super::repository::{Repository, line_of};
use crate::run::Result;

const TABLE: &str = "crates/api/src/operations.rs";
const SUITES: &str = "tests/e2e/tests/suite/";

/// Operations that are asked for by other words than their own.
const WORDS: &[(&str, &str)] = &[
    ("config_read", "config edit"),
    ("config_write", "config edit"),
    ("container_copy_in", "container copy"),
    ("container_copy_out", "container copy"),
    ("event_stream", "events"),
    ("firewall_rule_add", "firewall rule add"),
    ("firewall_rule_delete", "firewall rule delete"),
    ("firewall_rule_list", "firewall rule list"),
    ("net_bridge_create", "net bridge create"),
    ("net_bridge_delete", "net bridge delete"),
    ("net_bridge_list", "net bridge list"),
    ("net_policy_create", "net policy create"),
    ("net_policy_default", "net policy default"),
    ("net_policy_delete", "net policy delete"),
    ("net_policy_list", "net policy list"),
    ("net_policy_test", "net policy test"),
    ("net_tap_create", "net tap create"),
    ("net_tap_delete", "net tap delete"),
    ("net_tap_list", "net tap list"),
    ("service_profiles", "service list --profiles"),
    ("service_read", "service edit"),
    ("service_write", "service edit"),
    ("system_repair", "system check --repair"),
    ("system_version", "version"),
    ("workload_logs", "logs"),
    ("workload_top", "top"),
];

/// A test: its name, and what is typed in it.
struct Test {
    name: String,
    typed: String,
}

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let table = repository.text(TABLE).unwrap_or_default();
    let suites = repository.texts(".rs").filter(|(path, _)| path.starts_with(SUITES));
    let tests: Vec<Test> = suites.flat_map(|(_, text)| tests(&text)).collect();
    let ids = ids(&table);
    if ids.is_empty() {
        return Ok(vec![Finding::new(
            TABLE,
            1,
            "no operation was found; has the table another form?",
        )]);
    }
    let untested = ids.into_iter().filter(|id| !tests.iter().any(|test| proves(test, id)));
    Ok(untested.map(|id| finding(&table, id)).collect())
}

fn finding(table: &str, id: &str) -> Finding {
    let noun = noun(id);
    let text = format!("no test named {noun}_… in {SUITES} types 'volt {}'; write one", words(id));
    Finding::new(TABLE, line_of(table, &format!("\"{id}\"")), text)
}

fn noun(id: &str) -> &str {
    id.split('_').next().unwrap_or(id)
}

fn words(id: &str) -> String {
    let other = WORDS.iter().find(|(known, _)| *known == id);
    other.map_or_else(
        || id.replacen('_', " ", 1).replace('_', "-"),
        |(_, words)| (*words).to_owned(),
    )
}

fn proves(test: &Test, id: &str) -> bool {
    let begins = test.name.strip_prefix(noun(id)).is_some_and(|rest| rest.starts_with('_'));
    begins && test.typed.contains(&format!(" {} ", words(id)))
}

/// The ids in the table: lines that begin `"id" TypeOp:`.
fn ids(table: &str) -> Vec<&str> {
    let id = |line: &'_ str| {
        let (id, rest) = line.trim().strip_prefix('"')?.split_once('"')?;
        rest.trim().split_once(':')?.0.ends_with("Op").then_some(id.len())
    };
    table.lines().filter_map(|line| id(line).map(|length| &line.trim()[1..=length])).collect()
}

/// The tests of a file, each from its `fn` to the next.
fn tests(text: &str) -> Vec<Test> {
    let test = |part: &str| {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        Test { name, typed: typed(part) }
    };
    text.split("fn ").skip(1).map(test).collect()
}

/// The text with the quotes, commas and brackets between words taken out, so that `["container", "rename", …]` and
/// `sh("volt container rename …")` read alike.
fn typed(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if "\"',;[](){}&|`$".contains(c) || c.is_whitespace() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().filter(|word| *word != "volt").collect();
    format!(" {} ", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_without_a_test_is_found() {
        let table = "    /// Renames.\n    \"container_rename\" ContainerRenameOp: POST \"/x\" A;\n    \"container_list\" ContainerListOp: GET \"/y\" A;\n";
        assert_eq!(ids(table), ["container_rename", "container_list"]);
        let file = "on_hosts! { fn container_rename(host) { host.volt(&[\"container\", \"rename\", \"a\"]).ok(); } }\n\
             on_hosts! { fn image_x(host) { host.sh(\"volt container list -o name\"); } }";
        let tests = tests(file);
        assert!(tests.iter().any(|test| proves(test, "container_rename")));
        // Typed, but in a test of another noun.
        assert!(!tests.iter().any(|test| proves(test, "container_list")));
    }

    #[test]
    fn words_of_operations() {
        assert_eq!(words("container_start"), "container start");
        assert_eq!(words("event_stream"), "events");
    }
}
