//! A stack as units for Podman's generator (podman-systemd.unit(5)): a `.container` for each workload, `.network`, `.volume` and
//! `.build` for what they use; plain units for services of systemd, and timers for tasks.

use super::Converted;
use crate::names;
use crate::stack::{
    AssetSource, Build, Check, Condition, Container, External, Health, MountKind, Network,
    NetworkMode, Schedule, Service, ServiceUnit, Stack, Task, Volume, Workload,
};
use volt_model::container::signal_name;
use volt_model::limits::Limits;
use volt_model::restart::Restart;
use volt_model::task::cron::Cron;
use volt_model::time::span_text;

pub(super) fn convert(stack: &Stack) -> Converted {
    let mut converted = Converted::default();
    for (key, network) in
        stack.networks.iter().filter(|(_, network)| network.external == External::No)
    {
        let name = names::of_resource(&stack.name, key);
        converted.file(format!("{name}.network"), self::network(stack, key, network));
    }
    for (key, volume) in stack.volumes.iter().filter(|(_, volume)| volume.external == External::No)
    {
        let name = names::of_resource(&stack.name, key);
        converted.file(format!("{name}.volume"), self::volume(stack, key, volume));
    }
    for (key, service) in &stack.services {
        match &service.workload {
            Workload::Container(container) => {
                containers(stack, key, service, container, &mut converted);
            }
            Workload::Service(unit) => {
                if unit.sandbox.is_some() {
                    converted.note(format!("{key} has no sandbox there: profiles are Volt's own"));
                }
                if unit.health.is_some() {
                    converted
                        .note(format!("Nobody looks at the health of {key}: it is a plain unit"));
                }
                let text = self::unit(stack, key, service, unit);
                converted.file(format!("{}.service", names::of_replica(stack, key, 1)), text);
            }
            Workload::Task(task) => self::task(stack, key, (service, task), &mut converted),
            Workload::Vm(_) => {
                converted.note(format!("{key} is a virtual machine, which Quadlet has none of"));
            }
        }
    }
    let on_the_host = |service: &Service| match &service.workload {
        Workload::Service(_) => true,
        Workload::Task(task) => task.container.is_none(),
        Workload::Container(_) | Workload::Vm(_) => false,
    };
    for (key, service) in stack.services.iter().filter(|(_, service)| on_the_host(service)) {
        for grant in service.secrets() {
            let (source, target) = (&grant.source, &grant.target);
            converted
                .note(format!("Give {key} the secret {source} as {target}: `LoadCredential=`"));
        }
    }
    for (kind, assets) in [("secret", &stack.secrets), ("config", &stack.configs)] {
        for (key, asset) in assets.iter().filter(|(_, asset)| asset.source != AssetSource::External)
        {
            let name = asset
                .name
                .clone()
                .unwrap_or_else(|| names::of_resource(&stack.name, key).to_string());
            converted.note(format!("Make the {kind} {key} by `podman secret create {name} FILE`"));
        }
    }
    converted
}

/// The sections that Podman's generator makes command lines of, in which systemd puts variables in for `$`.
const GENERATED: [&str; 4] = ["Container", "Network", "Volume", "Build"];

/// The lines of a unit, by section.
#[derive(Default)]
struct Unit {
    text: String,
    is_generated: bool,
}

impl Unit {
    fn section(&mut self, name: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += &format!("[{name}]\n");
        self.is_generated = GENERATED.contains(&name);
        self
    }

    /// `%` begins a specifier of systemd; a value has one line.
    #[expect(clippy::needless_pass_by_value, reason = "most values are made for this line")]
    fn line<T: ToString>(&mut self, key: &str, value: T) -> &mut Self {
        let value = value.to_string().replace('%', "%%").replace('\n', " ");
        let value = if self.is_generated { value.replace('$', "$$") } else { value };
        self.text += &format!("{key}={value}\n");
        self
    }

    fn lines<T: ToString>(&mut self, key: &str, values: impl IntoIterator<Item = T>) -> &mut Self {
        for value in values {
            self.line(key, value);
        }
        self
    }
}

/// A word as systemd reads it back: quoted where it has to be.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}

