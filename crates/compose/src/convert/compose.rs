//! A stack as one file of Compose's form, with Volt's fields where something is said that Compose has no word for. Reading it gives
//! the same stack.

use super::{Converted, Fields, yaml};
use crate::fields;
use crate::stack::{
    Asset, AssetSource, Build, Check, Condition, Connection, Container, Dependency, External,
    Grant, Health, Hook, Isolation, Mount, MountKind, Network, NetworkMode, OnUnhealthy, Pull,
    Schedule, Service, ServiceUnit, Stack, Task, UpdateOrder, Vm, Volume, Watch, Workload,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use volt_model::container::{Seccomp, Ulimit, signal_name};
use volt_model::limits::{DeviceRate, Limits};
use volt_model::restart::Restart;
use volt_model::size::Bytes;
use volt_model::time::span_text;

pub(super) fn convert(stack: &Stack) -> Converted {
    let mut converted = Converted::default();
    let text = yaml(&document(stack));
    let root = crate::yaml::read(&Arc::from("compose.yaml"), &text);
    for path in root.iter().flat_map(fields::only_volt) {
        converted.note(format!("{path} is a field that only Volt has"));
    }
    for (key, service) in &stack.services {
        if service.container().is_some_and(|container| container.isolation != Isolation::Container)
        {
            converted.note(format!("services.{key}.isolation is something that only Volt has"));
        }
    }
    converted.file("compose.yaml", text);
    converted
}

/// The stack as a document. A dollar is written as two, for a reader puts variables in.
fn document(stack: &Stack) -> Value {
    let mut top = Fields::default();
    top.put("name", stack.name.as_str()).maybe("description", stack.description.clone());
    let (mut services, mut vms, mut tasks) =
        (Fields::default(), Fields::default(), Fields::default());
    for (key, service) in &stack.services {
        let fields = service_fields(service);
        match service.workload {
            Workload::Container(_) | Workload::Service(_) => services.put(key, fields),
            Workload::Vm(_) => vms.put(key, fields),
            Workload::Task(_) => tasks.put(key, fields),
        };
    }
    top.fields("services", services).fields("vms", vms).fields("tasks", tasks);
    top.fields("networks", section(&stack.networks, network));
    top.fields("volumes", section(&stack.volumes, volume));
    top.fields("configs", section(&stack.configs, asset));
    top.fields("secrets", section(&stack.secrets, asset));
    escaped(top.into())
}

fn section<T>(all: &BTreeMap<String, T>, fields: impl Fn(&T) -> Fields) -> Fields {
    let mut section = Fields::default();
    for (key, one) in all {
        section.put(key, fields(one));
    }
    section
}

fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(items) => Value::Array(items.into_iter().map(escaped).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, escaped(value))).collect())
        }
        other => other,
    }
}

fn span(span: Option<Duration>) -> Option<String> {
    span.map(span_text)
}

fn bytes(size: Option<Bytes>) -> Option<u64> {
    size.map(|size| size.0)
}

fn service_fields(service: &Service) -> Fields {
    let mut fields = match &service.workload {
        Workload::Container(container) => self::container(container),
        Workload::Vm(vm) => self::vm(vm),
        Workload::Service(unit) => self::unit(unit),
        Workload::Task(task) => self::task(task),
    };
    let mut on = Fields::default();
    for (other, dependency) in &service.depends_on {
        on.put(other, depends(*dependency));
    }
    fields.fields("depends_on", on).texts("profiles", &service.profiles);
    if service.replicas != 1 {
        fields.put("scale", service.replicas);
    }
    if !service.attach {
        fields.put("attach", false);
    }
    fields
}

fn depends(dependency: Dependency) -> Fields {
    let mut fields = Fields::default();
    fields
        .put("condition", Condition::as_str(dependency.condition))
        .flag("restart", dependency.restart);
    if !dependency.required {
        fields.put("required", false);
    }
    fields
}

