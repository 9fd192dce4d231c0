//! The pod of a service: its container, what is mounted into it, how its health is known.

use super::super::{Fields, compose::health_test};
use super::object_name;
use crate::names;
use crate::stack::{Check, Container, Health, Isolation, MountKind, NetworkMode, Stack};
use serde_json::{Map, Value, json};
use std::time::Duration;
use volt_model::container::HostAddress;

/// A service whose pod is written.
pub(super) struct Pod<'a> {
    pub(super) stack: &'a Stack,
    pub(super) key: &'a str,
    pub(super) container: &'a Container,
}

/// A volume of the pod, and where the container has it.
type Mounted = (Value, Value);

impl Pod<'_> {
    pub(super) fn image(&self) -> String {
        let own = self.container.image.as_ref().map(ToString::to_string);
        own.unwrap_or_else(|| names::of_built_image(&self.stack.name, self.key))
    }

    pub(super) fn spec(&self, restart: &str) -> Value {
        let container = self.container;
        let mounted = self.mounted();
        let mut inside = Fields::default();
        inside
            .put("name", object_name(self.key))
            .put("image", self.image())
            .maybe("command", container.entrypoint.clone().filter(|words| !words.is_empty()))
            .maybe("args", container.command.clone().filter(|words| !words.is_empty()))
            .maybe("workingDir", container.working_dir.clone())
            .flag("tty", container.tty)
            .flag("stdin", container.stdin_open);
        let env = container.environment.iter().map(|(name, value)| {
            // `$(NAME)` would be put in.
            json!({ "name": name, "value": value.replace("$(", "$$(") })
        });
        let env: Vec<Value> = env.collect();
        inside.maybe("env", (!env.is_empty()).then_some(env));
        inside.fields("resources", self.resources()).fields("securityContext", self.security());
        if let Some(health) = &container.health {
            self.probes(health, &mut inside);
        }
        let mounts: Vec<Value> = mounted.iter().map(|(_, mount)| mount.clone()).collect();
        inside.maybe("volumeMounts", (!mounts.is_empty()).then_some(mounts));

        let mut spec = Fields::default();
        spec.put("restartPolicy", restart)
            .maybe(
                "hostname",
                container.hostname.as_ref().filter(|name| !name.contains('.')).cloned(),
            )
            .flag("hostNetwork", container.network == NetworkMode::Host)
            .maybe(
                "terminationGracePeriodSeconds",
                container.stop_grace_period.map(|span| span.as_secs()),
            )
            .maybe("runtimeClassName", self.runtime());
        let hosts = container.extra_hosts.iter().filter_map(|host| match host.address {
            HostAddress::Ip(ip) => Some(json!({ "ip": ip.to_string(), "hostnames": [host.name] })),
            HostAddress::Gateway => None,
        });
        let hosts: Vec<Value> = hosts.collect();
        spec.maybe("hostAliases", (!hosts.is_empty()).then_some(hosts));
        spec.put("containers", vec![Value::from(inside)]);
        let volumes: Vec<Value> = mounted.into_iter().map(|(volume, _)| volume).collect();
        spec.maybe("volumes", (!volumes.is_empty()).then_some(volumes));
        spec.into()
    }

    fn runtime(&self) -> Option<&'static str> {
        matches!(self.container.isolation, Isolation::Vm | Isolation::MicroVm).then_some("kata")
    }

    fn resources(&self) -> Fields {
        let limits = &self.container.limits;
        let mut most = Fields::default();
        most.maybe("cpu", limits.cpu.map(|cpu| format!("{}m", u64::from(cpu) * 10)))
            .maybe("memory", limits.memory.map(|memory| memory.0.to_string()));
        let mut least = Fields::default();
        least.maybe("memory", self.container.memory_reserved.map(|memory| memory.0.to_string()));
        let mut resources = Fields::default();
        resources.fields("limits", most).fields("requests", least);
        resources
    }

    fn security(&self) -> Fields {
        let container = self.container;
        let mut security = Fields::default();
        security.flag("readOnlyRootFilesystem", container.read_only);
        let bare = |caps: &[String]| -> Vec<String> {
            caps.iter()
                .map(|cap| cap.to_ascii_uppercase().trim_start_matches("CAP_").to_owned())
                .collect()
        };
        let mut caps = Fields::default();
        caps.texts("add", &bare(&container.cap_add)).texts("drop", &bare(&container.cap_drop));
        security.fields("capabilities", caps);
        if let Some(user) = &container.user {
            let (user, group) =
                user.split_once(':').map_or((user.as_str(), None), |(u, g)| (u, Some(g)));
            security.maybe("runAsUser", user.parse::<u32>().ok());
            security.maybe("runAsGroup", group.and_then(|group| group.parse::<u32>().ok()));
        }
        security
    }

    fn mounted(&self) -> Vec<Mounted> {
        let mut all: Vec<Mounted> = Vec::new();
        let mut add = |source: Map<String, Value>, mut mount: Fields| {
            let name = format!("v{}", all.len());
            let mut volume = source;
            volume.insert("name".to_owned(), name.as_str().into());
            mount.put("name", name);
            all.push((Value::Object(volume), mount.into()));
        };
        let one = |key: &str, value: Value| Map::from_iter([(key.to_owned(), value)]);
        for mount in &self.container.mounts {
            let mut to = Fields::default();
            to.put("mountPath", mount.target.as_str()).flag("readOnly", mount.read_only);
            match &mount.kind {
                MountKind::Anonymous => add(one("emptyDir", json!({})), to),
                MountKind::Bind { source, .. } => {
                    add(one("hostPath", json!({ "path": source })), to);
                }
                MountKind::Volume { source, subpath, .. } => {
                    to.maybe("subPath", subpath.clone());
                    let external =
                        self.stack.volumes.get(source).and_then(|volume| volume.name.clone());
                    let claim = external.unwrap_or_else(|| object_name(source));
                    add(one("persistentVolumeClaim", json!({ "claimName": claim })), to);
                }
            }
        }
        for tmpfs in &self.container.tmpfs {
            let mut source = Fields::default();
            source
                .put("medium", "Memory")
                .maybe("sizeLimit", tmpfs.size.map(|size| size.0.to_string()));
            let mut to = Fields::default();
            to.put("mountPath", tmpfs.target.as_str());
            add(one("emptyDir", source.into()), to);
        }
        let secrets = self.container.secrets.iter().map(|grant| (grant, "secret", "secretName"));
        let configs = self.container.configs.iter().map(|grant| (grant, "configMap", "name"));
        for (grant, kind, field) in secrets.chain(configs) {
            let mut source = Fields::default();
            source.put(field, object_name(&grant.source)).maybe("defaultMode", grant.mode);
            let mut to = Fields::default();
            to.put("mountPath", grant.target.as_str())
                .put("subPath", "content")
                .put("readOnly", true);
            add(one(kind, source.into()), to);
        }
        all
    }

    /// A check says whether it lives, and whether it may be asked for something.
    fn probes(&self, health: &Health, inside: &mut Fields) {
        let mut probe = Fields::default();
        match &health.check {
            Some(check @ (Check::Exec(_) | Check::Shell(_))) => {
                let words = match check {
                    Check::Shell(line) => json!(["/bin/sh", "-c", line]),
                    _ => health_test(check).map_or(Value::Null, |test| {
                        test.as_array().map(|all| all[1..].to_vec()).into()
                    }),
                };
                probe.put("exec", json!({ "command": words }));
            }
            Some(Check::Http(to)) => {
                let rest = to.split_once("://").map_or(to.as_str(), |(_, rest)| rest);
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let port: u16 =
                    host.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(80);
                probe.put("httpGet", json!({ "path": format!("/{path}"), "port": port }));
            }
            Some(Check::Tcp(to)) => {
                let port: u16 =
                    to.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
                probe.put("tcpSocket", json!({ "port": port }));
            }
            Some(Check::None) | None => return,
        }
        let seconds = |span: Duration| span.as_secs().max(1);
        probe
            .maybe("periodSeconds", health.interval.map(seconds))
            .maybe("timeoutSeconds", health.timeout.map(seconds))
            .maybe("failureThreshold", health.retries.map(|n| n.max(1)));
        let probe = Value::from(probe);
        if let Some(period) = health.start_period {
            let mut start = probe.clone();
            let step = health.start_interval.or(health.interval).map_or(10, seconds);
            start["periodSeconds"] = step.into();
            start["failureThreshold"] = (period.as_secs() / step).max(1).into();
            inside.put("startupProbe", start);
        }
        inside.put("readinessProbe", probe.clone());
        if health.on_unhealthy != crate::stack::OnUnhealthy::None {
            inside.put("livenessProbe", probe);
        }
    }
}
