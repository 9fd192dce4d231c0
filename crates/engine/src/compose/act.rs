//! Doing one step of `up`: what the engine does for containers, networks and volumes anyhow, with the labels of the stack; and
//! writing down how it is undone.

use super::Up;
use super::kinds::{Old, kind_of};
use super::plan::Planned;
use super::secrets::Owned;
use super::steps::Told;
use super::undo::Undo;
use super::{found, hooks};
use crate::Engine;
use crate::container::Create as ContainerCreate;
use crate::error::{Error, Result};
use crate::net::Create as NetCreate;
use crate::plain::Written;
use crate::workload::{self, Query};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use volt_compose::launch::{self, HASH, Launch, SERVICE, STACK};
use volt_compose::plan::{Action, Kind, Step, Wait};
use volt_compose::stack::Condition;
use volt_compose::{Stack, hash, names};
use volt_host::files::{self, Publish};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::mount::Source;
use volt_model::name::{Name, Target};
use volt_model::net::unique_local;
use volt_store::{Image, Meant};

/// How many of its last lines an error about a container carries.
const LAST_LINES: u64 = 10;

/// A container that goes when all went well, and the one that has taken its place.
pub(super) type Replaced = (Name, Option<Name>);

/// What the steps of one `up` have in common.
pub(super) struct Doer<'a> {
    pub(super) engine: &'a Engine,
    pub(super) stack: &'a Stack,
    /// The hashes that workloads get, and what they are made of; none where nothing is made.
    planned: Option<(&'a Planned, &'a Up)>,
    /// Which secrets are the stack's own by now.
    owned: Mutex<Option<Owned>>,
    /// How what was done is undone, in its order.
    undo: Mutex<Vec<Undo>>,
    /// What is removed when all went well.
    later: Mutex<Vec<Replaced>>,
    /// Whether what systemd is told of the whole stack is written, which is done before the first start.
    told_systemd: OnceLock<bool>,
}

