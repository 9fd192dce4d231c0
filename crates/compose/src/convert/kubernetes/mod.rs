//! A stack as manifests of Kubernetes: a Deployment, Job or CronJob for each service, a Service for its ports, claims for volumes,
//! ConfigMaps for configurations. Secrets are named, not written.

mod pod;

use super::{Converted, Fields, yaml};
use crate::names;
use crate::stack::{
    AssetSource, Condition, External, NetworkMode, Schedule, Stack, Task, UpdateOrder, Workload,
};
use pod::Pod;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use volt_model::container::HostAddress;
use volt_model::net::Protocol;
use volt_model::restart::Restart;

pub(super) fn convert(stack: &Stack) -> Converted {
    let mut converted = Converted::default();
    volumes(stack, &mut converted);
    configs(stack, &mut converted);
    for (key, service) in &stack.services {
        match &service.workload {
            Workload::Container(container) => {
                let pod = Pod { stack, key, container };
                workload(&pod, service.replicas, &mut converted);
                ports(&pod, &mut converted);
                lost(&pod, &mut converted);
            }
            Workload::Task(task) => cron(stack, key, task, &mut converted),
            Workload::Vm(_) | Workload::Service(_) => {
                converted.note(format!(
                    "{key} is a {}, which Kubernetes has none of",
                    service.workload.kind()
                ));
            }
        }
        for (other, dependency) in &service.depends_on {
            let word = match dependency.condition {
                Condition::ServiceStarted => continue,
                Condition::ServiceHealthy => "is healthy",
                Condition::ServiceCompletedSuccessfully => "has ended",
            };
            converted.note(format!("{key} is not kept from starting before {other} {word}: it has to try again by itself"));
        }
    }
    if stack.networks.len() > 1 {
        converted.note("All pods reach each other: the stack's networks need NetworkPolicies");
    }
    converted
}

/// Name and labels of an object.
fn metadata(stack: &Stack, key: &str, annotations: &BTreeMap<String, String>) -> Value {
    let mut fields = Fields::default();
    fields
        .put("name", object_name(key))
        .put("labels", selector(stack, key))
        .map("annotations", annotations);
    fields.into()
}

/// Keys of a file as names of objects.
fn object_name(key: &str) -> String {
    names::plain(key).map_or_else(|| "x".to_owned(), |name| name.to_string())
}

fn selector(stack: &Stack, key: &str) -> Value {
    json!({ "app.kubernetes.io/part-of": stack.name.as_str(), "app.kubernetes.io/name": object_name(key) })
}

fn manifest(converted: &mut Converted, kind: &str, name: &str, value: &Value) {
    converted.file(format!("{name}-{}.yaml", kind.to_ascii_lowercase()), yaml(value));
}

fn workload(pod: &Pod<'_>, replicas: u32, converted: &mut Converted) {
    let (stack, key, container) = (pod.stack, pod.key, pod.container);
    // What others wait for to end is a job; so is what is not started again.
    let ends = stack.services.values().any(|service| {
        service
            .depends_on
            .get(key)
            .is_some_and(|d| d.condition == Condition::ServiceCompletedSuccessfully)
    });
    let template = |restart: &str| json!({ "metadata": { "labels": selector(stack, key) }, "spec": pod.spec(restart) });
    let name = object_name(key);
    if ends {
        let retries = if let Restart::OnFailure(Some(n)) = container.restart { n } else { 0 };
        let value = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata(stack, key, &container.annotations),
            "spec": { "backoffLimit": retries, "template": template(if container.restart == Restart::No { "Never" } else { "OnFailure" }) },
        });
        return manifest(converted, "Job", &name, &value);
    }
    if matches!(container.restart, Restart::No | Restart::OnFailure(_)) {
        converted.note(format!(
            "{key} is started again whenever it ends: a Deployment has no other way"
        ));
    }
    let strategy = match container.update_order {
        UpdateOrder::StartFirst => {
            json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } })
        }
        UpdateOrder::StopFirst => json!({ "type": "Recreate" }),
    };
    let value = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(stack, key, &container.annotations),
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": selector(stack, key) },
            "strategy": strategy,
            "template": template("Always"),
        },
    });
    manifest(converted, "Deployment", &name, &value);
}