fn container(container: &Container) -> Fields {
    let mut fields = Fields::default();
    if container.isolation != Isolation::Container {
        fields.put("isolation", container.isolation.as_str());
    }
    fields
        .maybe("image", container.image.as_ref().map(ToString::to_string))
        .maybe("build", container.build.as_ref().map(build))
        .maybe("pull_policy", pull(container.pull))
        .maybe("platform", container.platform.clone())
        .maybe("container_name", container.container_name.as_ref().map(ToString::to_string))
        .maybe("boot", container.boot)
        .maybe("user", container.user.clone())
        .texts("group_add", &container.group_add)
        .maybe("working_dir", container.working_dir.clone())
        .maybe("hostname", container.hostname.clone())
        .maybe("domainname", container.domainname.clone())
        .flag("tty", container.tty)
        .flag("stdin_open", container.stdin_open)
        .flag("read_only", container.read_only)
        .map("labels", &container.labels)
        .map("annotations", &container.annotations);
    process(container, &mut fields);
    reach(container, &mut fields);
    files(container, &mut fields);
    resources(container, &mut fields);
    fields
}

fn process(container: &Container, fields: &mut Fields) {
    fields
        .maybe("command", container.command.clone())
        .maybe("entrypoint", container.entrypoint.clone())
        .map("environment", &container.environment)
        .maybe("stop_signal", container.stop_signal.map(stop_signal))
        .maybe("stop_grace_period", span(container.stop_grace_period))
        .maybe("healthcheck", container.health.as_ref().map(health))
        .fields("ulimits", ulimits(&container.ulimits))
        .map("sysctls", &container.sysctls)
        .maybe("post_start", hooks(&container.post_start))
        .maybe("pre_stop", hooks(&container.pre_stop));
    if container.restart != Restart::No || container.restart_delay.is_some() {
        fields.put("restart", container.restart.to_string());
    }
    if let Some(logging) = &container.logging {
        let mut log = Fields::default();
        log.maybe("driver", logging.driver.clone()).map("options", &logging.options);
        fields.put("logging", log);
    }
    if !container.watch.is_empty() {
        let watch: Vec<Value> = container.watch.iter().map(|one| watch(one).into()).collect();
        fields.put("develop", json!({ "watch": watch }));
    }
    let mut deploy = Fields::default();
    deploy.maybe(
        "restart_policy",
        span(container.restart_delay).map(|delay| json!({ "delay": delay })),
    );
    if container.update_order == UpdateOrder::StartFirst {
        deploy.put("update_config", json!({ "order": "start-first" }));
    }
    fields.fields("deploy", deploy);
}

/// A number where the signal has no name of its own.
fn stop_signal(number: u8) -> String {
    let name = signal_name(number);
    if name.contains(' ') { number.to_string() } else { name }
}

fn reach(container: &Container, fields: &mut Fields) {
    network_mode(&container.network, fields);
    fields
        .texts("ports", &container.ports)
        .texts("expose", &container.expose)
        .texts("extra_hosts", &container.extra_hosts)
        .texts("dns", &container.dns)
        .texts("dns_opt", &container.dns_opt)
        .texts("dns_search", &container.dns_search);
}

fn network_mode(mode: &NetworkMode, fields: &mut Fields) {
    match mode {
        NetworkMode::None => fields.put("network_mode", "none"),
        NetworkMode::Host => fields.put("network_mode", "host"),
        NetworkMode::Container(name) => fields.put("network_mode", format!("container:{name}")),
        NetworkMode::Service(key) => fields.put("network_mode", format!("service:{key}")),
        NetworkMode::Networks(_) if *mode == NetworkMode::default() => fields,
        NetworkMode::Networks(map) => fields.fields("networks", section(map, connection)),
    };
}

fn connection(connection: &Connection) -> Fields {
    let mut fields = Fields::default();
    fields
        .texts("aliases", &connection.aliases)
        .maybe("ipv4_address", connection.ipv4_address.map(|address| address.to_string()))
        .maybe("ipv6_address", connection.ipv6_address.map(|address| address.to_string()))
        .maybe("mac_address", connection.mac_address.map(|address| address.to_string()));
    if connection.gw_priority != 0 {
        fields.put("gw_priority", connection.gw_priority);
    }
    fields
}