impl<'a> Doer<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        stack: &'a Stack,
        planned: &'a Planned,
        up: &'a Up,
    ) -> Self {
        let owned = Mutex::new(Some(planned.owned.clone()));
        Self { planned: Some((planned, up)), owned, ..Self::turning(engine, stack) }
    }

    /// One that makes nothing.
    pub(super) fn turning(engine: &'a Engine, stack: &'a Stack) -> Self {
        let (undo, later) = (Mutex::default(), Mutex::default());
        let (planned, owned, told_systemd) = (None, Mutex::default(), OnceLock::new());
        Self { engine, stack, planned, owned, undo, later, told_systemd }
    }

    /// The hash that a workload of a service gets; planned for all of them.
    fn hash(&self, key: &str) -> String {
        let hash = self.planned.and_then(|(planned, _)| planned.hashes.services.get(key));
        hash.cloned().unwrap_or_default()
    }

    pub(super) fn image(&self, key: &str) -> Option<&'a Image> {
        self.planned.and_then(|(planned, _)| planned.images.get(key))
    }

    /// How what was done is undone, in the order in which it was done; and what is removed when nothing is to be undone.
    pub(super) fn into_ends(self) -> (Vec<Undo>, Vec<Replaced>) {
        let undo = self.undo.into_inner().unwrap_or_else(PoisonError::into_inner);
        (undo, self.later.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what systemd is told of the stack, once. Whether something of it was new.
    pub(super) fn tell_systemd(&self) -> Result<bool> {
        if let Some(new) = self.told_systemd.get() {
            return Ok(*new);
        }
        let new = self.engine.write_stack_units(self.stack)?;
        Ok(*self.told_systemd.get_or_init(|| new))
    }

    pub(super) fn undone_by(&self, undo: Undo) {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner).push(undo);
    }

    fn remove_later(&self, name: Name, by: Option<Name>) {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).push((name, by));
    }

    /// Does a step.
    pub(super) fn act(&self, step: &Step, told: &Told<'_>) -> Result<()> {
        let name: Name = step.name.parse().map_err(|error| {
            Error::new(ErrorKind::General, format!("`{}` is no name", step.name)).because(error)
        })?;
        match (step.kind, step.action) {
            (Kind::Network, Action::Recreate) => self.replace_network(&name, step),
            (Kind::Network, _) => self.create_network(&name, step),
            (Kind::Volume, _) => self.create_volume(&name, &step.key, told),
            (Kind::Secret, _) => self.put_secret(&name, &step.key),
            (Kind::Workload, Action::Create) => self.create_or_go_on(&name, step),
            (Kind::Workload, Action::Recreate) => self.recreate(&name, step, told),
            (Kind::Workload, Action::Start) => self.start(&name, step, told),
            (Kind::Workload, Action::Restart) => self.restart(&name, step, None, told),
            (Kind::Workload, Action::Unpause) => {
                self.engine.workload_thaw(&Target::Workload(name.clone()))?;
                self.undone_by(Undo::Thawed(name));
                Ok(())
            }
            (Kind::Workload, Action::Stop) => self.make_room(&name, &step.key, told),
            (Kind::Workload, Action::Remove) => {
                self.make_room(&name, &step.key, told)?;
                let by = self.was_once(&name, &step.key);
                self.remove_later(name, by);
                Ok(())
            }
        }
    }

    /// Whose place a container has that a killed command has set aside: what is kept of it is that one's.
    fn was_once(&self, name: &Name, key: &str) -> Option<Name> {
        let replicas = self.stack.services.get(key).map_or(0, |service| service.replicas);
        let mut all = (1..=replicas).map(|n| names::of_replica(self.stack, key, n));
        all.find(|one| name_of_old(one) == *name)
    }

    fn network_of(&self, name: &Name, key: &str) -> Option<NetCreate> {
        let network = self.stack.networks.get(key)?;
        let subnets = |pool: &volt_compose::stack::Pool| pool.subnet;
        let v4 = network.pools.iter().map(subnets).find_map(|net| match net {
            IpNet::V4(net) => Some(net),
            IpNet::V6(_) => None,
        });
        let v6 = network.pools.iter().map(subnets).find_map(|net| match net {
            IpNet::V6(net) => Some(net),
            IpNet::V4(_) => None,
        });
        let asked = network.enable_ipv6 == Some(true);
        Some(NetCreate {
            name: name.clone(),
            subnet: v4,
            ipv6: v6.or_else(|| asked.then(|| unique_local(&self.engine.seed_of_host(name)))),
            internal: network.internal,
            isolate: false,
            dns: true,
            dhcp: false,
            mtu: network.mtu,
            labels: self.labels(&network.labels, &hash::of(network)),
        })
    }

    /// The labels of a network or a volume.
    pub(super) fn labels(
        &self,
        own: &BTreeMap<String, String>,
        hash: &str,
    ) -> BTreeMap<String, String> {
        let mut labels = own.clone();
        labels.insert(STACK.to_owned(), self.stack.name.to_string());
        labels.insert(HASH.to_owned(), hash.to_owned());
        labels
    }

    fn create_network(&self, name: &Name, step: &Step) -> Result<()> {
        let Some(create) = self.network_of(name, &step.key) else { return Ok(()) };
        let made = self.engine.net_create(create);
        made.map_err(|error| taken(error, "networks", &step.key))?;
        self.undone_by(Undo::Network(name.clone()));
        Ok(())
    }

    fn replace_network(&self, name: &Name, step: &Step) -> Result<()> {
        let Some(create) = self.network_of(name, &step.key) else { return Ok(()) };
        let old = self.engine.net_replace(create)?;
        self.undone_by(Undo::Replaced(Box::new(old)));
        Ok(())
    }

    /// Makes a secret, or gives it another content. One after the other, for they are written down in one file.
    fn put_secret(&self, name: &Name, key: &str) -> Result<()> {
        let content = self.planned.and_then(|(_, up)| up.secrets.get(key));
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(content), Some(owned)) = (content, owned.as_mut()) else { return Ok(()) };
        let before = self.engine.put_secret(&self.stack.name, name, (owned, content))?;
        self.undone_by(Undo::Secret { name: name.clone(), before });
        Ok(())
    }

    /// Makes a workload; `old` is the container whose place it takes, whose own volumes it gets.
    fn create(&self, name: &Name, step: &Step, old: Option<&Spec>) -> Result<()> {
        let (key, hash) = (&step.key, self.hash(&step.key));
        let service = self.stack.services.get(key);
        if service.is_some_and(|service| kind_of(service) != workload::Kind::Container) {
            self.engine.make_plain(self.stack, (key, step.replica, &hash), Publish::New)?;
            self.undone_by(Undo::Made(name.clone()));
            return self.engine.write_stack_dropin(self.stack, key, step.replica).map(drop);
        }
        let (Some(launch), Some(image)) =
            (launch::launch(self.stack, key, step.replica, &hash), self.image(key))
        else {
            return Err(Error::new(ErrorKind::General, format!("{key} is no container")));
        };
        make_folders(&launch)?;
        self.create_own_volumes(&launch, image)?;
        let mut create = wanted(launch, image)?;
        if let Some(container) = self.stack.services.get(key).and_then(|one| one.container()) {
            create.binds.extend(self.engine.config_binds(self.stack, container)?);
        }
        for bind in old.iter().flat_map(|old| &old.binds) {
            let free = create.binds.iter().all(|own| own.target != bind.target);
            if free
                && self.engine.is_image_volume(bind)
                && image.config.volumes.contains(&bind.target)
            {
                create.binds.push(bind.clone());
            }
        }
        self.keep_addresses(&create)?;
        self.engine.container_create(create)?;
        self.undone_by(Undo::Made(name.clone()));
        self.engine.write_stack_dropin(self.stack, key, step.replica).map(drop)
    }

    /// Keeps the addresses that the file gives to others from a container that is given any, so that it has none of them by chance.
    fn keep_addresses(&self, create: &ContainerCreate) -> Result<()> {
        let networks = create.network.iter().flat_map(|(_, networks)| networks);
        let any: Vec<&Name> = networks.filter(|to| to.ip.is_none()).map(|to| &to.network).collect();
        let containers = self.stack.services.values().filter_map(|service| service.container());
        for (key, connection) in containers.flat_map(|container| container.network.connections()) {
            let name = names::of_network(self.stack, key);
            if let Some(ip) = connection.ipv4_address.filter(|_| any.contains(&&name)) {
                self.engine.keep_address(&name, ip)?;
            }
        }
        Ok(())
    }

    /// Puts a new service or task in the place of one, or something else.
    fn recreate_plain(&self, name: &Name, step: &Step, old: Old, told: &Told<'_>) -> Result<()> {
        self.stop(name, &step.key, told)?;
        if matches!(old, Old::Task(..)) {
            // A run that somebody asked for is under way without the timer too, and this is no state to come back to.
            self.engine.task_stop(name)?;
        }
        let wanted = self.stack.services.get(&step.key).map(kind_of);
        let again = wanted == Some(self.engine.kind_of(name));
        self.undone_by(Undo::Plain(Box::new(old)));
        if !again {
            self.engine.stack_delete(name, Written::Kept)?;
            return self.create(name, step, None);
        }
        let hash = self.hash(&step.key);
        let what = (step.key.as_str(), step.replica, hash.as_str());
        self.engine.make_plain(self.stack, what, Publish::Replace)?;
        self.engine.write_stack_dropin(self.stack, &step.key, step.replica).map(drop)
    }

    /// Puts a new container in the place of one that is kept under another name until all is well.
    fn recreate(&self, name: &Name, step: &Step, told: &Told<'_>) -> Result<()> {
        let engine = self.engine;
        if let Some(old) = engine.plain_as_it_is(name)? {
            return self.recreate_plain(name, step, old, told);
        }
        engine.check_set_aside(self.stack, name)?;
        let old = engine.spec(name)?;
        self.stop(name, &step.key, told)?;
        let was = name_of_old(name);
        if engine.container_exists(&was) {
            engine.remove_replaced(vec![(was.clone(), Some(name.clone()))])?;
        }
        engine.container_rename(name, &was)?;
        self.undone_by(Undo::Renamed { was: was.clone(), name: name.clone() });
        self.remove_later(was.clone(), Some(name.clone()));
        self.take_the_place_of(&was, &old, name, step)
    }

    /// Makes a container that is not there. It may be because a command was killed while it made it anew: then it is gone on with.
    fn create_or_go_on(&self, name: &Name, step: &Step) -> Result<()> {
        let was = name_of_old(name);
        match self.engine.spec(&was) {
            Ok(old) if found::stack_of(&old.labels) == Some(self.stack.name.as_str()) => {
                self.take_the_place_of(&was, &old, name, step)
            }
            Ok(_) => self.create(name, step, None),
            Err(error) if error.kind == ErrorKind::NotFound => self.create(name, step, None),
            Err(error) => Err(error),
        }
    }

    fn take_the_place_of(&self, was: &Name, old: &Spec, name: &Name, step: &Step) -> Result<()> {
        // They are the name's: the new one has them, unless it wants others.
        self.engine.pass_addresses(was, name)?;
        self.engine.give_addresses_back(name)?;
        self.engine.start_at_boot(was, false)?;
        // What only had the name before has volumes of its own.
        let is_same = old.labels.get(SERVICE) == Some(&step.key);
        self.create(name, step, Some(old).filter(|_| is_same))
    }

    fn start(&self, name: &Name, step: &Step, told: &Told<'_>) -> Result<()> {
        self.tell_systemd()?;
        self.await_all(step, told)?;
        self.engine.stack_start(name)?;
        self.undone_by(Undo::Started(name.clone()));
        self.engine.run_hooks(self.stack, &step.key, (name, hooks::post_start), &|| told.is_gone())
    }

    /// Stops and starts a workload.
    pub(super) fn restart(
        &self,
        name: &Name,
        step: &Step,
        timeout: Option<Duration>,
        told: &Told<'_>,
    ) -> Result<()> {
        self.tell_systemd()?;
        self.engine.run_last_hooks(self.stack, &step.key, name, &|| told.is_gone());
        self.await_all(step, told)?;
        // Also where it does not come up again.
        self.undone_by(Undo::Stopped(name.clone()));
        self.engine.stack_restart(name, timeout)?;
        self.engine.run_hooks(self.stack, &step.key, (name, hooks::post_start), &|| told.is_gone())
    }

    fn stop(&self, name: &Name, key: &str, told: &Told<'_>) -> Result<()> {
        if !self.engine.stack_state(name)?.is_alive() {
            return Ok(());
        }
        self.engine.run_last_hooks(self.stack, key, name, &|| told.is_gone());
        // They stop with it.
        let sharing = self.engine.running_in_network_of(name)?;
        // Also where nobody waits for its end any more.
        for stopped in [name.clone()].into_iter().chain(sharing) {
            self.undone_by(Undo::Stopped(stopped));
        }
        self.engine.stack_stop(name, None)
    }

    /// Stops what others need something of. What takes its place is not to ask for the same addresses again.
    fn make_room(&self, name: &Name, key: &str, told: &Told<'_>) -> Result<()> {
        self.stop(name, key, told)?;
        let was = name_of_old(name);
        self.engine.pass_addresses(name, &was)?;
        self.engine.give_addresses_back(&was)
    }

    fn await_all(&self, step: &Step, told: &Told<'_>) -> Result<()> {
        step.waits.iter().try_for_each(|wait| self.engine.await_condition(self.stack, wait, told))
    }
}

