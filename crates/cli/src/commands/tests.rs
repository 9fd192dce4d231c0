//! Conventions of the tree of commands: examples everywhere, and an operation behind every command.

use crate::cli::command;
use std::collections::BTreeSet;
use volt_api::operations::OPERATIONS;

/// Commands that ask for no operation: the binary does them itself.
const LOCAL: &[&str] = &[
    "completion",
    "compose config",
    "compose convert",
    "compose graph",
    "daemon",
    "dns serve",
    "logout",
    "registry logout",
    "system install",
    "system uninstall",
];

/// Commands whose operations are not called as they are.
const OTHERS: &[(&str, &[&str])] = &[
    (
        "run",
        &[
            "container_create",
            "image_inspect",
            "image_pull",
            "container_attach",
            "container_start",
            "container_delete",
        ],
    ),
    ("ps", &["workload_list"]),
    ("ps inspect", &["workload_inspect"]),
    ("logs", &["workload_logs"]),
    ("top", &["workload_top"]),
    ("events", &["event_stream"]),
    ("version", &["system_version"]),
    ("start", &["container_start"]),
    ("stop", &["container_stop"]),
    ("restart", &["container_restart"]),
    ("kill", &["container_kill"]),
    ("delete", &["container_delete"]),
    ("exec", &["container_exec"]),
    ("shell", &["container_exec"]),
    ("attach", &["container_attach"]),
    ("copy", &["container_copy_out", "container_copy_in"]),
    ("inspect", &["workload_inspect"]),
    ("pull", &["image_pull"]),
    ("push", &["image_push"]),
    ("login", &["registry_login"]),
    (
        "compose up",
        &["compose_plan", "compose_up", "compose_stop", "image_list", "image_pull", "image_build"],
    ),
    ("compose run", &["compose_run", "container_attach", "container_start", "container_delete"]),
    ("compose logs", &["workload_logs"]),
    ("compose kill", &["container_kill", "service_kill"]),
    ("compose pause", &["workload_freeze"]),
    ("compose unpause", &["workload_thaw"]),
    ("compose exec", &["container_exec"]),
    ("compose cp", &["container_copy_out", "container_copy_in"]),
    ("compose port", &["net_status"]),
    ("compose top", &["workload_top"]),
    ("compose wait", &["container_wait"]),
    ("compose events", &["event_stream"]),
    ("compose images", &["compose_ps"]),
    ("compose pull", &["image_pull"]),
    ("compose build", &["image_build"]),
    (
        "compose watch",
        &["compose_up", "compose_restart", "container_copy_in", "container_exec", "image_build"],
    ),
    ("container shell", &["container_exec"]),
    ("container logs", &["workload_logs"]),
    ("container copy", &["container_copy_out", "container_copy_in"]),
    ("system check", &["system_check", "system_repair"]),
    ("service list", &["service_list", "service_profiles"]),
    ("service edit", &["service_read", "service_show", "service_write"]),
    ("service logs", &["workload_logs"]),
    ("task logs", &["workload_logs"]),
    ("config edit", &["config_read", "config_write"]),
];

/// Every command that can be run, by its words.
fn leaves() -> Vec<(String, clap::Command)> {
    fn walk(at: &clap::Command, words: &str, found: &mut Vec<(String, clap::Command)>) {
        let below: Vec<_> = at.get_subcommands().collect();
        if below.is_empty() || at.get_name() == "ps" {
            found.push((words.to_owned(), at.clone()));
        }
        for command in below {
            walk(command, format!("{words} {}", command.get_name()).trim(), found);
        }
    }
    let mut found = Vec::new();
    walk(&command(), "", &mut found);
    found
}

#[test]
fn every_command_has_help_and_examples() {
    for (words, command) in leaves() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "volt {words}: `{about}`");
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(examples.starts_with("Examples:\n  "), "volt {words} has no examples");
        assert!(examples.contains("volt "), "volt {words}: {examples}");
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "volt {words}: {} has no help", arg.get_id());
        }
    }
}

#[test]
fn every_command_has_its_operation_and_every_operation_its_command() {
    let known: BTreeSet<&str> = OPERATIONS.iter().map(|o| o.id).collect();
    let mut reached = BTreeSet::new();
    for (words, _) in leaves() {
        if LOCAL.contains(&words.as_str()) {
            continue;
        }
        let same = words.replace(' ', "_");
        let own = [same.as_str()];
        let operations =
            OTHERS.iter().find(|(command, _)| *command == words).map_or(&own[..], |(_, o)| o);
        for operation in operations {
            assert!(known.contains(operation), "volt {words}: no operation {operation}");
            reached.insert((*operation).to_owned());
        }
    }
    let missed: Vec<_> = known.iter().filter(|id| !reached.contains(**id)).collect();
    assert!(missed.is_empty(), "no command asks for {missed:?}");
}

#[test]
fn the_examples_parse() {
    for (words, leaf) in leaves() {
        let examples = leaf.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in examples.lines().skip(1) {
            let line = line.trim().split("   ").next().unwrap_or_default();
            let Some(at) = line.find("volt ") else { continue };
            // What a shell would do with the rest is not the parser's.
            let ends = [" | ", " > ", " < ", ")"];
            let end = ends.iter().filter_map(|end| line[at..].find(end)).min();
            let line = &line[at..end.map_or(line.len(), |end| at + end)];
            let typed = split(line);
            let parsed = command().try_get_matches_from(&typed);
            assert!(parsed.is_ok(), "volt {words}: {typed:?}: {}", parsed.unwrap_err());
        }
    }
}

/// Words as a shell would split them, with single quotes.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.trim().chars().chain([' ']) {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    words
}
