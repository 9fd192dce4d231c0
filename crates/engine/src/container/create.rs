//! Making a container: its record, its ids, its unit. Nothing of the image is copied.

use super::backend;
use crate::Engine;
use crate::error::{Error, Result};
use crate::intent::Intent;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use volt_host::files::{self, Lock, Publish, Stage};
use volt_model::config::is_reserved;
use volt_model::container::{Around, Backend, Mode, Network, Seccomp, Spec, Standing, Ulimit};
use volt_model::health;
use volt_model::kind::ErrorKind;
use volt_model::limits::Limits;
use volt_model::mount::{Bind, Tmpfs};
use volt_model::name::Name;
use volt_model::net::{self, Attachment, connections};
use volt_model::restart::Restart;
use volt_model::secret::SecretMount;
use volt_store::{Hold, Image, Meant};

/// How often a name is made up anew that another command took meanwhile.
const NAME_TRIES: usize = 50;

/// What was asked for, parsed; what isn't said is taken from the image and the configuration.
#[derive(Clone, Debug)]
pub struct Create {
    /// What to call it; made from the image's name where nothing is said.
    pub name: Option<Name>,
    /// The image, or a tree of the store.
    pub image: Meant,
    /// The command, in place of the image's.
    pub command: Vec<String>,
    /// The entrypoint, in place of the image's.
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=VALUE`, over the image's.
    pub env: Vec<String>,
    /// Who runs the command.
    pub user: Option<String>,
    /// Where it starts.
    pub workdir: Option<String>,
    /// The host name inside.
    pub hostname: Option<String>,
    /// A terminal for it.
    pub tty: bool,
    /// Keep its standard input open.
    pub stdin: bool,
    /// Remove the container when it ends.
    pub auto_remove: bool,
    /// Boot the image's own init.
    pub boot: Option<bool>,
    /// Whose network it has, and to which networks it is connected.
    pub network: Option<(Network, Vec<Attachment>)>,
    /// The host's ports that lead to it.
    pub publish: Vec<net::Publish>,
    /// Whether these are open whatever the host's own firewall says.
    pub expose: bool,
    /// Its mounts.
    pub binds: Vec<Bind>,
    /// Where it has volumes of its own, beside those that the image asks for.
    pub own_volumes: Vec<String>,
    /// Its memory file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// Its secrets.
    pub secrets: Vec<SecretMount>,
    /// A root that can't be written to.
    pub read_only: bool,
    /// What it may use.
    pub limits: Limits,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Capabilities to take away.
    pub cap_drop: Vec<String>,
    /// The syscall filter.
    pub seccomp: Seccomp,
    /// When it is started again.
    pub restart: Restart,
    /// How it is found out whether it is well, over what the image says.
    pub health: health::Wanted,
    /// The signal that asks the command to end.
    pub stop_signal: Option<u8>,
    /// Seconds between that signal and the kill.
    pub stop_timeout: Option<u32>,
    /// Limits of its processes.
    pub ulimits: Vec<Ulimit>,
    /// What it finds around it.
    pub around: Around,
    /// How it stands against what else the host runs.
    pub standing: Standing,
    /// Groups that its command has besides its user's.
    pub group_add: Vec<String>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// What runs it; what the host can do where nothing is said.
    pub backend: Option<Backend>,
}

impl Engine {
    /// Makes a container.
    ///
    /// # Errors
    /// `AlreadyExists` for a taken name, `NotFound` for an image or volume, `InvalidConfig` for what can't be, `Dependency` for what
    /// the host can't do.
    pub fn container_create(&self, create: Create) -> Result<super::View> {
        if create.name.is_some() {
            return self.create_named(create);
        }
        // Somebody else may take the name that was free a moment ago.
        for _ in 0..NAME_TRIES {
            match self.create_named(create.clone()) {
                Err(error) if error.kind == ErrorKind::AlreadyExists => {}
                done => return done,
            }
        }
        self.create_named(create)
    }

    fn create_named(&self, create: Create) -> Result<super::View> {
        let name = match &create.name {
            Some(name) => name.clone(),
            None => self.free_name(&create.image)?,
        };
        // Names of containers before those of images, as everywhere: whoever has one and waits for the other is in nobody's way.
        let _lock = self.lock_name(&name)?;
        // While it is held no tree vanishes; after it the intent keeps this one, and then the record.
        let hold = self.images().hold()?;
        let found = self.images().find(&create.image);
        let found = found.map_err(|e| missing_image(e.into(), &create.image))?;
        let image = &found.image;
        self.refuse_taken(&name)?;
        let more = create.own_volumes.clone();
        let (mut spec, environment) = self.checked_container(name.clone(), create, image)?;
        self.check_owner_of_network(&spec)?;
        let own = self.add_image_volumes(&mut spec, image, &more)?;
        self.check_binds(&spec)?;
        // Held as the volumes below, in the order of their names.
        let secrets: BTreeSet<&Name> = spec.secrets.iter().map(|secret| &secret.name).collect();
        let secrets: Vec<Name> = secrets.into_iter().cloned().collect();
        let _secrets =
            secrets.iter().map(|name| self.lock_secret(name)).collect::<Result<Vec<Lock>>>()?;
        self.check_secrets(&spec)?;
        let _networks = self.hold_networks(&spec.networks)?;
        self.refuse_ports_that_lead_nowhere(&spec)?;
        let _ports = self.choose_ports(&mut spec)?;
        // Held until the record says that they are in use: else one might be removed meanwhile.
        let _volumes = self.lock_volumes(spec.binds.iter().filter_map(volume_of))?;
        self.check_mounted(&spec)?;
        self.make_missing_volumes(&spec.binds, &own)?;
        self.make_whole(&mut spec, &environment, (&own, Some(hold)))?;
        drop(found);
        self.view(&spec)
    }

    /// Makes a container and its own volumes, or nothing. The name and the volumes must be locked, and its tree wanted by somebody until
    /// the intent wants it; names of images are let go then.
    pub(super) fn make_whole(
        &self,
        spec: &mut Spec,
        environment: &super::record::Environment,
        (own, hold): (&[Name], Option<Hold>),
    ) -> Result<()> {
        // From here on the disk changes; what a killed command leaves is found by its intent.
        let name = spec.name.clone();
        let (volumes, tree) = (own.to_vec(), spec.tree.clone());
        self.intend(&Intent::Create { name: name.clone(), volumes, tree })?;
        drop(hold);
        let made = self.make_image_volumes(spec, own).and_then(|()| self.make(spec, environment));
        if let Err(error) = made {
            let undone = self.undo_create(&name, own).and_then(|()| self.fulfil(&name));
            if let Err(undo) = undone {
                tracing::error!(%name, error = %undo.chain().join(": "), "a container half made could not be undone");
            }
            return Err(error);
        }
        self.fulfil(&name)
    }

    fn make(&self, spec: &mut Spec, environment: &super::record::Environment) -> Result<()> {
        let backend = self.backend_of(spec);
        if backend.maps_ids() {
            spec.ids = Some(self.claim_ids(&spec.name)?);
        }
        for attachment in &spec.networks {
            let network = self.network(&attachment.network)?;
            self.own_number(&network, &spec.name, attachment)?;
        }
        let stage = Stage::new(&self.paths().stages(), spec.name.as_str())?;
        write_record(stage.path(), spec, environment)?;
        if self.backend_of(spec).has_layer() {
            self.dress_layer(spec, &stage.path().join("upper"))?;
        }
        files::create_dirs(&self.paths().containers(), 0o755)?;
        stage.publish(&self.paths().container(&spec.name), Publish::New)?;
        backend.install(self, spec)
    }

    /// Takes away what a creation had made, these volumes too. Their locks and that of the name must be held.
    pub(crate) fn undo_create(&self, name: &Name, volumes: &[Name]) -> Result<()> {
        for kind in Backend::ALL {
            backend::of(kind).uninstall(self, name)?;
        }
        files::remove_tree(&self.paths().container(name))?;
        for volume in volumes {
            self.remove_volume(volume)?;
        }
        self.give_addresses_back(name)?;
        self.release_ids(name)
    }

    /// Does what a killed creation had not yet done. The name's lock must be held.
    pub(crate) fn finish_create(&self, name: &Name) -> Result<()> {
        let spec = self.spec(name)?;
        self.backend_of(&spec).install(self, &spec)
    }

    pub(crate) fn refuse_taken(&self, name: &Name) -> Result<()> {
        if is_reserved(name) {
            return Err(
                Error::new(ErrorKind::Usage, format!("The name {name} is Volt's own")).about(name)
            );
        }
        if self.container_exists(name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("There is a container named {name} already"),
            )
            .about(name)
            .hinted(format!(
                "Remove it with `volt container delete {name}`, or choose another name"
            )));
        }
        for (kind, taken) in
            [("service", self.service_exists(name)), ("task", self.task_exists(name))]
        {
            if taken {
                let title = format!("There is a {kind} named {name} already");
                return Err(Error::new(ErrorKind::AlreadyExists, title).about(name).hinted(
                    format!("Remove it with `volt {kind} delete {name}`, or choose another name"),
                ));
            }
        }
        self.refuse_name_of_tap(name)
    }

    /// A name that is free, made from the image's: `debian-trixie`, `debian-trixie-2`, …
    fn free_name(&self, image: &Meant) -> Result<Name> {
        let (last, tag) = image.words();
        let clean = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let stem: String = format!("{last}-{tag}").chars().map(clean).take(50).collect();
        let stem = stem.trim_matches('-');
        let mut taken = self.container_names()?;
        taken.extend(self.service_names()?);
        taken.extend(self.task_names()?);
        (1..10_000)
            .map(|n| if n == 1 { stem.to_owned() } else { format!("{stem}-{n}") })
            .filter_map(|text| text.parse::<Name>().ok())
            .find(|name| !taken.contains(name) && !is_reserved(name))
            .ok_or_else(|| {
                Error::new(ErrorKind::Resource, "No name is free").hinted("Give one with --name")
            })
    }

    /// A container as it is kept, if it can be; what comes with it and who has the name is not looked at.
    pub(crate) fn checked_container(
        &self,
        name: Name,
        create: Create,
        image: &Image,
    ) -> Result<(Spec, Vec<String>)> {
        let (mut spec, environment) = self.resolve(name, create, image)?;
        self.backend_of(&spec).check(self, &spec)?;
        super::disks::name_disks(&mut spec.limits)?;
        Ok((spec, environment))
    }

    /// Puts together what was asked for, what the image says and what the configuration says.
    fn resolve(&self, name: Name, create: Create, image: &Image) -> Result<(Spec, Vec<String>)> {
        let config = self.config()?;
        let backend = self.choose_backend(create.backend, &config.container.backend)?;
        // An image with an init of its own is a machine, unless a command or a terminal for one was asked for.
        let machine = image.config.boot
            && create.command.is_empty()
            && create.entrypoint.is_none()
            && !create.tty;
        // What was asked for is refused where it can't be; what only the image suggests gives way.
        let boots = create.boot.unwrap_or(machine && backend::of(backend).can_boot());
        let mode = if boots { Mode::Boot } else { Mode::App };
        if boots && backend::of(backend).can_boot() {
            super::boots::check(&create, image)?;
        }
        let command = if mode == Mode::Boot { Vec::new() } else { command_of(&create, image)? };
        let only = backend::of(backend).only_network().map(|network| (network, Vec::new()));
        let (network, networks) = match create.network.or(only) {
            Some(network) => network,
            None => self.usual_network(config.container.network)?,
        };
        let stop_signal = match (create.stop_signal, image.config.stop_signal.as_deref()) {
            (Some(signal), _) => signal,
            (None, Some(text)) => volt_model::container::parse_signal(text).unwrap_or(15),
            (None, None) => 15,
        };
        let environment = merged_environment(&image.config.env, &create.env)?;
        let health = health_of(create.health, image, backend)?;
        let spec = Spec {
            version: Spec::VERSION,
            image: image.name.clone(),
            tree: image.tree.to_string(),
            backend,
            mode,
            command,
            user: create.user.or_else(|| image.config.user.clone()),
            workdir: create.workdir.or_else(|| image.config.workdir.clone()),
            hostname: create.hostname.unwrap_or_else(|| match &network {
                Network::Container(other) => other.to_string(),
                Network::None | Network::Host => name.to_string(),
            }),
            tty: create.tty,
            stdin: create.stdin,
            auto_remove: create.auto_remove,
            network,
            networks,
            publish: create.publish,
            expose: create.expose,
            binds: create.binds,
            tmpfs: create.tmpfs,
            secrets: create.secrets,
            read_only: create.read_only,
            limits: create.limits,
            cap_add: create.cap_add,
            cap_drop: create.cap_drop,
            seccomp: create.seccomp,
            restart: create.restart,
            health,
            stop_signal,
            stop_timeout: create.stop_timeout.unwrap_or(config.container.stop_timeout),
            ulimits: create.ulimits,
            around: create.around,
            standing: create.standing,
            group_add: create.group_add,
            labels: create.labels,
            ids: None,
            created: Timestamp::now(),
            name,
        };
        validate(&spec)?;
        Ok((spec, environment))
    }

    /// Refuses to share the network of what is no container, or has none of its own.
    pub(crate) fn check_owner_of_network(&self, spec: &Spec) -> Result<()> {
        let Network::Container(other) = &spec.network else { return Ok(()) };
        let owner = self.spec(other)?;
        if owner.backend.is_systemds() && owner.network == Network::None && *other != spec.name {
            return Ok(());
        }
        Err(no_network_to_share(spec, other, &owner.network))
    }

    /// The network of whoever asked for none. That which all have is not there for an installation below a folder.
    fn usual_network(&self, configured: String) -> Result<(Network, Vec<Attachment>)> {
        if self.paths().root.is_some() && configured == net::DEFAULT {
            return Ok((Network::None, Vec::new()));
        }
        connections(&[configured]).map_err(|e| invalid("container.network", e))
    }

    /// Locks volumes, in the order of their names.
    pub(crate) fn lock_volumes<'a>(
        &self,
        names: impl IntoIterator<Item = &'a Name>,
    ) -> Result<Vec<Lock>> {
        let names: BTreeSet<&Name> = names.into_iter().collect();
        names.into_iter().map(|name| self.lock_volume(name)).collect()
    }

    /// As with other engines a volume that isn't there is made; those of the container's own are not among them. The volumes must
    /// be locked.
    pub(super) fn make_missing_volumes(&self, binds: &[Bind], own: &[Name]) -> Result<()> {
        for name in binds.iter().filter_map(volume_of) {
            if !own.contains(name) && !self.volume_exists(name) {
                drop(self.make_volume(name, BTreeMap::new())?);
            }
        }
        Ok(())
    }
}

/// Whose network a container can't share, having none of its own but this.
pub(crate) fn no_network_to_share(spec: &Spec, other: &Name, network: &Network) -> Error {
    let title = format!("{other} has no network of its own that {} could share", spec.name);
    Error::new(ErrorKind::Usage, title)
        .about(&spec.name)
        .hinted(format!("Say what it has itself: --network {network}"))
}

/// The volume that is mounted, if it is one.
pub(super) fn volume_of(bind: &Bind) -> Option<&Name> {
    bind.source.volume()
}

/// Writes the files of a record into `dir`.
fn write_record(
    dir: &std::path::Path,
    spec: &Spec,
    environment: &super::record::Environment,
) -> Result<()> {
    for folder in ["upper", "work", "rootfs"] {
        files::create_dirs(&dir.join(folder), 0o755)?;
    }
    files::write_json(&dir.join("environment.json"), environment, 0o640)?;
    files::share_with_group(&dir.join("environment.json"), crate::GROUP)?;
    files::write_json(&dir.join("config.json"), spec, 0o644)?;
    super::told::tell_new(dir)?;
    // What its root writes is root's on the disk, set-user-id programs too: nobody else on the host is to get at them. proot, which maps no
    // ids, looks its files up as whoever its program has become.
    files::share_with_group(dir, crate::GROUP)?;
    files::set_mode(dir, if spec.backend == Backend::Systemd { 0o750 } else { 0o755 })?;
    Ok(())
}

fn missing_image(error: Error, image: &Meant) -> Error {
    match (error.kind, image) {
        (ErrorKind::NotFound, Meant::Image(image)) => {
            error.hinted(format!("Get it with `volt image pull {image}`, or see `volt image list`"))
        }
        _ => error,
    }
}

pub(super) fn invalid(key: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("The configuration's {key} is wrong"))
        .because(error)
}

/// The entrypoint and the command behind it: what was asked for over what the image says.
fn command_of(create: &Create, image: &Image) -> Result<Vec<String>> {
    let entrypoint = create.entrypoint.as_ref().unwrap_or(&image.config.entrypoint);
    let given = !create.command.is_empty() || create.entrypoint.is_some();
    let rest = if given { &create.command } else { &image.config.cmd };
    let all: Vec<String> = entrypoint.iter().chain(rest).cloned().collect();
    if !all.is_empty() {
        return Ok(all);
    }
    Err(Error::new(ErrorKind::Usage, format!("The image {} names no command", create.image))
        .about(&create.image)
        .hinted("Give one behind the image's name, such as /bin/sh, or --boot it"))
}

/// The check of a container: what was asked for over what the image says, which gives way where nobody could look.
fn health_of(
    wanted: health::Wanted,
    image: &Image,
    backend: Backend,
) -> Result<Option<health::Check>> {
    let of_image = image.config.healthcheck.clone().filter(|_| backend.is_systemds());
    let of_image = of_image.and_then(|value| serde_json::from_value(value).ok());
    let base = of_image.and_then(health::OfImage::check);
    if wanted.is_empty() {
        return Ok(base);
    }
    wanted.over(base.as_ref()).map_err(|error| {
        Error::new(ErrorKind::Usage, "The health check can't be so").because(error)
    })
}

/// `base` with `over` put over it, by name; what has no `=` or a bad name is refused.
pub(crate) fn merged_environment(base: &[String], over: &[String]) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for entry in base.iter().chain(over) {
        let name = entry.split_once('=').map(|(name, _)| name).filter(|name| !name.is_empty());
        let Some(name) = name.filter(|_| !entry.contains('\0')) else {
            return Err(Error::new(
                ErrorKind::Usage,
                "An environment variable is written NAME=VALUE",
            )
            .about(&entry.split('=').next().unwrap_or_default()));
        };
        let prefix = format!("{name}=");
        all.retain(|old| !old.starts_with(&prefix));
        all.push(entry.clone());
    }
    Ok(all)
}

/// With the host's network a container's capabilities reach nothing of it: the network belongs to the host's user namespace, they
/// are those of the container's own.
fn refuse_useless_capabilities(spec: &Spec) -> Result<()> {
    if spec.network != Network::Host || !backend::of(spec.backend).maps_ids() {
        return Ok(());
    }
    let plain = |word: &String| word.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    let useless = |word: &String| word.starts_with("NET_");
    let Some(word) = spec.cap_add.iter().map(plain).find(useless) else { return Ok(()) };
    let hint = match word.as_str() {
        "NET_BIND_SERVICE" => {
            "Let everybody on the host have the port: sysctl net.ipv4.ip_unprivileged_port_start=80"
        }
        _ => "Leave it out; what must change the host's network is no container",
    };
    let title = format!("{word} can do nothing in the network of the host");
    Err(Error::new(ErrorKind::Usage, title)
        .about(&spec.name)
        .because("the network is the host's, and the container's root is not the host's".to_owned())
        .hinted(hint))
}

/// Ports of the host lead to a container through its first network.
fn refuse_unreachable_ports(spec: &Spec) -> Result<()> {
    if spec.publish.is_empty() || !spec.networks.is_empty() {
        return Ok(());
    }
    let title = format!("No port can lead to {}: it is connected to no network", spec.name);
    let hint = match &spec.network {
        Network::Container(_) => {
            "With another container's network its ports are that one's: publish them there"
        }
        Network::Host => "With the host's network its ports are the host's: leave --publish out",
        Network::None => "Connect it to one: --network volt0",
    };
    Err(Error::new(ErrorKind::Usage, title).about(&spec.name).hinted(hint))
}

/// What is removed when it ends can't be started again.
pub(super) fn refuse_restart_of_removed(spec: &Spec) -> Result<()> {
    if !spec.auto_remove || spec.restart == Restart::No {
        return Ok(());
    }
    let title = "A container that is removed when it ends can't be started again then";
    Err(Error::new(ErrorKind::Usage, title)
        .about(&spec.name)
        .hinted(format!("Choose one of --rm and --restart {}", spec.restart)))
}

/// What goes through the host's network is not the container's alone.
pub(super) fn refuse_rate_of_host(spec: &Spec) -> Result<()> {
    if spec.limits.rate.is_none() || spec.network == Network::None {
        return Ok(());
    }
    let whose = match &spec.network {
        Network::Container(other) => {
            format!("the network of {other}, where its rate is that one's")
        }
        _ => "the host's network, which has no rate".to_owned(),
    };
    let title = format!("The container {} has {whose}", spec.name);
    Err(Error::new(ErrorKind::Usage, title)
        .about(&spec.name)
        .hinted("Leave out --rate, or connect it to a network of its own"))
}

fn validate(spec: &Spec) -> Result<()> {
    let wrong = |e: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Usage, format!("The container {} can't be so", spec.name))
            .about(&spec.name)
            .because(e)
    };
    refuse_restart_of_removed(spec)?;
    refuse_useless_capabilities(spec)?;
    refuse_unreachable_ports(spec)?;
    refuse_rate_of_host(spec)?;
    crate::health::refuse_useless(spec)?;
    spec.limits.validate().map_err(|e| wrong(e.into()))?;
    spec.capabilities().map_err(|e| wrong(e.into()))?;
    spec.around.validate().map_err(|e| wrong(e.into()))?;
    spec.standing.validate().map_err(|e| wrong(e.into()))?;
    if matches!(spec.network, Network::Container(_)) && spec.around.has_names() {
        return Err(wrong("it finds names as that one does whose network it has".into()));
    }
    if spec.network != Network::None && !spec.around.sysctls.is_empty() {
        return Err(wrong(
            "what is set below net. is that of the network, which is not its own".into(),
        ));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if spec.hostname.is_empty() || spec.hostname.len() > 64 || !spec.hostname.chars().all(plain) {
        return Err(wrong(format!("`{}` is no host name", spec.hostname).into()));
    }
    if spec.workdir.as_deref().is_some_and(|dir| !dir.starts_with('/')) {
        return Err(wrong("the working directory must be an absolute path".into()));
    }
    if spec.command.iter().any(|word| word.contains('\0')) {
        return Err(wrong("a word of the command has a NUL in it".into()));
    }
    let mut targets: Vec<&str> = spec
        .binds
        .iter()
        .map(|b| b.target.as_str())
        .chain(spec.tmpfs.iter().map(|t| t.target.as_str()))
        .chain(spec.secrets.iter().map(|s| s.target.as_str()))
        .collect();
    targets.sort_unstable();
    match targets.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(wrong(format!("two mounts have the target {}", pair[0]).into())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_together_is_refused() {
        let base = crate::system::tests::spec("web");
        assert!(validate(&base).is_ok());
        let capable =
            |network, cap: &str| Spec { network, cap_add: vec![cap.into()], ..base.clone() };
        for (spec, ok) in [
            (capable(Network::Host, "NET_BIND_SERVICE"), false),
            (capable(Network::Host, "cap_net_admin"), false),
            (capable(Network::Host, "NET_RAW"), false),
            (capable(Network::Host, "SYS_NICE"), true),
            (capable(Network::None, "NET_RAW"), true),
            (Spec { auto_remove: true, ..base.clone() }, true),
            (Spec { restart: Restart::Always, ..base.clone() }, true),
            (Spec { auto_remove: true, restart: Restart::Always, ..base.clone() }, false),
            (Spec { auto_remove: true, restart: Restart::OnFailure(None), ..base.clone() }, false),
        ] {
            assert_eq!(validate(&spec).is_ok(), ok, "{spec:?}");
        }
    }

    #[test]
    fn environments_merge_by_name() {
        let base = ["PATH=/bin".to_owned(), "A=1".to_owned()];
        let over = ["A=2=3".to_owned(), "B=".to_owned()];
        assert_eq!(merged_environment(&base, &over).unwrap(), ["PATH=/bin", "A=2=3", "B="]);
        assert!(merged_environment(&[], &["=x".to_owned()]).is_err());
        assert!(merged_environment(&[], &["x".to_owned()]).is_err());
    }
}