/// Others find a service by its name: what it listens on is a Service. What the host publishes is a load balancer's.
fn ports(pod: &Pod<'_>, converted: &mut Converted) {
    let mut all: BTreeMap<(u16, &str), u16> = BTreeMap::new();
    for port in &pod.container.ports {
        let protocol = if port.protocol == Protocol::Udp { "UDP" } else { "TCP" };
        for offset in 0..port.count {
            let target = port.container.saturating_add(offset);
            all.insert(
                (port.host.map_or(target, |host| host.saturating_add(offset)), protocol),
                target,
            );
        }
    }
    let published = !all.is_empty();
    for port in &pod.container.expose {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let protocol = if protocol == "udp" { "UDP" } else { "TCP" };
        let (first, last) = number.split_once('-').unwrap_or((number, number));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            (first..=last).for_each(|port| _ = all.entry((port, protocol)).or_insert(port));
        }
    }
    let joins = matches!(&pod.container.network, NetworkMode::Networks(map) if !map.is_empty());
    if all.is_empty() && !joins {
        return;
    }
    let is_headless = all.is_empty();
    let ports = all.iter().map(|((port, protocol), target)| {
        json!({ "name": format!("{}-{port}", protocol.to_ascii_lowercase()), "port": port, "targetPort": target, "protocol": protocol })
    });
    let mut spec = Fields::default();
    spec.put("type", if published { "LoadBalancer" } else { "ClusterIP" })
        .put("selector", selector(pod.stack, pod.key))
        // Where no port is known its name leads to the pod itself.
        .maybe("clusterIP", is_headless.then_some("None"))
        .maybe("ports", (!is_headless).then(|| ports.collect::<Vec<_>>()));
    let value = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(pod.stack, pod.key, &BTreeMap::new()),
        "spec": Value::from(spec),
    });
    manifest(converted, "Service", &object_name(pod.key), &value);
}

fn volumes(stack: &Stack, converted: &mut Converted) {
    for (key, volume) in stack.volumes.iter().filter(|(_, volume)| volume.external == External::No)
    {
        let value = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata(stack, key, &volume.labels),
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
        });
        manifest(converted, "PersistentVolumeClaim", &object_name(key), &value);
        converted
            .note(format!("The claim of the volume {key} asks for 1 GiB: the file says no size"));
    }
}

fn configs(stack: &Stack, converted: &mut Converted) {
    for (key, config) in &stack.configs {
        match &config.source {
            AssetSource::Content(text) => {
                let value = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": metadata(stack, key, &BTreeMap::new()),
                    "data": { "content": text },
                });
                manifest(converted, "ConfigMap", &object_name(key), &value);
            }
            AssetSource::File(path) => converted.note(format!(
                "Make the configuration {key} by `kubectl create configmap {} --from-file=content={path}`",
                object_name(key)
            )),
            AssetSource::Environment(_) | AssetSource::External => {
                converted.note(format!("Make the ConfigMap {} with a key `content`", object_name(key)));
            }
        }
    }
    for key in stack.secrets.keys() {
        let name = object_name(key);
        converted.note(format!("Make the secret {key} by `kubectl create secret generic {name} --from-file=content=FILE`"));
    }
}

fn cron(stack: &Stack, key: &str, task: &Task, converted: &mut Converted) {
    let Some(container) = task.as_container(stack) else {
        return converted.note(format!("{key} runs on the host, where Kubernetes runs nothing"));
    };
    let schedule = match &task.schedule {
        Schedule::Cron(when) => when.clone(),
        Schedule::Calendar(word)
            if matches!(word.as_str(), "hourly" | "daily" | "weekly" | "monthly" | "yearly") =>
        {
            format!("@{word}")
        }
        Schedule::Calendar(when) | Schedule::Every(when) => {
            converted.note(format!("Write the time of {key} as cron has it: it is `{when}`"));
            "@daily".to_owned()
        }
    };
    let pod = Pod { stack, key, container: &container };
    let mut job = Fields::default();
    job.put("backoffLimit", task.retries)
        .maybe("activeDeadlineSeconds", task.timeout.map(|span| span.as_secs()))
        .put(
            "template",
            json!({ "metadata": { "labels": selector(stack, key) }, "spec": pod.spec("Never") }),
        );
    let value = json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(stack, key, &BTreeMap::new()),
        "spec": { "schedule": schedule, "concurrencyPolicy": "Forbid", "jobTemplate": { "spec": Value::from(job) } },
    });
    manifest(converted, "CronJob", &object_name(key), &value);
}

/// What of a container has no place in a manifest.
fn lost(pod: &Pod<'_>, converted: &mut Converted) {
    let (key, container) = (pod.key, pod.container);
    if container.build.is_some() {
        converted.note(format!("Build and push the image of {key}: {}", pod.image()));
    }
    let shared = match &container.network {
        NetworkMode::Service(other) => Some(other.as_str()),
        NetworkMode::Container(name) => Some(name.as_str()),
        _ => None,
    };
    if let Some(other) = shared {
        converted
            .note(format!("{key} shares the network of {other}: make both containers of one pod"));
    }
    let gone = [
        ("ulimits", !container.ulimits.is_empty()),
        ("devices", !container.devices.is_empty()),
        (
            "limits of I/O",
            container.limits.io_weight.is_some() || !container.limits.io_read_bps.is_empty(),
        ),
        ("the limit of processes", container.limits.pids.is_some()),
        ("the stop signal", container.stop_signal.is_some()),
        (
            "the host's address",
            container.extra_hosts.iter().any(|host| host.address == HostAddress::Gateway),
        ),
    ];
    for (what, _) in gone.iter().filter(|(_, is)| *is) {
        converted.note(format!("{key}: {what} can't be said in a manifest"));
    }
}