impl Engine {
    /// Waits until what a service depends on has come as far as it asks.
    fn await_condition(&self, stack: &Stack, wait: &Wait, told: &Told<'_>) -> Result<()> {
        let Some(service) = stack.services.get(&wait.service) else { return Ok(()) };
        let all = (1..=service.replicas).map(|n| names::of_replica(stack, &wait.service, n));
        let reached = all.into_iter().try_for_each(|name| match wait.condition {
            Condition::ServiceStarted => Ok(()),
            Condition::ServiceHealthy => {
                told.say(format!("Waiting until {name} is healthy"));
                self.await_healthy(&name, told.gone)
            }
            Condition::ServiceCompletedSuccessfully => self.await_end(&name, told),
        });
        match reached {
            Err(error) if !wait.required && error.kind != ErrorKind::Interrupted => {
                told.say(format!("{}; it goes on without it", error.chain().join(": ")));
                Ok(())
            }
            other => other,
        }
    }

    fn await_end(&self, name: &Name, told: &Told<'_>) -> Result<()> {
        told.say(format!("Waiting until {name} is done"));
        if self.kind_of(name) != workload::Kind::Container {
            return self.await_completed(name, told.gone).map_err(|error| {
                let lines = match error.kind {
                    ErrorKind::General => self.last_words(name, told.gone),
                    _ => Vec::new(),
                };
                if lines.is_empty() { error } else { error.because(lines.join("\n  ")) }
            });
        }
        let exit = self.container_wait(name, told.gone)?;
        if exit.code == 0 {
            return Ok(());
        }
        let title = format!("{name} did not end well: {} with code {}", exit.reason, exit.code);
        let error = Error::new(ErrorKind::General, title).about(name);
        let error = error.hinted(format!("See `volt logs {name}`"));
        let lines = self.last_words(name, told.gone);
        Err(if lines.is_empty() { error } else { error.because(lines.join("\n  ")) })
    }