fn command<T: AsRef<str>>(list: &[T]) -> String {
    list.iter().map(|one| word(one.as_ref())).collect::<Vec<_>>().join(" ")
}

fn pair(key: &str, value: &str) -> String {
    word(&format!("{key}={value}"))
}

/// The command line of a unit that Podman has nothing to do with.
fn exec_start(list: &[String]) -> String {
    command(list).replace('$', "$$")
}

fn order(stack: &Stack, service: &Service, unit: &mut Unit) {
    for (other, dependency) in &service.depends_on {
        let Some(target) = stack.services.get(other) else { continue };
        for replica in 1..=target.replicas {
            let name = names::of_replica(stack, other, replica);
            unit.line(
                if dependency.required { "Requires" } else { "Wants" },
                format!("{name}.service"),
            );
            unit.line("After", format!("{name}.service"));
        }
    }
}

/// Whether somebody begins only when this service has come so far.
fn waited_for(stack: &Stack, key: &str, condition: Condition) -> bool {
    stack.services.values().any(|service| {
        service.depends_on.get(key).is_some_and(|dependency| dependency.condition == condition)
    })
}

fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::No => "no",
        Restart::OnFailure(_) => "on-failure",
        Restart::Always | Restart::UnlessStopped => "always",
    }
}

fn containers(
    stack: &Stack,
    key: &str,
    service: &Service,
    container: &Container,
    converted: &mut Converted,
) {
    if let Some(build) = &container.build {
        let name = names::of_resource(&stack.name, key);
        converted.file(format!("{name}.build"), self::build(stack, key, container, build));
    }
    if container.isolation != crate::stack::Isolation::Container {
        converted.note(format!(
            "{key} becomes a container: Quadlet has no {}",
            container.isolation.as_str()
        ));
    }
    for replica in 1..=service.replicas {
        let name = names::of_replica(stack, key, replica);
        let mut unit = Unit::default();
        unit.section("Unit").line("Description", format!("{key} of {}", stack.name));
        order(stack, service, &mut unit);
        unit.section("Container").line("ContainerName", &name);
        match (&container.image, &container.build) {
            (_, Some(_)) => {
                unit.line("Image", format!("{}.build", names::of_resource(&stack.name, key)))
            }
            (Some(image), None) => unit.line("Image", image),
            (None, None) => &mut unit,
        };
        process(container, &mut unit);
        reach(stack, key, container, &mut unit);
        files(stack, container, &mut unit);
        confinement(container, &mut unit);
        if waited_for(stack, key, Condition::ServiceHealthy) {
            unit.line("Notify", "healthy");
        }
        unit.section("Service");
        if waited_for(stack, key, Condition::ServiceCompletedSuccessfully) {
            unit.line("Type", "oneshot").line("RemainAfterExit", "yes");
        }
        unit.line("Restart", restart(container.restart));
        if let Some(delay) = container.restart_delay {
            unit.line("RestartSec", span_text(delay));
        }
        unit.section("Install").line("WantedBy", "default.target");
        converted.file(format!("{name}.container"), unit.text);
    }
}

fn process(container: &Container, unit: &mut Unit) {
    if let Some(words) = &container.entrypoint {
        unit.line("Entrypoint", serde_json::Value::from(words.clone()));
    }
    if let Some(words) = container.command.as_ref().filter(|words| !words.is_empty()) {
        unit.line("Exec", command(words));
    }
    unit.lines("Environment", container.environment.iter().map(|(key, value)| pair(key, value)));
    unit.lines("Label", container.labels.iter().map(|(key, value)| pair(key, value)));
    unit.lines("Annotation", container.annotations.iter().map(|(key, value)| pair(key, value)));
    unit.lines("User", &container.user);
    unit.lines("GroupAdd", &container.group_add);
    unit.lines("WorkingDir", &container.working_dir);
    unit.lines("HostName", &container.hostname);
    unit.lines("StopSignal", container.stop_signal.map(signal_name));
    unit.lines("StopTimeout", container.stop_grace_period.map(|span| span.as_secs()));
    if let Some(health) = &container.health {
        self::health(health, unit);
    }
}

