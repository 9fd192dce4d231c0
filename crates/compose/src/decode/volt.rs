//! What only Volt's own form has: virtual machines, services of systemd, tasks.

use super::{At, Decoder};
use crate::stack::{Schedule, ServiceUnit, Task, Vm};
use volt_model::size::Bytes;

impl Decoder<'_> {
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
        ServiceUnit {
            exec: self.exec(at),
            description: self.text_of(at, "description"),
            user: self.text_of(at, "user"),
            working_dir: self.text_of(at, "working_dir"),
            environment: self.environment(at),
            sandbox: self.text_of(at, "sandbox"),
            limits: self.limits(at),
            restart: self.restart(at),
            stop_grace_period: self.span_of(at, "stop_grace_period"),
            health: self.health(at),
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
            if !is_cron(&text) {
                self.wrong_hinted(
                    &cron,
                    format!("`{text}` is no time of cron"),
                    "Write five fields, such as '30 3 * * 1-5', or @daily",
                );
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

fn is_cron(text: &str) -> bool {
    if let Some(word) = text.strip_prefix('@') {
        return matches!(
            word,
            "hourly"
                | "daily"
                | "midnight"
                | "weekly"
                | "monthly"
                | "yearly"
                | "annually"
                | "reboot"
        );
    }
    let good =
        |field: &str| field.bytes().all(|b| b.is_ascii_alphanumeric() || b"*/,-".contains(&b));
    let fields: Vec<&str> = text.split_whitespace().collect();
    fields.len() == 5 && fields.iter().all(|field| good(field))
}
