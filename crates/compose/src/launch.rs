//! A container of a stack in the words of the engine: what `volt container create` would be told. What Volt's containers don't have
//! yet is left out here; [`fields`](crate::fields) says so to the user.

use crate::stack::{Container, Grant, Isolation, MountKind, NetworkMode, Stack};
use crate::{health, names};
use std::collections::BTreeMap;
use volt_model::container::{Around, Backend, Network, Seccomp, Standing, Ulimit};
use volt_model::health::Wanted;
use volt_model::limits::Limits;
use volt_model::mount::{Bind, Source, Tmpfs};
use volt_model::name::Name;
use volt_model::net::{Alias, Attachment, Publish};
use volt_model::restart::Restart;
use volt_model::secret::{Credential, SecretMount};

/// The label that names the stack of a workload, network or volume.
pub const STACK: &str = "volt.stack";
/// The label that names the service of a workload, by its key.
pub const SERVICE: &str = "volt.stack.service";
/// The label that numbers the workloads of a service, from 1.
pub const REPLICA: &str = "volt.stack.replica";
/// The label with the hash of the configuration.
pub const HASH: &str = "volt.stack.hash";

/// The label that names the stack of a container that was made for one command.
pub const RUN: &str = "volt.stack.run";

/// A container that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// What it is called.
    pub name: Name,
    /// Its image, or the name that its build gives it.
    pub image: String,
    /// In place of the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// In place of the image's command. Where the entrypoint is another and no command is said, the image's means nothing.
    pub command: Option<Vec<String>>,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// Who runs the command.
    pub user: Option<String>,
    /// Where it starts.
    pub workdir: Option<String>,
    /// The host name inside.
    pub hostname: Option<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub stdin: bool,
    /// Whether the image's own init is booted.
    pub boot: Option<bool>,
    /// Whose network it has.
    pub network: Network,
    /// The networks that it is connected to, that which is the way out first.
    pub networks: Vec<Attachment>,
    /// Ports of the host that lead to it.
    pub publish: Vec<Publish>,
    /// What is mounted; configurations come besides.
    pub binds: Vec<Bind>,
    /// Secrets that it may read.
    pub secrets: Vec<SecretMount>,
    /// Volumes among them that are its own, and go with it.
    pub own_volumes: Vec<Name>,
    /// Folders of the host that are made where they are not there.
    pub make_folders: Vec<String>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// Whether the root can't be written to.
    pub read_only: bool,
    /// What it may use.
    pub limits: Limits,
    /// Capabilities added.
    pub cap_add: Vec<String>,
    /// Capabilities taken.
    pub cap_drop: Vec<String>,
    /// The syscall filter.
    pub seccomp: Seccomp,
    /// When it is started again.
    pub restart: Restart,
    /// How it is found out whether it is well, over what its image says.
    pub health: Wanted,
    /// The signal that asks it to end.
    pub stop_signal: Option<u8>,
    /// Seconds that it has to do so.
    pub stop_timeout: Option<u32>,
    /// Limits of the process.
    pub ulimits: Vec<Ulimit>,
    /// What it finds around it.
    pub around: Around,
    /// How it stands against what else the host runs.
    pub standing: Standing,
    /// Groups that its command has besides its user's.
    pub group_add: Vec<String>,
    /// The user's labels, and those that say what it belongs to.
    pub labels: BTreeMap<String, String>,
    /// What runs it, where that is said.
    pub backend: Option<Backend>,
}

