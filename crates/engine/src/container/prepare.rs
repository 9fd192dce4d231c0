//! What a container needs before it runs: its root, its network namespace, its files. Called by `volt-prepare@NAME.service`, so
//! that `systemctl start`, `Restart=` and a reboot take the same path as `volt start`; needs no daemon.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use volt_host::files::{self, Attributes, RootDir};
use volt_host::mounts::{self, MountAttributes};
use volt_host::namespaces::{self, NetNs};
use volt_host::process::Identity;
use volt_model::container::{Backend, Mode, Network, Spec, proot, unit};
use volt_model::initspec::{InitRlimit, InitSpec, InitUser};
use volt_model::kind::ErrorKind;
use volt_model::mount::Source;
use volt_model::name::Name;
use volt_model::net::Attached;

/// What the roots of containers have as their source in lists of mounts.
const SOURCE: &str = "volt";
/// What every program finds in its environment where neither the image nor the user says otherwise.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Engine {
    /// Prepares a container; whatever is there already is used. On failure what was made is taken away again.
    ///
    /// # Errors
    /// `NotFound`; `General` with what the kernel refused.
    pub fn prepare(&self, name: &Name) -> Result<()> {
        let _root = self.lock_root(name)?;
        // Nobody has locked the name: what a killed restore left half done is finished here.
        self.finish_restore_begun(name)?;
        // Asked for again while it runs, or still is on its way down: what is there serves the next run too.
        if !self.is_held_by_a_run(name)? {
            self.make_ready_or_nothing(&self.spec(name)?)?;
        }
        // From here on it is the unit that releases.
        files::remove_file(&self.prepared_path(name))?;
        files::remove_file(&self.ahead_path(name))?;
        Ok(())
    }

    /// Prepares a container that is about to be started here, so that its unit for that has nothing left to do: systemd skips it
    /// while `RUN_DIR/prepared` lies there, and whoever winds up the run releases. The root's lock must be held, and systemd not be
    /// at work on the container. What the unit has prepared is left to it.
    pub(super) fn prepare_ahead(&self, spec: &Spec) -> Result<()> {
        let name = &spec.name;
        self.wind_up_dead(name)?;
        let root = self.paths().container(name).join("rootfs");
        let mounted = mounts::is_mount_point(&root)
            .map_err(|e| failed("The root can't be looked at", name, e))?;
        if !sees_what_systemd_sees() || (mounted && !self.is_prepared_ahead(name)) {
            return Ok(());
        }
        self.make_ready_or_nothing(spec)?;
        Ok(files::write_volatile(&self.prepared_path(name), b"", 0o644)?)
    }

    /// Notes that what was prepared ahead is in use: the unit is skipped for this start alone, since one that is asked for while the run ends
    /// must find it, or make it.
    pub(super) fn prepared_is_used(&self, name: &Name) -> Result<()> {
        let (from, to) = (self.prepared_path(name), self.ahead_path(name));
        match std::fs::rename(&from, &to) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(files::Error::new("rename", &from, e).into())
            }
            _ => Ok(()),
        }
    }

    /// Whether a container was prepared by whoever started it, not by its unit.
    pub(super) fn is_prepared_ahead(&self, name: &Name) -> bool {
        self.prepared_at(name).is_some()
    }

    /// When it was.
    pub(super) fn prepared_at(&self, name: &Name) -> Option<SystemTime> {
        let at = |path: PathBuf| std::fs::metadata(path).and_then(|data| data.modified()).ok();
        at(self.prepared_path(name)).or_else(|| at(self.ahead_path(name)))
    }

    /// Whether a run is not wound up whose process lives.
    fn is_held_by_a_run(&self, name: &Name) -> Result<bool> {
        Ok(self.open_run(name).is_some()
            && self.systemd().unit_status(&unit::name(name))?.main_pid.is_some())
    }

    fn ahead_path(&self, name: &Name) -> PathBuf {
        self.paths().container_run(name).join("ahead")
    }

    fn prepared_path(&self, name: &Name) -> PathBuf {
        self.paths().container_run(name).join("prepared")
    }

    fn make_ready_or_nothing(&self, spec: &Spec) -> Result<()> {
        let made = self.make_ready(spec);
        if made.is_err()
            && let Err(error) = self.release(&spec.name)
        {
            tracing::error!(name = %spec.name, error = %error.chain().join(": "), "what was prepared could not be taken away");
        }
        made
    }

    fn make_ready(&self, spec: &Spec) -> Result<()> {
        let run = self.paths().container_run(&spec.name);
        files::create_dirs(&run, 0o755)?;
        // What the last run left must not be taken for this one's.
        for stale in ["failure", "exit", "leader", "stop-timeout", super::exited::RECORDED] {
            files::remove_file(&run.join(stale))?;
        }
        clear_hold(&run)?;
        clear_after_nspawn(&spec.name)?;
        self.mount_parts(spec, &run)?;
        self.mount_root(spec)?;
        let attached = match spec.network {
            Network::None => self.make_namespace(spec)?,
            // The other one makes it, and the files of names with it.
            Network::Host | Network::Container(_) => None,
        };
        self.give_secrets(spec, &run)?;
        self.write_guest_files(spec, &run, attached.as_ref())
    }

    /// Shows the parts of volumes that a container has at places of Volt's own: what is mounted there now can't become a link that leads
    /// elsewhere when nspawn looks it up. For proot, which only passes paths on, so is all that has a mount of its own: volumes, what it must
    /// not write to, and memory.
    fn mount_parts(&self, spec: &Spec, run: &Path) -> Result<()> {
        let by_proot = spec.backend == Backend::ProotUnit;
        // What proot looks up it looks up as whoever its program has become.
        let mode = if by_proot { 0o755 } else { 0o700 };
        files::create_dirs(&run.join(unit::PARTS), mode)?;
        if by_proot {
            files::create_dirs(&run.join(unit::CLOSED), 0o700)?;
        }
        for (number, bind) in spec.binds.iter().enumerate() {
            let place = match bind.source {
                Source::Host(_) => unit::closed_path(number),
                Source::Volume(_) | Source::Part(..) => unit::part_of_volume(number),
            };
            self.mount_part(spec, bind, &run.join(place))?;
        }
        for (number, tmpfs) in spec.tmpfs.iter().enumerate().filter(|_| by_proot) {
            let place = run.join(unit::memory_of(number));
            if !is_mounted(spec, &place)? {
                mounts::mount_memory(&place, tmpfs.size.map(|size| size.0))
                    .map_err(|e| failed("A memory file system can't be mounted", &spec.name, e))?;
            }
        }
        Ok(())
    }

    fn mount_part(&self, spec: &Spec, bind: &volt_model::mount::Bind, place: &Path) -> Result<()> {
        let by_proot = spec.backend == Backend::ProotUnit;
        let (volume, part) = match &bind.source {
            Source::Part(volume, part) => (volume, part.as_str()),
            Source::Volume(volume) if by_proot => (volume, "."),
            Source::Host(path) if by_proot && bind.read_only => {
                if is_mounted(spec, place)? {
                    return Ok(());
                }
                return mounts::bind_at(path.as_ref(), place, MountAttributes::MOUNT_ATTR_RDONLY)
                    .map_err(|e| failed(&format!("{path} can't be mounted"), &spec.name, e));
            }
            Source::Volume(_) | Source::Host(_) => return Ok(()),
        };
        if is_mounted(spec, place)? {
            return Ok(());
        }
        let mut attributes = MountAttributes::empty();
        attributes.set(MountAttributes::MOUNT_ATTR_NOSUID, by_proot);
        attributes.set(MountAttributes::MOUNT_ATTR_RDONLY, by_proot && bind.read_only);
        mounts::bind_beneath(&self.volume_data(volume), part.as_ref(), place, attributes).map_err(
            |e| {
                let kind = match e.source.kind() {
                    std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                    _ => ErrorKind::General,
                };
                Error::new(kind, format!("The volume {volume} has no {part} to mount"))
                    .about(&spec.name)
                    .because(e)
                    .hinted("It must be there, and no part of the path be a link")
            },
        )
    }

    /// Makes the network namespace, and plugs it into the networks.
    fn make_namespace(&self, spec: &Spec) -> Result<Option<Attached>> {
        if self.attached(&spec.name).is_some() {
            // Whoever connected it was killed. As long as that is written down, it would be put back while it is made anew here.
            self.plug_out(&spec.name)?;
        }
        let path = self.paths().container_netns(&spec.name);
        let namespace = match namespaces::is_netns(&path)? {
            true => NetNs::open(&path)?,
            false => NetNs::create(&path)?,
        };
        let attached = self.plug_in(spec, &namespace)?;
        for (setting, value) in spec.around.settings() {
            namespace.set(&setting, value).map_err(|e| {
                failed(&format!("{setting} can't be set to {value}"), &spec.name, e)
            })?;
        }
        Ok(attached)
    }

    /// Mounts the container's root: its writable layer over the image's tree.
    pub(super) fn mount_root(&self, spec: &Spec) -> Result<()> {
        let dir = self.paths().container(&spec.name);
        let root = dir.join("rootfs");
        if mounts::is_overlay_root(&root, SOURCE)
            .map_err(|e| failed("The root can't be looked at", &spec.name, e))?
        {
            // Whoever mounted it may have been killed before the rest.
            return self.complete_root(spec, &root);
        }
        let lower = self.assembled_root(spec)?;
        let (upper, work) = (dir.join("upper"), dir.join("work"));
        let overlay = mounts::Overlay {
            lower: &[lower.layer()],
            writable: Some((&upper, &work)),
            target: &root,
            idmap: spec.ids.map(|ids| mounts::IdMap::of(ids.base())),
            attributes: attributes_of_root(spec),
            source: SOURCE,
        };
        mounts::overlay_root(&overlay)
            .map_err(|e| self.unless_full(failed("The root can't be mounted", &spec.name, e)))?;
        self.complete_root(spec, &root)
    }

    /// Makes what nspawn and Volt mount upon, where the image doesn't have it: nspawn would make it with an owner that is nobody.
    pub(super) fn complete_root(&self, spec: &Spec, root: &Path) -> Result<()> {
        let (uid, gid) = match spec.ids {
            Some(ids) => (ids.base(), ids.base()),
            None if self.is_rootless() => files::owner(root)?,
            None => (0, 0),
        };
        let attributes = |mode| Attributes { uid, gid, mode, mtime: None };
        let inside = RootDir::open(root)?;
        for dir in ["usr", "etc", "proc", "sys", "dev", "run", "tmp", "var"] {
            if inside.metadata_followed(dir.as_ref()).is_err() {
                inside.mkdir_all(
                    dir.as_ref(),
                    attributes(if dir == "tmp" { 0o1777 } else { 0o755 }),
                )?;
            }
        }
        if spec.backend.is_proot() {
            // What isn't there proot would make for the while, as a folder that nobody may read.
            inside.mkdir_all(proot::INSIDE.trim_start_matches('/').as_ref(), attributes(0o755))?;
        }
        for file in ["etc/hosts", "etc/resolv.conf", "etc/hostname"] {
            let usable = inside
                .metadata_followed(file.as_ref())
                .is_ok_and(|m| m.kind == files::FileKind::File);
            if !usable {
                // A link that leads nowhere (systemd-resolved's, say) gives way to a plain file.
                drop(inside.remove_file(file.as_ref()));
                inside.write_file(file.as_ref(), &mut std::io::empty(), attributes(0o644))?;
            }
        }
        for tmpfs in &spec.tmpfs {
            let target = Path::new(tmpfs.target.trim_start_matches('/'));
            if inside.metadata_followed(target).is_err() {
                inside.mkdir_all(target, attributes(0o755))?;
            }
        }
        for bind in &spec.binds {
            self.make_target(&inside, bind, attributes(0o755))?;
        }
        // What is in memory anyway is made there by nspawn.
        for secret in spec.secrets.iter().filter(|secret| !secret.target.starts_with("/run/")) {
            let target = Path::new(secret.target.trim_start_matches('/'));
            if inside.metadata_followed(target).is_err() {
                make_file(&inside, target, attributes(0o755))?;
            }
        }
        Ok(())
    }

    /// Makes the folder or file that a volume or a path of the host is mounted upon.
    fn make_target(
        &self,
        inside: &RootDir,
        bind: &volt_model::mount::Bind,
        attributes: Attributes,
    ) -> Result<()> {
        let target = Path::new(bind.target.trim_start_matches('/'));
        if inside.metadata_followed(target).is_ok() {
            return Ok(());
        }
        let is_file = match &bind.source {
            Source::Host(path) => Path::new(path).is_file(),
            Source::Volume(_) => false,
            Source::Part(name, part) => self.volume_data(name).join(part).is_file(),
        };
        if !is_file {
            return Ok(inside.mkdir_all(target, attributes)?);
        }
        make_file(inside, target, attributes)
    }

    fn write_guest_files(
        &self,
        spec: &Spec,
        run: &Path,
        attached: Option<&Attached>,
    ) -> Result<()> {
        let hosts = self.hosts_file(spec, attached);
        files::write_volatile(&run.join("hosts"), hosts.as_bytes(), 0o644)?;
        let hostname = format!("{}\n", spec.hostname);
        files::write_volatile(&run.join("hostname"), hostname.as_bytes(), 0o644)?;
        let resolv = self.resolv_file(spec, attached)?;
        files::write_volatile(&run.join("resolv.conf"), resolv.as_bytes(), 0o644)?;
        if spec.mode != Mode::App {
            return Ok(());
        }
        let text = self.rendered(spec, &self.init_spec(spec)?)?;
        if spec.backend.is_proot() {
            return self.show_init(run, &text);
        }
        let path = run.join("spec");
        files::write_volatile(&path, &text, 0o400)?;
        match spec.ids {
            Some(ids) => Ok(files::set_owner(&path, ids.base(), ids.base())?),
            None => Ok(()),
        }
    }

    /// Shows init what it reads, where proot runs it. It, which executes the command, is mounted upon a file that lies there: what
    /// isn't there proot makes, with a mode that nobody can read.
    pub(super) fn show_init(&self, run: &Path, text: &[u8]) -> Result<()> {
        let shown = run.join(unit::SHOWN);
        files::create_dirs(&shown, 0o700)?;
        files::write_volatile(&shown.join("init"), b"", 0o600)?;
        Ok(files::write_volatile(&shown.join("spec"), text, 0o600)?)
    }

    /// An init spec as the bytes that init reads.
    pub(super) fn rendered(&self, spec: &Spec, init: &InitSpec) -> Result<Vec<u8>> {
        init.render().map_err(|e| {
            Error::new(ErrorKind::Usage, "The command can't be told to the container")
                .about(&spec.name)
                .because(e)
        })
    }

    /// What init is told of a container.
    pub(super) fn init_spec(&self, spec: &Spec) -> Result<InitSpec> {
        let invalid = |why: String| {
            Error::new(ErrorKind::InvalidConfig, "The container's record is wrong")
                .about(&spec.name)
                .because(why)
        };
        // Under proot there is no privilege to give up, and what traces init must be able to look into it.
        let traced = spec.backend.is_proot();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut env = vec![
            pair("PATH", DEFAULT_PATH),
            pair("HOSTNAME", &spec.hostname),
            pair("container", "volt"),
        ];
        if spec.tty {
            env.push(pair("TERM", "xterm"));
        }
        for entry in self.environment(&spec.name).unwrap_or_default() {
            put_variable(&mut env, &entry);
        }
        Ok(InitSpec {
            user: match &spec.user {
                Some(user) => InitUser::Named(user.clone()),
                None => InitUser::Ids { uid: 0, gid: 0, groups: Vec::new() },
            },
            add_groups: spec.group_add.clone(),
            cwd: spec.workdir.clone().unwrap_or_else(|| "/".to_owned()),
            tty: spec.tty,
            stdin: spec.stdin,
            traced,
            // The relay says go: at once, or when whoever started the container is connected.
            hold: true,
            // What exec has must not be more than what the first command has.
            caps: match traced {
                true => 0,
                false => spec.held_capabilities().map_err(|e| invalid(e.to_string()))?.mask(),
            },
            no_new_privs: !traced,
            seccomp: match traced {
                true => Vec::new(),
                false => unit::seccomp_programs(spec).map_err(invalid)?,
            },
            rlimits: spec
                .ulimits
                .iter()
                .map(|u| InitRlimit { name: u.name.clone(), soft: u.soft, hard: u.hard })
                .collect(),
            umask: None,
            stop_signal: Some(spec.stop_signal),
            env,
            args: spec.command.clone(),
        })
    }
}