fn files(container: &Container, fields: &mut Fields) {
    let devices: Vec<String> = container
        .devices
        .iter()
        .map(|d| format!("{}:{}:{}", d.source, d.target, d.permissions))
        .collect();
    fields
        .maybe("volumes", list(container.mounts.iter().map(|one| mount(one).into()).collect()))
        .texts("tmpfs", &container.tmpfs)
        .maybe("secrets", list(container.secrets.iter().map(|one| grant(one).into()).collect()))
        .maybe("configs", list(container.configs.iter().map(|one| grant(one).into()).collect()))
        .texts("devices", &devices)
        .maybe("shm_size", bytes(container.shm_size));
}

fn mount(mount: &Mount) -> Fields {
    let mut fields = Fields::default();
    match &mount.kind {
        MountKind::Anonymous => fields.put("type", "volume"),
        MountKind::Volume { source, subpath, nocopy } => {
            let mut volume = Fields::default();
            volume.maybe("subpath", subpath.clone()).flag("nocopy", *nocopy);
            fields.put("type", "volume").put("source", source.as_str()).fields("volume", volume)
        }
        MountKind::Bind { source, create } => {
            let mut bind = Fields::default();
            bind.maybe("create_host_path", (!create).then_some(false));
            fields.put("type", "bind").put("source", source.as_str()).fields("bind", bind)
        }
    };
    fields.put("target", mount.target.as_str()).flag("read_only", mount.read_only);
    fields
}

fn list(all: Vec<Value>) -> Option<Vec<Value>> {
    (!all.is_empty()).then_some(all)
}

fn grant(grant: &Grant) -> Fields {
    let mut fields = Fields::default();
    fields
        .put("source", grant.source.as_str())
        .put("target", grant.target.as_str())
        .maybe("uid", grant.uid.map(|id| id.to_string()))
        .maybe("gid", grant.gid.map(|id| id.to_string()))
        .maybe("mode", grant.mode.map(|mode| format!("0{mode:o}")));
    fields
}

fn resources(container: &Container, fields: &mut Fields) {
    limits(&container.limits, fields);
    fields
        .maybe("mem_reservation", bytes(container.memory_reserved))
        .maybe("cpuset", container.cpuset.as_ref().map(ToString::to_string))
        .maybe("oom_score_adj", container.oom_score_adj)
        .texts("cap_add", &container.cap_add)
        .texts("cap_drop", &container.cap_drop);
    if container.seccomp == Seccomp::Unconfined {
        fields.texts("security_opt", &["seccomp:unconfined"]);
    }
}

fn limits(limits: &Limits, fields: &mut Fields) {
    let swap =
        limits.memory.zip(limits.memory_swap).map(|(memory, swap)| memory.0.saturating_add(swap.0));
    fields
        .maybe("mem_limit", bytes(limits.memory))
        .maybe("memswap_limit", swap)
        .maybe("cpus", limits.cpu.map(|cpu| format!("{}.{:02}", cpu / 100, cpu % 100)))
        // Rounded up, so that rounding down leads back.
        .maybe("cpu_shares", limits.cpu_weight.map(|weight| (weight * 1024).div_ceil(100)))
        .maybe("pids_limit", limits.pids)
        .maybe("rate", limits.rate.map(|rate| rate.to_string()));
    let mut io = Fields::default();
    let rates = |list: &[DeviceRate]| {
        let all: Vec<Value> =
            list.iter().map(|one| json!({ "path": one.path, "rate": one.rate.0 })).collect();
        (!all.is_empty()).then_some(all)
    };
    io.maybe("weight", limits.io_weight.map(|weight| weight * 5))
        .maybe("device_read_bps", rates(&limits.io_read_bps))
        .maybe("device_write_bps", rates(&limits.io_write_bps))
        .maybe("device_read_iops", rates(&limits.io_read_iops))
        .maybe("device_write_iops", rates(&limits.io_write_iops));
    fields.fields("blkio_config", io);
}