    /// The last lines that a workload wrote; none where they can't be read.
    fn last_words(&self, name: &Name, gone: &AtomicBool) -> Vec<String> {
        let query = Query {
            target: Target::Workload(name.clone()),
            follow: false,
            lines: Some(LAST_LINES),
            since: None,
            until: None,
            grep: None,
            stream: None,
        };
        let mut lines = Vec::new();
        let read = self.workload_logs(
            &query,
            &mut |line| {
                lines.push(line.message);
                true
            },
            gone,
        );
        if let Err(error) = read {
            tracing::debug!(%name, error = %error.chain().join(": "), "its last lines can't be read");
        }
        lines
    }
}

/// Makes the folders of the host that a container mounts and that are to be there.
pub(super) fn make_folders(launch: &Launch) -> Result<()> {
    let missing = launch.make_folders.iter().filter(|folder| !Path::new(folder).exists());
    for folder in missing {
        files::create_dirs(folder.as_ref(), 0o755)?;
    }
    Ok(())
}

/// What a container is called while another one takes its place.
pub(super) fn name_of_old(name: &Name) -> Name {
    names::plain(&format!("{name}-was")).expect("it has a letter")
}

/// Whether a container of a stack gives its name to the one that takes its place, or gets it back: what others say of that name is meant
/// for whoever has it.
pub(crate) fn is_set_aside(spec: &Spec, from: &Name, to: &Name) -> bool {
    found::stack_of(&spec.labels).is_some()
        && (name_of_old(from) == *to || name_of_old(to) == *from)
}