/// Container number `replica` of a service; nothing where the service is none. `hash` is that of [`hash`](crate::hash).
#[must_use]
pub fn launch(stack: &Stack, key: &str, replica: u32, hash: &str) -> Option<Launch> {
    let container = stack.services.get(key)?.container()?;
    let name = names::of_replica(stack, key, replica);
    let image = container.image.as_ref().map(ToString::to_string);
    let owner = owner_of_network(stack, container);
    let mut labels = container.labels.clone();
    labels.extend(labels_of(stack, key, replica, hash));
    let mut launch = Launch {
        image: image.unwrap_or_else(|| names::of_built_image(&stack.name, key)),
        entrypoint: container.entrypoint.clone(),
        command: container.command.clone(),
        environment: container.environment.clone(),
        user: container.user.clone(),
        workdir: container.working_dir.clone(),
        hostname: owner.map_or(container, |(_, owner)| owner).hostname.clone(),
        tty: container.tty,
        stdin: container.stdin_open,
        boot: container.boot,
        network: match (&owner.map_or(container, |(_, owner)| owner).network, owner) {
            (NetworkMode::Host, _) => Network::Host,
            (NetworkMode::Container(name), _) => Network::Container(name.clone()),
            (_, Some((owner, _))) => Network::Container(names::of_replica(stack, owner, 1)),
            _ => Network::None,
        },
        networks: attachments(stack, key, container),
        publish: container.ports.clone(),
        binds: Vec::new(),
        secrets: container.secrets.iter().map(|grant| secret(stack, grant)).collect(),
        own_volumes: Vec::new(),
        make_folders: Vec::new(),
        tmpfs: container.tmpfs.clone(),
        read_only: container.read_only,
        limits: container.limits.clone(),
        cap_add: container.cap_add.clone(),
        cap_drop: container.cap_drop.clone(),
        seccomp: container.seccomp,
        restart: container.restart,
        // What can be none was refused when it was read.
        health: container.health.as_ref().and_then(|h| health::wanted(h).ok()).unwrap_or_default(),
        stop_signal: container.stop_signal,
        // What is asked for is never nothing because it is short.
        stop_timeout: container
            .stop_grace_period
            .map(|span| u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)),
        ulimits: container.ulimits.clone(),
        around: around(container),
        standing: standing(container),
        group_add: container.group_add.clone(),
        labels,
        backend: (container.isolation == Isolation::Proot).then_some(Backend::Proot),
        name,
    };
    mounts(stack, container, &mut launch);
    // It is a memory file system like others.
    launch.tmpfs.extend(
        container.shm_size.map(|size| Tmpfs { target: "/dev/shm".to_owned(), size: Some(size) }),
    );
    Some(launch)
}

/// The service whose network a container shares in the end, where it shares one: who is named may share that of a third.
fn owner_of_network<'s>(
    stack: &'s Stack,
    container: &'s Container,
) -> Option<(&'s str, &'s Container)> {
    let mut found = None;
    let mut network = &container.network;
    // What goes in circles was refused when it was read.
    for _ in 0..=stack.services.len() {
        let NetworkMode::Service(other) = network else { break };
        let owner = stack.services.get(other)?.container()?;
        (found, network) = (Some((other.as_str(), owner)), &owner.network);
    }
    found
}