/// What is so of all that a root has: a device node in an image would be live; those of /dev are nspawn's own, or the host's.
fn attributes_of_root(spec: &Spec) -> mounts::MountAttributes {
    let nodev = mounts::MountAttributes::MOUNT_ATTR_NODEV;
    match spec.ids {
        Some(_) => nodev,
        // What is root's in it is the host's root's, for all who can reach it.
        None => nodev | mounts::MountAttributes::MOUNT_ATTR_NOSUID,
    }
}

/// Makes an empty file, and the folders above it.
fn make_file(inside: &RootDir, target: &Path, attributes: Attributes) -> Result<()> {
    if let Some(parent) = target.parent().filter(|p| !p.as_os_str().is_empty()) {
        inside.mkdir_all(parent, attributes)?;
    }
    inside.write_file(target, &mut std::io::empty(), Attributes { mode: 0o644, ..attributes })?;
    Ok(())
}

/// Whether what is mounted here is mounted for systemd too.
fn sees_what_systemd_sees() -> bool {
    let own = std::fs::read_link("/proc/self/ns/mnt").ok();
    own.is_some() && own == std::fs::read_link("/proc/1/ns/mnt").ok()
}

/// Writes down in a file that this process wants something, which counts while the process lives.
pub(super) fn hold(path: &Path) -> Result<()> {
    let own = Identity::of(std::process::id())
        .map_err(|e| Error::new(ErrorKind::General, "This process can't be named").because(e))?;
    Ok(files::write_json(path, &own, 0o600)?)
}

