//! What only Volt's own form has: virtual machines, services of systemd, tasks.

use super::{At, Decoder};
use crate::fields;
use crate::stack::{Schedule, ServiceUnit, Task, Vm};
use volt_model::service::Profile;
use volt_model::size::Bytes;
use volt_model::task::cron::Cron;

/// What a service of systemd may say, each with all below it.
const OF_UNIT: &[&str] = &[
    "attach",
    "blkio_config",
    "command",
    "cpu_period",
    "cpu_quota",
    "cpu_shares",
    "cpus",
    "depends_on",
    "deploy.replicas",
    "deploy.resources.limits",
    "deploy.restart_policy.condition",
    "deploy.restart_policy.max_attempts",
    "description",
    "env_file",
    "environment",
    "exec",
    "extends",
    "healthcheck",
    "label_file",
    "labels",
    "mem_limit",
    "memswap_limit",
    "pids_limit",
    "profiles",
    "restart",
    "sandbox",
    "scale",
    "secrets",
    "stop_grace_period",
    "user",
    "working_dir",
];

impl Decoder<'_> {
    /// Refuses what a service of systemd doesn't have. What no service has is told by the table of all fields.
    fn only_of_units(&mut self, at: &At<'_>, below: &str) {
        for entry in at.node.entries().iter().filter(|entry| !entry.key.starts_with("x-")) {
            let field = format!("{below}{}", entry.key);
            if OF_UNIT.contains(&field.as_str()) {
                continue;
            }
            let inner = at.below(&entry.key, &entry.node);
            if OF_UNIT.iter().any(|known| known.starts_with(&format!("{field}."))) {
                self.only_of_units(&inner, &format!("{field}."));
            } else if fields::does_something(&format!("services.*.{field}"))
                && !fields::is_off(&entry.node)
            {
                let hint = "Remove it, or give the entry an image, which makes it a container";
                self.wrong_hinted(&inner, "a service of systemd has no such thing", hint);
            }
        }
    }

    /// Refuses what only services of systemd have.
    pub(super) fn nothing_of_units(&mut self, at: &At<'_>) {
        for (key, hint) in [
            (
                "exec",
                "Write `command:`, or leave the image out, which makes it a service of systemd",
            ),
            ("sandbox", "Remove it: a container is confined as it is"),
        ] {
            if let Some(found) = at.said(key) {
                self.wrong_hinted(&found, "a container has no such thing", hint);
            }
        }
    }

    pub(super) fn vm(&mut self, at: &At<'_>) -> Option<Vm> {
        let Some(image) = at.said("image") else {
            self.wrong_hinted(at, "it has no image", "Write `image: NAME`");
            return None;
        };
        let memory: Option<Bytes> = self.parse_of(at, "memory");
        if let (Some(memory), Some(place)) = (memory, at.said("memory"))
            && memory.0 < 16 << 20
        {
            self.wrong(
                &place,
                format!("{memory} is less than any kernel boots in; write 128M or more"),
            );
        }
        let cpu: Option<u32> = self.number_of(at, "cpu");
        if cpu == Some(0) {
            self.wrong(at, "it has at least one CPU");
        }
        Some(Vm {
            image: self.parse(&image)?,
            cpu,
            memory,
            disk: self.parse_of(at, "disk"),
            kernel: self.text_of(at, "kernel"),
            network: self.network_mode(at),
            ports: self.ports(at),
            environment: self.environment(at),
            restart: self.restart(at),
            health: self.health(at),
            labels: self.labels(at),
        })
    }

    /// The words of `exec` or `command`: one of them.
    fn exec(&mut self, at: &At<'_>) -> Vec<String> {
        let (exec, command) = (self.command(at, "exec"), self.command(at, "command"));
        if exec.is_some() && command.is_some() {
            self.wrong_hinted(at, "it has exec and command", "Remove one of them");
        }
        let said = ["exec", "command"].iter().any(|key| at.get(key).is_some());
        let words = exec.or(command);
        if !said || words.as_ref().is_some_and(Vec::is_empty) {
            self.wrong_hinted(
                at,
                "it has no command",
                "Write `exec: /path/of/a/program ARGUMENTS`",
            );
        }
        words.unwrap_or_default()
    }

    pub(super) fn unit(&mut self, at: &At<'_>) -> ServiceUnit {
        self.only_of_units(at, "");
        ServiceUnit {
            exec: self.exec(at),
            description: self.text_of(at, "description"),
            user: self.text_of(at, "user"),
            working_dir: self.text_of(at, "working_dir"),
            environment: self.environment(at),
            sandbox: self.parse_of::<Profile>(at, "sandbox").map(|profile| profile.to_string()),
            limits: self.limits(at),
            restart: self.restart(at),
            stop_grace_period: self.span_of(at, "stop_grace_period"),
            health: self.health(at),
            secrets: self.credentials(at),
            labels: self.labels(at),
        }
    }

    pub(super) fn task(&mut self, at: &At<'_>) -> Option<Task> {
        Some(Task {
            exec: self.exec(at),
            container: self
                .parse_of(at, if at.get("container").is_some() { "container" } else { "image" }),
            description: self.text_of(at, "description"),
            user: self.text_of(at, "user"),
            working_dir: self.text_of(at, "working_dir"),
            environment: self.environment(at),
            timeout: self.span_of(at, "timeout"),
            retries: self.number_of(at, "retries").unwrap_or(0),
            random_delay: self.span_of(at, "random_delay"),
            persistent: self.flag_or(at, "persistent").unwrap_or(true),
            limits: self.limits(at),
            secrets: self.credentials(at),
            labels: self.labels(at),
            schedule: self.schedule(at)?,
        })
    }

    /// `on_calendar`, `every` or `cron`: one of them.
    fn schedule(&mut self, at: &At<'_>) -> Option<Schedule> {
        let calendar = self.text_of(at, "on_calendar").map(Schedule::Calendar);
        let every = self
            .span_of(at, "every")
            .map(|span| Schedule::Every(volt_model::time::span_text(span)));
        let cron = at.get("cron").and_then(|cron| {
            let text = self.text(&cron)?;
            if let Err(error) = text.parse::<Cron>() {
                let hint = "Write five fields, such as '30 3 * * 1-5', or @daily";
                self.wrong_hinted(&cron, error.to_string(), hint);
            }
            Some(Schedule::Cron(text))
        });
        let mut said = [calendar, every, cron].into_iter().flatten();
        let (first, second) = (said.next(), said.next());
        let any = ["on_calendar", "every", "cron"].iter().any(|key| at.get(key).is_some());
        if second.is_some() || !any {
            let hint = "Write one of `on_calendar: daily`, `every: 15m`, `cron: '0 3 * * *'`";
            self.wrong_hinted(
                at,
                if any { "two fields say when it runs" } else { "nothing says when it runs" },
                hint,
            );
        }
        first
    }
}