fn health(health: &Health, unit: &mut Unit) {
    let test = match &health.check {
        Some(Check::None) => Some("none".to_owned()),
        // Words are no line for a shell; but Podman takes a list of one for such a line.
        Some(Check::Exec(list)) if list.len() > 1 => {
            Some(serde_json::Value::from(list.clone()).to_string())
        }
        Some(Check::Exec(list)) => Some(command(list)),
        Some(Check::Shell(line)) => Some(line.clone()),
        Some(Check::Http(to)) => Some(format!(
            "curl -fsS {}",
            word(&if to.contains("://") { to.clone() } else { format!("http://localhost:{to}") })
        )),
        Some(Check::Tcp(to)) => {
            let (host, port) = to.rsplit_once(':').unwrap_or(("localhost", to));
            Some(format!("nc -z {} {}", word(host), word(port)))
        }
        None => None,
    };
    unit.lines("HealthCmd", test);
    unit.lines("HealthInterval", health.interval.map(span_text));
    unit.lines("HealthTimeout", health.timeout.map(span_text));
    unit.lines("HealthRetries", health.retries);
    unit.lines("HealthStartPeriod", health.start_period.map(span_text));
    if health.on_unhealthy != crate::stack::OnUnhealthy::None {
        let stop = health.on_unhealthy == crate::stack::OnUnhealthy::Stop;
        unit.line("HealthOnFailure", if stop { "stop" } else { "kill" });
    }
}

fn reach(stack: &Stack, key: &str, container: &Container, unit: &mut Unit) {
    match &container.network {
        NetworkMode::None => {
            unit.line("Network", "none");
        }
        NetworkMode::Host => {
            unit.line("Network", "host");
        }
        NetworkMode::Container(name) => {
            unit.line("Network", format!("container:{name}"));
        }
        NetworkMode::Service(other) => {
            unit.line("Network", format!("{}.container", names::of_replica(stack, other, 1)));
        }
        NetworkMode::Networks(map) => {
            for (name, connection) in map {
                let network = match stack.networks.get(name).map(|network| network.external) {
                    Some(External::Yes) => names::of_network(stack, name).to_string(),
                    _ => format!("{}.network", names::of_resource(&stack.name, name)),
                };
                let mut options: Vec<String> =
                    connection.ipv4_address.iter().map(|ip| format!("ip={ip}")).collect();
                options.extend(connection.ipv6_address.iter().map(|ip| format!("ip6={ip}")));
                options.extend(connection.mac_address.iter().map(|mac| format!("mac={mac}")));
                options.push(format!("alias={key}"));
                options.extend(connection.aliases.iter().map(|alias| format!("alias={alias}")));
                unit.line("Network", format!("{network}:{}", options.join(",")));
            }
        }
    }
    unit.lines("PublishPort", &container.ports);
    unit.lines("ExposeHostPort", &container.expose);
    unit.lines(
        "AddHost",
        container.extra_hosts.iter().map(|host| format!("{}:{}", host.name, host.address)),
    );
    unit.lines("DNS", &container.dns);
    unit.lines("DNSOption", &container.dns_opt);
    unit.lines("DNSSearch", &container.dns_search);
}

fn files(stack: &Stack, container: &Container, unit: &mut Unit) {
    for mount in &container.mounts {
        let options = if mount.read_only { ":ro" } else { "" };
        match &mount.kind {
            MountKind::Anonymous => unit.line("Volume", &mount.target),
            MountKind::Bind { source, .. } => {
                unit.line("Volume", format!("{source}:{}{options}", mount.target))
            }
            MountKind::Volume { source, subpath, .. } => {
                let volume = match stack.volumes.get(source).map(|volume| volume.external) {
                    Some(External::Yes) => names::of_volume(stack, source).to_string(),
                    _ => format!("{}.volume", names::of_resource(&stack.name, source)),
                };
                match subpath {
                    None => unit.line("Volume", format!("{volume}:{}{options}", mount.target)),
                    Some(path) => {
                        let read_only = if mount.read_only { ",ro" } else { "" };
                        unit.line("Mount", format!("type=volume,source={volume},destination={},subpath={path}{read_only}", mount.target))
                    }
                }
            }
        };
    }
    unit.lines("Tmpfs", &container.tmpfs);
    for (grant, assets) in container
        .secrets
        .iter()
        .map(|g| (g, &stack.secrets))
        .chain(container.configs.iter().map(|g| (g, &stack.configs)))
    {
        let name = assets.get(&grant.source).and_then(|asset| asset.name.clone());
        let name =
            name.unwrap_or_else(|| names::of_resource(&stack.name, &grant.source).to_string());
        let mut text = format!("{name},type=mount,target={}", grant.target);
        text += &grant.uid.map_or_else(String::new, |uid| format!(",uid={uid}"));
        text += &grant.gid.map_or_else(String::new, |gid| format!(",gid={gid}"));
        text += &grant.mode.map_or_else(String::new, |mode| format!(",mode=0{mode:o}"));
        unit.line("Secret", text);
    }
    unit.lines(
        "AddDevice",
        container.devices.iter().map(|d| format!("{}:{}:{}", d.source, d.target, d.permissions)),
    );
    unit.lines("ShmSize", container.shm_size.map(|size| size.0));
}