/// Whether whoever wrote this file still wants it.
pub(super) fn is_held(path: &Path) -> bool {
    files::read_json::<Identity>(path, 256).is_ok_and(Identity::is_alive)
}

/// Takes away the wish to be connected before the command runs, of somebody who is gone.
pub(super) fn clear_hold(run: &Path) -> Result<()> {
    let path = run.join("hold");
    if !is_held(&path) {
        files::remove_file(&path)?;
    }
    Ok(())
}

/// Takes away what an nspawn that was killed left, for the next one refuses to start over it.
pub(super) fn clear_after_nspawn(name: &Name) -> Result<()> {
    let left = Path::new("/run/systemd/nspawn/unix-export").join(name.as_str());
    mounts::unmount_all(&left, mounts::Unmount::Lazy)
        .map_err(|e| failed("What an earlier run left can't be unmounted", name, e))?;
    files::remove_tree(&left)?;
    Ok(())
}

/// Whether something is mounted there already: whoever prepared the container before may have been killed after that.
fn is_mounted(spec: &Spec, place: &Path) -> Result<bool> {
    mounts::is_mount_point(place)
        .map_err(|e| failed("A place of a mount can't be looked at", &spec.name, e))
}

fn failed(what: &str, name: &Name, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::General, what).about(name).because(error)
}

/// Puts `NAME=VALUE` over what `env` has of that name; false where it has no name.
pub(super) fn put_variable(env: &mut Vec<(String, String)>, entry: &str) -> bool {
    let Some((name, value)) = entry.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return false;
    };
    env.retain(|(old, _)| old != name);
    env.push((name.to_owned(), value.to_owned()));
    true
}