fn pull(pull: Pull) -> Option<String> {
    match pull {
        Pull::Missing => None,
        Pull::Always => Some("always".to_owned()),
        Pull::Never => Some("never".to_owned()),
        Pull::Build => Some("build".to_owned()),
        Pull::Every(seconds) => Some(format!("every_{seconds}s")),
    }
}

fn build(build: &Build) -> Fields {
    let mut fields = Fields::default();
    let secrets = build.secrets.iter().map(|(source, id)| {
        if source == id { json!(source) } else { json!({ "source": source, "target": id }) }
    });
    fields
        .put("context", build.context.as_str())
        .maybe("dockerfile", build.dockerfile.clone())
        .maybe("dockerfile_inline", build.dockerfile_inline.clone())
        .map("args", &build.args)
        .maybe("target", build.target.clone())
        .map("additional_contexts", &build.additional_contexts)
        .map("labels", &build.labels)
        .texts("tags", &build.tags)
        .maybe("network", build.network.clone())
        .flag("no_cache", build.no_cache)
        .flag("pull", build.pull)
        .texts("platforms", &build.platforms)
        .maybe("shm_size", bytes(build.shm_size))
        .maybe("secrets", (!build.secrets.is_empty()).then(|| secrets.collect::<Vec<Value>>()))
        .texts("extra_hosts", &build.extra_hosts)
        .fields("ulimits", ulimits(&build.ulimits));
    fields
}

pub(super) fn health_test(check: &Check) -> Option<Value> {
    match check {
        Check::None => Some(json!(["NONE"])),
        Check::Exec(words) => {
            Some(std::iter::once("CMD").chain(words.iter().map(String::as_str)).collect())
        }
        Check::Shell(line) => Some(json!(["CMD-SHELL", line])),
        Check::Http(_) | Check::Tcp(_) => None,
    }
}

fn health(health: &Health) -> Fields {
    let mut fields = Fields::default();
    match &health.check {
        Some(Check::Http(to)) => fields.put("http", to.as_str()),
        Some(Check::Tcp(to)) => fields.put("tcp", to.as_str()),
        Some(check) => fields.maybe("test", health_test(check)),
        None => &mut fields,
    };
    fields
        .maybe("interval", span(health.interval))
        .maybe("timeout", span(health.timeout))
        .maybe("retries", health.retries)
        .maybe("start_period", span(health.start_period))
        .maybe("start_interval", span(health.start_interval));
    match health.on_unhealthy {
        OnUnhealthy::None => {}
        OnUnhealthy::Restart => {
            fields.put("on_unhealthy", "restart");
        }
        OnUnhealthy::Stop => {
            fields.put("on_unhealthy", "stop");
        }
    }
    fields
}

fn ulimits(ulimits: &[Ulimit]) -> Fields {
    let mut fields = Fields::default();
    let number = |n: u64| if n == u64::MAX { json!(-1) } else { json!(n) };
    for ulimit in ulimits {
        let both = json!({ "soft": number(ulimit.soft), "hard": number(ulimit.hard) });
        fields.put(&ulimit.name.to_ascii_lowercase(), both);
    }
    fields
}

fn hooks(hooks: &[Hook]) -> Option<Vec<Value>> {
    (!hooks.is_empty()).then(|| hooks.iter().map(|one| hook(one).into()).collect())
}

fn hook(hook: &Hook) -> Fields {
    let mut fields = Fields::default();
    fields
        .put("command", hook.command.clone())
        .maybe("user", hook.user.clone())
        .maybe("working_dir", hook.working_dir.clone())
        .map("environment", &hook.environment);
    fields
}

fn watch(watch: &Watch) -> Fields {
    let mut fields = Fields::default();
    fields
        .put("path", watch.path.as_str())
        .put("action", watch.action.as_str())
        .maybe("target", watch.target.clone())
        .texts("ignore", &watch.ignore)
        .texts("include", &watch.include)
        .maybe("exec", watch.exec.as_ref().map(hook))
        .flag("initial_sync", watch.initial_sync);
    fields
}

