//! What runs in a container: command, variables, health, restarts, hooks.

use super::{At, Decoder};
use crate::launch::is_of_network;
use crate::stack::{Check, Container, Health, Hook, Logging, OnUnhealthy};
use crate::words;
use crate::yaml::Value;
use std::time::Duration;
use volt_model::container::{Ulimit, parse_signal};
use volt_model::restart::Restart;

impl Decoder<'_> {
    pub(super) fn process_fields(&mut self, at: &At<'_>, container: &mut Container) {
        container.command = self.command(at, "command");
        container.entrypoint = self.command(at, "entrypoint");
        container.environment = self.environment(at);
        container.restart = self.restart(at);
        container.restart_delay = self.restart_delay(at);
        container.stop_signal = self.stop_signal(at);
        container.stop_grace_period = self.span_of(at, "stop_grace_period");
        container.health = self.health(at);
        container.logging = at.get("logging").map(|logging| Logging {
            driver: self.text_of(&logging, "driver"),
            options: self.pairs(&logging, "options"),
        });
        container.ulimits = self.ulimits(at, "ulimits");
        container.sysctls = self.pairs(at, "sysctls");
        for key in container.sysctls.keys().filter(|key| !is_of_network(key)) {
            self.odd(at, format!("sysctls: {key} is the host's, and stays; only what is below net. is a container's own"));
        }
        container.post_start = self.hooks(at, "post_start");
        container.pre_stop = self.hooks(at, "pre_stop");
        container.watch = self.watch(at);
    }

    /// A list of words, or a line that is split as a shell does (Compose Specification, 05-services: command). An empty one is
    /// not the same as none: it takes away what the image has.
    pub(super) fn command(&mut self, parent: &At<'_>, key: &str) -> Option<Vec<String>> {
        let at = parent.get(key)?;
        if let Value::List(_) = at.node.value {
            let items = at.items();
            return Some(items.iter().filter_map(|item| self.text(item)).collect());
        }
        let text = self.text(&at)?;
        words::split(&text).map_err(|error| self.wrong(&at, error)).ok()
    }

    /// Variables: those without a value were filled in, or left out, where the file was read.
    pub(super) fn environment(
        &mut self,
        parent: &At<'_>,
    ) -> std::collections::BTreeMap<String, String> {
        let mut variables = self.pairs(parent, "environment");
        if let Some(at) = parent.get("environment") {
            let bad = |name: &String| {
                name.is_empty() || name.contains(['=', '\0']) || name.contains(char::is_whitespace)
            };
            if let Some(name) = variables.keys().find(|name| bad(name)) {
                self.wrong(&at, format!("`{name}` is no name of a variable"));
            }
            variables.retain(|name, _| !bad(name));
        }
        variables
    }

    pub(super) fn restart(&mut self, at: &At<'_>) -> Restart {
        if let Some(restart) = at.said("restart") {
            // YAML 1.1 reads `no` as false; here it is the text that was written.
            return match restart.node.as_text() {
                Some("false") => Restart::No,
                _ => self.parse(&restart).unwrap_or_default(),
            };
        }
        let policy = at.get("deploy").and_then(|deploy| deploy.get("restart_policy"));
        let Some(policy) = policy else { return Restart::No };
        let attempts: Option<u32> = self.number_of(&policy, "max_attempts");
        let choices = [("none", 0), ("on-failure", 1), ("any", 2)];
        match self.choice_of(&policy, "condition", &choices) {
            Some(0) => Restart::No,
            Some(1) => Restart::OnFailure(attempts.filter(|n| *n > 0)),
            _ => {
                if attempts.is_some() {
                    self.odd(&policy, "max_attempts counts with `condition: on-failure` alone");
                }
                Restart::Always
            }
        }
    }

    fn restart_delay(&mut self, at: &At<'_>) -> Option<Duration> {
        let policy = at.get("deploy").and_then(|deploy| deploy.get("restart_policy"))?;
        self.span_of(&policy, "delay")
    }

    fn stop_signal(&mut self, parent: &At<'_>) -> Option<u8> {
        let at = parent.said("stop_signal")?;
        let text = self.text(&at)?;
        parse_signal(&text).map_err(|error| self.wrong(&at, error)).ok()
    }

    /// `healthcheck` (Compose Specification, 05-services); `http`, `tcp` and `on_unhealthy` are Volt's.
    pub(super) fn health(&mut self, parent: &At<'_>) -> Option<Health> {
        let at = parent.get("healthcheck")?;
        if !self.is_map(&at) {
            return None;
        }
        let actions = [
            ("none", OnUnhealthy::None),
            ("restart", OnUnhealthy::Restart),
            ("stop", OnUnhealthy::Stop),
        ];
        let mut health = Health {
            check: self.check(&at),
            interval: self.span_of(&at, "interval"),
            timeout: self.span_of(&at, "timeout"),
            retries: self.number_of(&at, "retries"),
            start_period: self.span_of(&at, "start_period"),
            start_interval: self.span_of(&at, "start_interval"),
            on_unhealthy: self.choice_of(&at, "on_unhealthy", &actions).unwrap_or_default(),
        };
        if self.flag(&at, "disable") {
            health.check = Some(Check::None);
        }
        // Zero means what is usual, in Compose.
        for span in [&mut health.interval, &mut health.timeout, &mut health.start_interval] {
            *span = span.filter(|span| !span.is_zero());
        }
        health.retries = health.retries.filter(|retries| *retries > 0);
        if let Err(reason) = crate::health::wanted(&health) {
            self.wrong(&at, &reason);
        }
        Some(health)
    }

    fn check(&mut self, at: &At<'_>) -> Option<Check> {
        let http = self.text_of(at, "http").map(Check::Http);
        let tcp = self.text_of(at, "tcp").map(Check::Tcp);
        let test = at.get("test").and_then(|test| self.test(&test));
        let mut checks = [http, tcp, test].into_iter().flatten();
        let first = checks.next();
        if checks.next().is_some() {
            self.wrong_hinted(at, "there are two checks", "Keep one of test, http and tcp");
        }
        first
    }

    fn test(&mut self, at: &At<'_>) -> Option<Check> {
        if !matches!(at.node.value, Value::List(_)) {
            return self.text(at).map(Check::Shell);
        }
        let words: Vec<String> = at.items().iter().filter_map(|item| self.text(item)).collect();
        match words.split_first() {
            // What the image says, as where there is no `test`.
            None if at.items().is_empty() => None,
            Some((first, rest)) if first == "NONE" && rest.is_empty() => Some(Check::None),
            Some((first, rest)) if first == "CMD" && !rest.is_empty() => {
                Some(Check::Exec(rest.to_vec()))
            }
            Some((first, rest)) if first == "CMD-SHELL" && rest.len() == 1 => {
                Some(Check::Shell(rest[0].clone()))
            }
            _ => {
                let hint = "Begin the list with CMD and the words of a command, with CMD-SHELL and one line, or write [\"NONE\"]";
                self.wrong_hinted(at, "this is no check", hint);
                None
            }
        }
    }

    pub(super) fn ulimits(&mut self, parent: &At<'_>, key: &str) -> Vec<Ulimit> {
        let Some(at) = parent.get(key) else { return Vec::new() };
        if !self.is_map(&at) {
            return Vec::new();
        }
        let mut all = Vec::new();
        for (name, below) in at.entries() {
            let text = if matches!(below.node.value, Value::Map(_)) {
                let soft = self.text_of(&below, "soft");
                let hard = self.text_of(&below, "hard");
                match (soft, hard) {
                    (Some(soft), Some(hard)) => format!("{name}={soft}:{hard}"),
                    (Some(one), None) | (None, Some(one)) => format!("{name}={one}"),
                    (None, None) => {
                        self.wrong(&below, "it has neither soft nor hard");
                        continue;
                    }
                }
            } else {
                let Some(value) = self.text(&below) else { continue };
                format!("{name}={value}")
            };
            all.extend(text.parse::<Ulimit>().map_err(|error| self.wrong(&below, error)).ok());
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn hooks(&mut self, parent: &At<'_>, key: &str) -> Vec<Hook> {
        let mut all = Vec::new();
        for item in self.list(parent, key) {
            all.extend(self.hook(&item));
        }
        all
    }

    /// A command that is run in a container.
    pub(super) fn hook(&mut self, item: &At<'_>) -> Option<Hook> {
        if !self.is_map(item) {
            return None;
        }
        let Some(command) = self.command(item, "command").filter(|words| !words.is_empty()) else {
            self.wrong(item, "it has no command");
            return None;
        };
        Some(Hook {
            command,
            user: self.text_of(item, "user"),
            working_dir: self.text_of(item, "working_dir"),
            environment: self.environment(item),
        })
    }
}