/// What it finds around it. What is no setting of its network was warned of.
fn around(container: &Container) -> Around {
    let sysctls = container.sysctls.iter().filter(|(key, _)| is_of_network(key));
    Around {
        domain: container.domainname.clone(),
        hosts: container.extra_hosts.clone(),
        dns: container.dns.clone(),
        dns_search: container.dns_search.clone(),
        dns_options: container.dns_opt.clone(),
        sysctls: sysctls.map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

/// How it stands against what else the host runs.
fn standing(container: &Container) -> Standing {
    let delay = container.restart_delay.map(|span| span.as_millis());
    Standing {
        memory_low: container.memory_reserved,
        cpus: container.cpuset.clone(),
        oom_score_adjust: container.oom_score_adj,
        restart_delay: delay.map(|delay| u64::try_from(delay).unwrap_or(u64::MAX)),
    }
}

/// Whether a setting is one of the network namespace, which each container has for itself.
#[must_use]
pub(crate) fn is_of_network(key: &str) -> bool {
    key.starts_with("net.") || key.starts_with("net/")
}

/// What tells whose a workload is.
#[must_use]
pub fn labels_of(stack: &Stack, key: &str, replica: u32, hash: &str) -> BTreeMap<String, String> {
    let labels = [
        (STACK, stack.name.to_string()),
        (SERVICE, key.to_owned()),
        (REPLICA, replica.to_string()),
        (HASH, hash.to_owned()),
    ];
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Its connections by their names on the host. All of a service are found by its key; names that Volt has no place for were warned of.
fn attachments(stack: &Stack, key: &str, container: &Container) -> Vec<Attachment> {
    let mut all: Vec<_> = container.network.connections().collect();
    // The first is the way out. Sorting keeps the order of names where the numbers are the same.
    all.sort_by_key(|(_, connection)| std::cmp::Reverse(connection.gw_priority));
    let attachment = |(name, connection): (&String, &crate::stack::Connection)| {
        let mut attachment = Attachment::to(names::of_network(stack, name));
        (attachment.ip, attachment.mac) = (connection.ipv4_address, connection.mac_address);
        let own = names::plain(key).map(Alias::from);
        let words = std::iter::once(key).chain(connection.aliases.iter().map(String::as_str));
        for alias in own.into_iter().chain(words.filter_map(|word| word.parse().ok())) {
            if !attachment.aliases.contains(&alias) {
                attachment.aliases.push(alias);
            }
        }
        attachment
    };
    all.into_iter().map(attachment).collect()
}

/// A secret of a service by its name on the host; like everywhere all of the container may read it where nothing is said.
#[must_use]
pub fn secret(stack: &Stack, grant: &Grant) -> SecretMount {
    SecretMount {
        name: names::of_secret(stack, &grant.source),
        target: grant.target.clone(),
        uid: grant.uid.unwrap_or(0),
        gid: grant.gid.unwrap_or(0),
        mode: grant.mode.unwrap_or(0o444),
    }
}

/// A secret of a service of systemd or a task by its name on the host.
#[must_use]
pub fn credential(stack: &Stack, grant: &Grant) -> Credential {
    Credential { name: names::of_secret(stack, &grant.source), target: grant.target.clone() }
}

fn mounts(stack: &Stack, container: &Container, launch: &mut Launch) {
    for mount in &container.mounts {
        let source = match &mount.kind {
            MountKind::Bind { source, create } => {
                if *create {
                    launch.make_folders.push(source.clone());
                }
                Source::Host(source.clone())
            }
            MountKind::Volume { source, subpath: Some(part), .. } => {
                Source::Part(names::of_volume(stack, source), part.clone())
            }
            MountKind::Volume { source, .. } => Source::Volume(names::of_volume(stack, source)),
            MountKind::Anonymous => {
                let Some(name) = names::plain(&format!("{}{}", launch.name, mount.target)) else {
                    continue;
                };
                launch.own_volumes.push(name.clone());
                Source::Volume(name)
            }
        };
        launch.binds.push(Bind {
            source,
            target: mount.target.clone(),
            read_only: mount.read_only,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{service, stack};

    fn launched(fields: &str) -> Launch {
        launch(&stack(&service(fields)), "web", 1, "b3:x").unwrap()
    }

    #[test]
    fn a_container_in_the_engines_words() {
        let found = launched(
            "build: .\nports: ['80:80']\nvolumes: [data:/d:ro, ./x:/x, /anon]\nnetworks: {back: {aliases: [w_w, web]}, front: {gw_priority: 5}}\nmac_address: '02:00:00:00:00:07'\nstop_grace_period: 1500ms\nlabels: {a: b}\nisolation: proot",
        );
        let texts: Vec<String> = found.binds.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["app-data:/d:ro", "/srv/app/x:/x", "app-web-1-anon:/anon"]);
        assert_eq!(
            (found.own_volumes.len(), found.make_folders.as_slice()),
            (1, &["/srv/app/x".to_owned()][..])
        );
        let texts: Vec<String> = found.networks.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["app-front:mac=02-00-00-00-00-07:alias=web", "app-back:alias=web:alias=w_w"]
        );
        assert_eq!((found.stop_timeout, found.backend), (Some(2), Some(Backend::Proot)));
        assert_eq!(found.labels["a"], "b");
        assert_eq!(
            (
                found.labels[STACK].as_str(),
                found.labels[SERVICE].as_str(),
                found.labels[REPLICA].as_str()
            ),
            ("app", "web", "1")
        );
        assert_eq!(launched("network_mode: host").network, Network::Host);
        let shared = launched("network_mode: service:db").network;
        assert_eq!(shared, Network::Container("app-db-1".parse().unwrap()));
        assert!(launched("network_mode: none").networks.is_empty());
        let traced = launched("isolation: proot");
        assert_eq!((traced.network, traced.networks.len()), (Network::None, 1));
        let around = launched(
            "extra_hosts: ['a=1.2.3.4']\ndomainname: d.e\ndns: 9.9.9.9\ndns_search: x.y\ndns_opt: ['ndots:3']\nsysctls: {net.core.somaxconn: 5, kernel.x: 6}\nshm_size: 64m",
        );
        assert_eq!(around.tmpfs[0].to_string(), "/dev/shm:size=67108864");
        let around = serde_json::to_value(around.around).unwrap();
        assert_eq!(
            around,
            serde_json::json!({"domain": "d.e", "hosts": ["a=1.2.3.4"], "dns": ["9.9.9.9"], "dns_search": ["x.y"], "dns_options": ["ndots:3"], "sysctls": {"net.core.somaxconn": "5"}})
        );
        let standing = launched(
            "mem_reservation: 1m\ncpuset: 0-1,3\noom_score_adj: -5\ndeploy: {restart_policy: {delay: 1500ms}}\ngroup_add: [mail, 5]",
        );
        assert_eq!(standing.group_add, ["mail", "5"]);
        assert_eq!(
            standing.standing.lines().collect::<Vec<_>>(),
            ["MemoryLow=1048576", "AllowedCPUs=0-1,3", "OOMScoreAdjust=-5", "RestartSec=1500ms"]
        );
        let secrets =
            launched("secrets: [key, {source: key, target: /etc/k, uid: '7', mode: 0400}]").secrets;
        let texts: Vec<String> = secrets.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "app-key,target=/run/secrets/key,uid=0,gid=0,mode=0444",
                "app-key,target=/etc/k,uid=7,gid=0,mode=0400"
            ]
        );
    }
}