fn vm(vm: &Vm) -> Fields {
    let mut fields = Fields::default();
    fields
        .put("image", vm.image.to_string())
        .maybe("cpu", vm.cpu)
        .maybe("memory", bytes(vm.memory))
        .maybe("disk", bytes(vm.disk))
        .maybe("kernel", vm.kernel.clone())
        .texts("ports", &vm.ports)
        .map("environment", &vm.environment)
        .maybe("healthcheck", vm.health.as_ref().map(health))
        .map("labels", &vm.labels);
    network_mode(&vm.network, &mut fields);
    if vm.restart != Restart::No {
        fields.put("restart", vm.restart.to_string());
    }
    fields
}

fn unit(unit: &ServiceUnit) -> Fields {
    let mut fields = Fields::default();
    fields
        .put("exec", unit.exec.clone())
        .maybe("description", unit.description.clone())
        .maybe("user", unit.user.clone())
        .maybe("working_dir", unit.working_dir.clone())
        .map("environment", &unit.environment)
        .maybe("sandbox", unit.sandbox.clone())
        .maybe("stop_grace_period", span(unit.stop_grace_period))
        .maybe("healthcheck", unit.health.as_ref().map(health))
        .maybe("secrets", list(unit.secrets.iter().map(|one| grant(one).into()).collect()))
        .map("labels", &unit.labels);
    limits(&unit.limits, &mut fields);
    if unit.restart != Restart::No {
        fields.put("restart", unit.restart.to_string());
    }
    fields
}

fn task(task: &Task) -> Fields {
    let mut fields = Fields::default();
    match &task.schedule {
        Schedule::Calendar(when) => fields.put("on_calendar", when.as_str()),
        Schedule::Every(when) => fields.put("every", when.as_str()),
        Schedule::Cron(when) => fields.put("cron", when.as_str()),
    };
    fields
        .put("exec", task.exec.clone())
        .maybe("container", task.container.as_ref().map(ToString::to_string))
        .maybe("description", task.description.clone())
        .maybe("user", task.user.clone())
        .maybe("working_dir", task.working_dir.clone())
        .map("environment", &task.environment)
        .maybe("timeout", span(task.timeout))
        .maybe("random_delay", span(task.random_delay))
        .put("persistent", task.persistent)
        .maybe("secrets", list(task.secrets.iter().map(|one| grant(one).into()).collect()))
        .map("labels", &task.labels);
    if task.retries != 0 {
        fields.put("retries", task.retries);
    }
    limits(&task.limits, &mut fields);
    fields
}

fn outside(external: External, name: Option<&String>, fields: &mut Fields) {
    fields.flag("external", external == External::Yes).maybe("name", name.cloned());
}

fn network(network: &Network) -> Fields {
    let mut fields = Fields::default();
    outside(network.external, network.name.as_ref(), &mut fields);
    fields
        .flag("internal", network.internal)
        .maybe("enable_ipv6", network.enable_ipv6)
        .maybe("mtu", network.mtu);
    let pools = network.pools.iter().map(|pool| {
        let mut fields = Fields::default();
        fields
            .put("subnet", pool.subnet.to_string())
            .maybe("gateway", pool.gateway.map(|address| address.to_string()));
        Value::from(fields)
    });
    let pools: Vec<Value> = pools.collect();
    if !pools.is_empty() {
        fields.put("ipam", json!({ "config": pools }));
    }
    fields.map("labels", &network.labels);
    fields
}

fn volume(volume: &Volume) -> Fields {
    let mut fields = Fields::default();
    outside(volume.external, volume.name.as_ref(), &mut fields);
    fields
        .maybe("driver", volume.driver.clone())
        .map("driver_opts", &volume.driver_opts)
        .map("labels", &volume.labels);
    fields
}

fn asset(asset: &Asset) -> Fields {
    let mut fields = Fields::default();
    fields.maybe("name", asset.name.clone());
    match &asset.source {
        AssetSource::File(path) => fields.put("file", path.as_str()),
        AssetSource::Environment(name) => fields.put("environment", name.as_str()),
        AssetSource::Content(text) => fields.put("content", text.as_str()),
        AssetSource::External => fields.put("external", true),
    };
    fields.map("labels", &asset.labels);
    fields
}
