//! How images are built, and what is watched (Compose Specification, build and develop).

use super::{At, Decoder};
use crate::stack::{Build, Watch, WatchAction};
use crate::yaml::Value;
use volt_model::container::{ExtraHost, HostAddress};

impl Decoder<'_> {
    pub(super) fn build(&mut self, parent: &At<'_>) -> Option<Build> {
        let at = parent.get("build")?;
        if matches!(at.node.value, Value::Scalar(_)) {
            return Some(Build { context: self.text(&at)?, ..Build::default() });
        }
        if !self.is_map(&at) {
            return None;
        }
        let build = Build {
            context: self.text_of(&at, "context").unwrap_or_default(),
            dockerfile: self.text_of(&at, "dockerfile"),
            dockerfile_inline: self.text_of(&at, "dockerfile_inline"),
            args: self.pairs(&at, "args"),
            target: self.text_of(&at, "target"),
            additional_contexts: self.pairs(&at, "additional_contexts"),
            labels: self.pairs(&at, "labels"),
            tags: self.parse_all(&at, "tags"),
            network: self.text_of(&at, "network"),
            no_cache: self.flag(&at, "no_cache"),
            pull: self.flag(&at, "pull"),
            platforms: self.texts(&at, "platforms"),
            shm_size: self.parse_of(&at, "shm_size"),
            secrets: self.build_secrets(parent, &at),
            extra_hosts: self.hosts_of_build(&at),
            ulimits: self.ulimits(&at, "ulimits"),
        };
        if build.dockerfile.is_some() && build.dockerfile_inline.is_some() {
            self.wrong_hinted(&at, "it has dockerfile and dockerfile_inline", "Remove one of them");
        }
        Some(build)
    }

    /// A build has the host's network, or none.
    fn hosts_of_build(&mut self, at: &At<'_>) -> Vec<ExtraHost> {
        let mut hosts = self.extra_hosts(at);
        let before = hosts.len();
        hosts.retain(|host| host.address != HostAddress::Gateway);
        if hosts.len() < before {
            self.odd(at, "there is no host-gateway in a build: the host is 127.0.0.1 there");
        }
        hosts
    }

    fn build_secrets(&mut self, service: &At<'_>, at: &At<'_>) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for item in self.list(at, "secrets") {
            let long = matches!(item.node.value, Value::Map(_));
            let source = if long { self.text_of(&item, "source") } else { self.text(&item) };
            if let Some(source) = source {
                self.places
                    .insert(format!("{}.secrets.{source}", service.path), item.node.place.clone());
                let id = if long { self.text_of(&item, "target") } else { None };
                let id = id.unwrap_or_else(|| source.clone());
                if id.is_empty() || id.contains([',', '=']) {
                    self.wrong(&item, format!("`{id}` can't be the id of a secret"));
                }
                all.push((source, id));
            }
        }
        all
    }

    pub(super) fn watch(&mut self, parent: &At<'_>) -> Vec<Watch> {
        let Some(develop) = parent.get("develop") else { return Vec::new() };
        let mut all = Vec::new();
        for item in self.list(&develop, "watch") {
            let path = self.text_of(&item, "path");
            let action = self.choice_of(&item, "action", &WatchAction::ALL);
            let (Some(path), Some(action)) = (path, action) else {
                if item.get("path").is_none() || item.get("action").is_none() {
                    self.wrong(&item, "it has a path and an action");
                }
                continue;
            };
            let target = self.text_of(&item, "target");
            if action.copies() && !target.as_ref().is_some_and(|target| target.starts_with('/')) {
                self.wrong(&item, "it has no target: the path in the container that is copied to");
            }
            let exec = item.get("exec").and_then(|exec| self.hook(&exec));
            if action == WatchAction::SyncExec && item.get("exec").is_none() {
                self.wrong(&item, "it has no exec: the command that is run");
            }
            all.push(Watch {
                path,
                action,
                target,
                ignore: self.texts(&item, "ignore"),
                include: self.texts(&item, "include"),
                exec,
                initial_sync: self.flag(&item, "initial_sync"),
            });
        }
        all
    }
}