fn confinement(container: &Container, unit: &mut Unit) {
    if container.read_only {
        unit.line("ReadOnly", "true");
    }
    unit.lines("AddCapability", &container.cap_add);
    unit.lines("DropCapability", &container.cap_drop);
    if container.seccomp == volt_model::container::Seccomp::Unconfined {
        unit.line("SeccompProfile", "unconfined");
    }
    unit.lines("Sysctl", container.sysctls.iter().map(|(key, value)| pair(key, value)));
    let number = |n: u64| if n == u64::MAX { "-1".to_owned() } else { n.to_string() };
    unit.lines(
        "Ulimit",
        container.ulimits.iter().map(|u| {
            format!("{}={}:{}", u.name.to_ascii_lowercase(), number(u.soft), number(u.hard))
        }),
    );
    let limits = &container.limits;
    unit.lines("PidsLimit", limits.pids);
    let mut further = Vec::new();
    // The Podman of Debian 13 has no key for it yet.
    further.extend(limits.memory.map(|memory| format!("--memory={}", memory.0)));
    further.extend(limits.cpu.map(|cpu| format!("--cpus={}.{:02}", cpu / 100, cpu % 100)));
    further.extend(
        limits
            .memory
            .zip(limits.memory_swap)
            .map(|(a, b)| format!("--memory-swap={}", a.0.saturating_add(b.0))),
    );
    further.extend(container.cpuset.iter().map(|set| format!("--cpuset-cpus={set}")));
    further.extend(container.oom_score_adj.map(|n| format!("--oom-score-adj={n}")));
    further.extend(container.tty.then(|| "--tty".to_owned()));
    further.extend(container.stdin_open.then(|| "--interactive".to_owned()));
    further.extend(container.platform.iter().map(|platform| format!("--platform={platform}")));
    if !further.is_empty() {
        unit.line("PodmanArgs", command(&further));
    }
}

fn network(stack: &Stack, key: &str, network: &Network) -> String {
    let mut unit = Unit::default();
    unit.section("Network").line("NetworkName", names::of_network(stack, key));
    for pool in &network.pools {
        unit.line("Subnet", pool.subnet);
        unit.lines("Gateway", pool.gateway);
    }
    if network.internal {
        unit.line("Internal", "true");
    }
    unit.lines("IPv6", network.enable_ipv6);
    unit.lines("Options", network.mtu.map(|mtu| format!("mtu={mtu}")));
    unit.lines("Label", network.labels.iter().map(|(key, value)| pair(key, value)));
    unit.text
}

fn volume(stack: &Stack, key: &str, volume: &Volume) -> String {
    let mut unit = Unit::default();
    unit.section("Volume").line("VolumeName", names::of_volume(stack, key));
    let option = |key: &str| volume.driver_opts.get(key).cloned();
    let device = if volume.driver.as_deref() == Some("tmpfs") {
        Some("tmpfs".to_owned())
    } else {
        option("device")
    };
    unit.lines("Type", volume.driver.clone().or_else(|| option("type")));
    unit.lines("Device", device);
    unit.lines("Options", volume.driver_opts.get("o"));
    unit.lines("Label", volume.labels.iter().map(|(key, value)| pair(key, value)));
    unit.text
}

