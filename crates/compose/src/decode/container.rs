//! A container: image, who and where, what it may do. Networks, files, processes and limits have files of their own.

use super::{At, Decoder};
use crate::stack::{Container, Isolation, Pull, UpdateOrder};
use volt_model::caps::CapSet;
use volt_model::container::Seccomp;
use volt_model::name::Name;

impl Decoder<'_> {
    pub(super) fn container(&mut self, at: &At<'_>) -> Container {
        let mut container = Container {
            isolation: self.isolation(at),
            image: self.parse_of(at, "image"),
            build: self.build(at),
            pull: self.pull(at),
            platform: self.text_of(at, "platform"),
            container_name: self.container_name(at),
            boot: self.flag_or(at, "boot"),
            user: self.text_of(at, "user"),
            group_add: self.texts(at, "group_add"),
            working_dir: self.text_of(at, "working_dir"),
            hostname: self.host_name(at, "hostname"),
            domainname: self.host_name(at, "domainname"),
            tty: self.flag(at, "tty"),
            stdin_open: self.flag(at, "stdin_open"),
            read_only: self.flag(at, "read_only"),
            labels: self.labels(at),
            annotations: self.pairs(at, "annotations"),
            update_order: self.update_order(at),
            ..Container::default()
        };
        if container.image.is_none()
            && container.build.is_none()
            && at.said("image").is_none()
            && at.get("build").is_none()
        {
            self.wrong_hinted(
                at,
                "it has neither image nor build",
                "Write `image: NAME`, or `build: FOLDER`",
            );
        }
        self.network_fields(at, &mut container);
        self.file_fields(at, &mut container);
        self.process_fields(at, &mut container);
        self.resource_fields(at, &mut container);
        self.confinement(at, &mut container);
        container
    }

    fn isolation(&mut self, at: &At<'_>) -> Isolation {
        // Compose's words for it mean nothing but the default.
        match at.said("isolation") {
            Some(word) if matches!(word.node.as_text(), Some("default" | "process")) => {
                Isolation::Container
            }
            Some(word) => self.choice(&word, &Isolation::ALL).unwrap_or_default(),
            None => Isolation::Container,
        }
    }

    fn pull(&mut self, at: &At<'_>) -> Pull {
        let Some(policy) = at.said("pull_policy") else { return Pull::Missing };
        let Some(text) = self.text(&policy) else { return Pull::Missing };
        match text.as_str() {
            "missing" | "if_not_present" => Pull::Missing,
            "always" => Pull::Always,
            "never" => Pull::Never,
            "build" => Pull::Build,
            "daily" => Pull::Every(86_400),
            "weekly" => Pull::Every(604_800),
            other => match other.strip_prefix("every_").map(volt_model::time::parse_span) {
                Some(Ok(span)) => Pull::Every(span.as_secs()),
                _ => {
                    let hint = "Write always, missing, never, build, daily, weekly or every_12h";
                    self.wrong_hinted(&policy, format!("`{other}` is no way to pull"), hint);
                    Pull::Missing
                }
            },
        }
    }

    /// A name of Volt has no capitals and underscores; one that Compose files have is made to fit, and that is said.
    fn container_name(&mut self, at: &At<'_>) -> Option<Name> {
        let name = at.said("container_name")?;
        let text = self.text(&name)?;
        self.called(&name, &text)
    }

    /// What a container that a Compose file calls so is called.
    pub(super) fn called(&mut self, at: &At<'_>, text: &str) -> Option<Name> {
        if let Ok(good) = text.parse() {
            return Some(good);
        }
        match crate::names::plain(text) {
            Some(plain) => {
                self.odd(
                    at,
                    format!("`{text}` is no name in Volt; the container is called `{plain}`"),
                );
                Some(plain)
            }
            None => {
                self.wrong(at, format!("`{text}` has no letter or digit"));
                None
            }
        }
    }

    fn host_name(&mut self, at: &At<'_>, key: &str) -> Option<String> {
        let host = at.said(key)?;
        let mut text = self.text(&host)?;
        if text.contains('_') {
            let other = text.replace('_', "-");
            self.odd(&host, format!("the name of a host has no _: `{text}` is {other}"));
            text = other;
        }
        let label = |l: &str| {
            let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(good)
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        if text.len() > 253 || !text.split('.').all(label) {
            self.wrong(
                &host,
                format!("`{text}` is no host name: a-z, 0-9 and - in parts of at most 63"),
            );
            return None;
        }
        Some(text)
    }

    /// `com.docker.compose` belongs to others (Compose Specification, 05-services: labels), `volt.` to Volt.
    pub(super) fn labels(&mut self, at: &At<'_>) -> std::collections::BTreeMap<String, String> {
        let mut labels = self.pairs(at, "labels");
        if let Some(list) = at.get("labels") {
            for reserved in ["com.docker.compose", "volt.stack"] {
                if let Some(name) = labels.keys().find(|name| name.starts_with(reserved)) {
                    self.wrong(
                        &list,
                        format!("the label `{name}` can't be set: `{reserved}` is reserved"),
                    );
                }
            }
        }
        labels.retain(|name, _| !name.is_empty());
        labels
    }

    fn update_order(&mut self, at: &At<'_>) -> UpdateOrder {
        let config = at.get("deploy").and_then(|deploy| deploy.get("update_config"));
        let choices =
            [("stop-first", UpdateOrder::StopFirst), ("start-first", UpdateOrder::StartFirst)];
        let config = config.filter(|config| config.get("order").is_some());
        let Some(config) = config else { return UpdateOrder::default() };
        self.choice_of(&config, "order", &choices).unwrap_or_default()
    }

    fn confinement(&mut self, at: &At<'_>, container: &mut Container) {
        container.cap_add = self.capabilities(at, "cap_add");
        container.cap_drop = self.capabilities(at, "cap_drop");
        for option in self.list(at, "security_opt") {
            let Some(text) = self.text(&option) else { continue };
            match text.replacen('=', ":", 1).split_once(':') {
                Some(("seccomp", "unconfined")) => container.seccomp = Seccomp::Unconfined,
                Some(("seccomp", "default" | "builtin")) => container.seccomp = Seccomp::Default,
                // Containers of Volt have it always.
                Some(("no-new-privileges", "true")) => {}
                None if text == "no-new-privileges" => {}
                _ => self.odd(&option, format!("`{text}` does nothing in Volt")),
            }
        }
    }

    fn capabilities(&mut self, at: &At<'_>, key: &str) -> Vec<String> {
        let mut words = Vec::new();
        for item in self.list(at, key) {
            let Some(text) = self.text(&item) else { continue };
            match CapSet::changed(std::slice::from_ref(&text), &[]) {
                Ok(_) => words.push(text),
                Err(error) => self.wrong(&item, error),
            }
        }
        words
    }
}