fn taken(error: Error, section: &str, key: &str) -> Error {
    match error.kind {
        ErrorKind::AlreadyExists => error.hinted(format!(
            "It is not the stack's: say `external: true` under {section}.{key} to use it, or another `name:`"
        )),
        _ => error,
    }
}

/// A container of a stack in the words of `container create`.
pub(super) fn wanted(launch: Launch, image: &Image) -> Result<ContainerCreate> {
    let reference = launch.image.parse().map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("{} can't be an image", launch.image))
            .because(error)
    })?;
    // An empty command is none, not the image's.
    let none = launch.command.as_ref().is_some_and(Vec::is_empty);
    let entrypoint = launch.entrypoint.or_else(|| none.then(|| image.config.entrypoint.clone()));
    let variable = |(name, value): (String, String)| format!("{name}={value}");
    Ok(ContainerCreate {
        name: Some(launch.name),
        image: Meant::Image(reference),
        command: launch.command.unwrap_or_default(),
        entrypoint,
        env: launch.environment.into_iter().map(variable).collect(),
        user: launch.user,
        workdir: launch.workdir,
        hostname: launch.hostname,
        tty: launch.tty,
        stdin: launch.stdin,
        auto_remove: false,
        boot: launch.boot,
        network: Some((launch.network, launch.networks)),
        publish: launch.publish,
        expose: false,
        binds: launch.binds,
        own_volumes: Vec::new(),
        tmpfs: launch.tmpfs,
        read_only: launch.read_only,
        limits: launch.limits,
        cap_add: launch.cap_add,
        cap_drop: launch.cap_drop,
        seccomp: launch.seccomp,
        restart: launch.restart,
        health: launch.health,
        secrets: launch.secrets,
        stop_signal: launch.stop_signal,
        stop_timeout: launch.stop_timeout,
        ulimits: launch.ulimits,
        around: launch.around,
        standing: launch.standing,
        group_add: launch.group_add,
        labels: launch.labels,
        backend: launch.backend,
    })
}

impl Engine {
    /// Whether this is a volume that was made for a container because its image asks for one.
    fn is_image_volume(&self, bind: &volt_model::mount::Bind) -> bool {
        let Source::Volume(name) = &bind.source else { return false };
        self.owner_of_volume(name).is_some()
    }

    /// What makes the addresses of a network of this host others than those of another.
    fn seed_of_host(&self, network: &Name) -> String {
        let machine = files::read_text("/etc/machine-id".as_ref(), 256).unwrap_or_default();
        format!("{} {network}", machine.trim())
    }
}