fn build(stack: &Stack, key: &str, container: &Container, build: &Build) -> String {
    let mut unit = Unit::default();
    let own = container
        .image
        .as_ref()
        .map_or_else(|| names::of_built_image(&stack.name, key), ToString::to_string);
    unit.section("Build").line("ImageTag", own);
    unit.lines("ImageTag", &build.tags);
    unit.line("SetWorkingDirectory", &build.context);
    unit.lines("File", &build.dockerfile);
    unit.lines("Target", &build.target);
    unit.lines("Network", &build.network);
    unit.lines("Label", build.labels.iter().map(|(key, value)| pair(key, value)));
    let args: Vec<String> =
        build.args.iter().map(|(key, value)| format!("--build-arg={key}={value}")).collect();
    if !args.is_empty() {
        unit.line("PodmanArgs", command(&args));
    }
    unit.text
}

fn unit(stack: &Stack, key: &str, service: &Service, own: &ServiceUnit) -> String {
    let mut unit = Unit::default();
    let description = own.description.clone().unwrap_or_else(|| format!("{key} of {}", stack.name));
    unit.section("Unit").line("Description", description);
    order(stack, service, &mut unit);
    unit.section("Service")
        .line("ExecStart", exec_start(&own.exec))
        .line("Restart", restart(own.restart));
    unit.lines("User", &own.user).lines("WorkingDirectory", &own.working_dir);
    unit.lines("Environment", own.environment.iter().map(|(key, value)| pair(key, value)));
    unit.lines("TimeoutStopSec", own.stop_grace_period.map(span_text));
    limits(&own.limits, &mut unit);
    unit.section("Install").line("WantedBy", "default.target");
    unit.text
}

fn limits(limits: &Limits, unit: &mut Unit) {
    for property in limits.properties() {
        unit.text += &format!("{}={}\n", property.directive, property.value);
    }
}

fn task(stack: &Stack, key: &str, (service, task): (&Service, &Task), converted: &mut Converted) {
    let name = names::of_replica(stack, key, 1);
    let mut timer = Unit::default();
    timer.section("Unit").line("Description", format!("When {key} of {} runs", stack.name));
    timer.section("Timer");
    match &task.schedule {
        Schedule::Calendar(when) => {
            timer.line("OnCalendar", when);
        }
        Schedule::Every(span) => {
            timer.line("OnActiveSec", span).line("OnUnitActiveSec", span);
        }
        Schedule::Cron(when) => {
            let times = when.parse::<Cron>().map(|cron| cron.calendar()).unwrap_or_default();
            timer.lines("OnCalendar", times);
        }
    }
    timer
        .line("Persistent", task.persistent)
        .lines("RandomizedDelaySec", task.random_delay.map(span_text));
    timer.section("Install").line("WantedBy", "timers.target");
    converted.file(format!("{name}.timer"), timer.text);

    let mut unit = Unit::default();
    unit.section("Unit").line(
        "Description",
        task.description.clone().unwrap_or_else(|| format!("{key} of {}", stack.name)),
    );
    order(stack, service, &mut unit);
    match task.as_container(stack) {
        Some(container) => {
            unit.section("Container").lines("Image", &container.image);
            process(&container, &mut unit);
            reach(stack, key, &container, &mut unit);
            files(stack, &container, &mut unit);
            confinement(&container, &mut unit);
            unit.section("Service").line("Type", "oneshot");
        }
        None => {
            unit.section("Service")
                .line("Type", "oneshot")
                .line("ExecStart", exec_start(&task.exec))
                .lines("Environment", task.environment.iter().map(|(key, value)| pair(key, value)));
            unit.lines("User", &task.user).lines("WorkingDirectory", &task.working_dir);
            limits(&task.limits, &mut unit);
        }
    }
    if task.retries > 0 {
        converted.note(format!("{key} is tried once: Quadlet has no word for further tries"));
    }
    unit.lines("TimeoutStartSec", task.timeout.map(span_text));
    let end = if task.container.is_some() { "container" } else { "service" };
    converted.file(format!("{name}.{end}"), unit.text);
}
