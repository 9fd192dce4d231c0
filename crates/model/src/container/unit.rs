//! What systemd is told of a container: the drop-in beside the shipped template, rendered purely from the spec.

use super::proot::{OF_HOST, Traced};
use super::{Backend, Mode, Network, Seccomp, Spec};
use crate::mount::{Bind, Source};
use crate::name::Name;
use crate::net::Publish;
use crate::paths::Paths;
use crate::restart::Restart;
use crate::unitfile::{escape, quote};
use crate::volume::Mounted;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where init stands inside an app container.
pub const INIT: &str = "/run/.volt/init";
/// Where init finds its spec.
pub const INIT_SPEC: &str = "/run/.volt/spec";
/// The folder in a run folder that a container of proot sees: in it init's spec, and a file upon which init is mounted.
pub const SHOWN: &str = "shown";
/// nspawn as units run it.
const NSPAWN: &str = "/usr/bin/systemd-nspawn";
/// proot as units run it.
pub const PROOT: &str = "/usr/bin/proot";
/// How much longer than the relay systemd waits before it kills, in seconds.
const STOP_SLACK: u64 = 15;
/// The drop-in's file name.
pub const DROPIN: &str = "50-volt.conf";

/// What looks whether workloads are well.
pub const HEALTH: &str = "volt-health.service";

/// The folder of secrets in a container's run folder.
pub const SECRETS: &str = "secrets";

/// The file of a secret there, by its place among those of the container.
#[must_use]
pub fn secret_file(number: usize) -> String {
    number.to_string()
}

/// `volt-container@NAME.service`.
#[must_use]
pub fn name(container: &Name) -> String {
    format!("volt-container@{container}.service")
}

/// `volt-prepare@NAME.service`.
#[must_use]
pub fn prepare_name(container: &Name) -> String {
    format!("volt-prepare@{container}.service")
}

/// `volt-healthy@NAME.service`: who requires it and comes after it begins when the container is healthy.
#[must_use]
pub fn healthy_name(container: &Name) -> String {
    format!("volt-healthy@{container}.service")
}

/// `volt-completed@NAME.service`: who requires it and comes after it begins when the container's run has ended with 0.
#[must_use]
pub fn completed_name(container: &Name) -> String {
    format!("volt-completed@{container}.service")
}

/// `volt-exited@NAME.service`.
#[must_use]
pub fn exited_name(container: &Name) -> String {
    format!("volt-exited@{container}.service")
}

/// `volt-proxy@NAME.service`.
#[must_use]
pub fn proxy_name(container: &Name) -> String {
    format!("volt-proxy@{container}.service")
}

/// The container whose unit this is.
#[must_use]
pub fn container_of(unit: &str) -> Option<Name> {
    unit.strip_prefix("volt-container@")?.strip_suffix(".service")?.parse().ok()
}

/// What a drop-in needs to know beside the spec.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Where everything lies.
    pub paths: &'a Paths,
    /// The `volt` binary.
    pub volt: &'a Path,
    /// The static init.
    pub init: &'a Path,
    /// Those of its volumes on whose folders something is mounted while it runs.
    pub mounted: &'a BTreeMap<Name, Mounted>,
}

/// Renders the drop-in.
#[must_use]
pub fn dropin(spec: &Spec, context: &Context<'_>) -> String {
    let mut out = String::from(
        "# Rendered by Volt from the container's config.json; `volt container update` changes it.\n",
    );
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = out.write_fmt(text);
        out.push('\n');
    };
    line(format_args!("[Unit]\nDescription=Volt container {} ({})", spec.name, spec.image));
    let burst = match spec.restart {
        Restart::OnFailure(Some(tries)) => tries + 1,
        _ => 0,
    };
    if spec.auto_remove {
        // Nothing stays of it, so its failure does not either.
        line(format_args!("CollectMode=inactive-or-failed"));
    }
    if burst > 0 {
        line(format_args!("StartLimitIntervalSec=1h\nStartLimitBurst={burst}"));
    }
    if spec.publish.iter().any(Publish::by_loopback) {
        // It leads in what comes by the loopback.
        line(format_args!("Wants={}", proxy_name(&spec.name)));
    }
    if spec.health.is_some() {
        line(format_args!("Wants={HEALTH}"));
    }
    if let Network::Container(other) = &spec.network {
        // Whoever starts it starts the other, and it stops and starts again with that.
        line(format_args!("Requires={0}\nAfter={0}", name(other)));
    }
    for volume in context.mounted.keys() {
        let place = data_of(context.paths, volume);
        line(format_args!("RequiresMountsFor={}", quote(&place.to_string_lossy())));
    }
    line(format_args!("\n[Service]"));
    line(format_args!("ExecStart=\nExecStart=:{}", command_line(spec, context)));
    if spec.mode == Mode::App && spec.backend != Backend::ProotUnit {
        // Init loads a precompiled filter; nspawn would spend most of the start on compiling its own.
        // From an image without systemd nspawn 252 would conclude that it needs the old control groups.
        line(format_args!("Environment=SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"));
    }
    if let Some(owner) = owner_of_network(spec) {
        line(format_args!(
            "NetworkNamespacePath={}",
            escape(&context.paths.container_netns(owner).to_string_lossy())
        ));
    }
    // The relay kills in time; systemd does where the relay can't.
    line(format_args!("TimeoutStopSec={}", u64::from(spec.stop_timeout) + STOP_SLACK));
    line(format_args!(
        "Restart={}",
        match spec.restart {
            Restart::No => "no",
            Restart::OnFailure(_) => "on-failure",
            Restart::Always | Restart::UnlessStopped => "always",
        }
    ));
    // Ended by its own stop signal, it did what it was asked.
    line(format_args!("SuccessExitStatus={}", 128 + u32::from(spec.stop_signal)));
    if spec.mode == Mode::Boot {
        // A system that wants to be booted again is, whatever the policy.
        line(format_args!("SuccessExitStatus={REBOOT}\nRestartForceExitStatus={REBOOT}"));
    }
    line(format_args!("SyslogIdentifier={}", spec.name));
    for property in spec.limits.properties() {
        line(format_args!("{}={}", property.directive, property.value));
    }
    for standing in spec.standing.lines() {
        line(format_args!("{standing}"));
    }
    out
}

/// The container whose network namespace a container runs in; none in the host's.
#[must_use]
pub fn owner_of_network(spec: &Spec) -> Option<&Name> {
    match &spec.network {
        Network::None => Some(&spec.name),
        Network::Host => None,
        Network::Container(other) => Some(other),
    }
}

/// The exit code of an nspawn whose system has asked to be booted again.
pub const REBOOT: i32 = 133;

/// The relay and, behind `--`, the nspawn or proot that it runs.
fn command_line(spec: &Spec, context: &Context<'_>) -> String {
    let run = context.paths.container_run(&spec.name);
    let mut words = vec![
        context.volt.to_string_lossy().into_owned(),
        "internal".into(),
        "run".into(),
        spec.name.to_string(),
        "--mode".into(),
        if spec.mode == Mode::Boot { "boot" } else { "app" }.into(),
        "--run-dir".into(),
        run.to_string_lossy().into_owned(),
    ];
    words.extend(["--stop-timeout".into(), spec.stop_timeout.to_string()]);
    if spec.tty {
        words.push("--tty".into());
    }
    if spec.backend == Backend::ProotUnit {
        words.extend(["--traced".into(), "--".into()]);
        words.extend(traced(spec, context.paths, context.init));
    } else {
        words.push("--".into());
        words.extend(nspawn(spec, context));
    }
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// proot with init at its end, as the unit starts it and every further command.
#[must_use]
pub fn traced(spec: &Spec, paths: &Paths, init: &Path) -> Vec<String> {
    let run = paths.container_run(&spec.name);
    let names = run_of_names(spec, paths);
    let guest = |dir: &Path, file: &str| (dir.join(file), format!("/etc/{file}"));
    let mut binds: Vec<(PathBuf, String)> =
        OF_HOST.map(|path| (path.into(), path.to_owned())).into();
    binds.extend([guest(&names, "hosts"), guest(&names, "resolv.conf"), guest(&run, "hostname")]);
    let asked = spec.binds.iter().enumerate();
    binds.extend(asked.map(|bind| (source_of(spec, bind, paths), bind.1.target.clone())));
    let memory = spec.tmpfs.iter().enumerate();
    binds.extend(memory.map(|(n, tmpfs)| (run.join(memory_of(n)), tmpfs.target.clone())));
    let secrets = spec.secrets.iter().enumerate();
    let file = |number| run.join(SECRETS).join(secret_file(number));
    binds.extend(secrets.map(|(number, secret)| (file(number), secret.target.clone())));
    let root = paths.container(&spec.name).join("rootfs");
    let traced = Traced { root: &root, run: &run, init, binds, seem_root: false };
    traced.words(Path::new(PROOT))
}

/// The run folder that has the files of names: who shares a network shares the names in it.
fn run_of_names(spec: &Spec, paths: &Paths) -> PathBuf {
    match &spec.network {
        Network::Container(other) => paths.container_run(other),
        Network::None | Network::Host => paths.container_run(&spec.name),
    }
}

/// The exact flags of both modes: ARCHITECTURE.md explains them and a test looks at their effect from inside.
fn nspawn(spec: &Spec, context: &Context<'_>) -> Vec<String> {
    let run = context.paths.container_run(&spec.name);
    let run = run.to_string_lossy();
    let names = run_of_names(spec, context.paths);
    let names = names.to_string_lossy();
    let root = context.paths.container(&spec.name).join("rootfs");
    let mut args: Vec<String> = vec![
        NSPAWN.into(),
        "--quiet".into(),
        "--keep-unit".into(),
        "--register=yes".into(),
        format!("--machine={}", spec.name),
        format!("--hostname={}", spec.hostname),
        format!("--directory={}", root.to_string_lossy()),
        "--resolv-conf=off".into(),
        "--timezone=off".into(),
        "--link-journal=no".into(),
        format!("--bind-ro={names}/hosts:/etc/hosts"),
        format!("--bind-ro={names}/resolv.conf:/etc/resolv.conf"),
        format!("--bind-ro={run}/hostname:/etc/hostname"),
    ];
    if let Some(ids) = spec.ids {
        args.push(format!("--private-users={}:{}", ids.base(), crate::ids::IdRange::SIZE));
        args.push("--private-users-ownership=off".into());
    }
    if spec.read_only {
        args.push("--read-only".into());
    }
    args.extend(spec.binds.iter().enumerate().map(|bind| bind_flag(spec, bind, context)));
    args.extend(spec.tmpfs.iter().map(|tmpfs| {
        let size = tmpfs.size.map(|s| format!(",size={}", s.0)).unwrap_or_default();
        format!("--tmpfs={}:mode=1777{size}", nspawn_path(&tmpfs.target))
    }));
    args.extend(spec.secrets.iter().enumerate().map(|(number, secret)| {
        let file = format!("{run}/{SECRETS}/{}", secret_file(number));
        format!("--bind-ro={}:{}", nspawn_path(&file), nspawn_path(&secret.target))
    }));
    match spec.mode {
        Mode::Boot => args.extend(["--console=interactive".into(), "--boot".into()]),
        Mode::App => {
            args.extend([
                "--console=pipe".into(),
                "--kill-signal=SIGTERM".into(),
                format!("--bind-ro={}:{INIT}", context.init.to_string_lossy()),
                format!("--bind-ro={run}/spec:{INIT_SPEC}"),
            ]);
            let added: Vec<String> = spec
                .capabilities()
                .map(|set| set.iter().map(|cap| format!("CAP_{cap}")).collect())
                .unwrap_or_default();
            if !added.is_empty() {
                args.push(format!("--capability={}", added.join(",")));
            }
            args.push(INIT.into());
        }
    }
    args
}

/// The folder in which the content of a volume lies.
fn data_of(paths: &Paths, volume: &Name) -> PathBuf {
    paths.volumes().join(volume.as_str()).join("_data")
}

/// The folder, in a run folder, of the parts of volumes that the container has; of one that proot runs, of its volumes.
pub const PARTS: &str = "parts";

/// Where a part of a volume is found while the container is prepared: it was looked up when nobody could lead elsewhere.
#[must_use]
pub fn part_of_volume(number: usize) -> String {
    format!("{PARTS}/{number}")
}

/// The folder, in a run folder, of what a container that proot runs has mounted and no other user of the host may reach: memory file
/// systems, and paths of the host that it must not write to.
pub const CLOSED: &str = "closed";

/// Where such a path of the host is while the container is prepared.
#[must_use]
pub fn closed_path(number: usize) -> String {
    format!("{CLOSED}/path-{number}")
}

/// Where such a memory file system is while the container is prepared.
#[must_use]
pub fn memory_of(number: usize) -> String {
    format!("{CLOSED}/memory-{number}")
}

/// Where what is mounted lies on the host.
fn source_of(spec: &Spec, (number, bind): (usize, &Bind), paths: &Paths) -> PathBuf {
    let by_proot = spec.backend == Backend::ProotUnit;
    match &bind.source {
        Source::Host(path) if !(by_proot && bind.read_only) => path.into(),
        Source::Host(_) => paths.container_run(&spec.name).join(closed_path(number)),
        Source::Volume(name) if !by_proot => data_of(paths, name),
        Source::Volume(_) | Source::Part(..) => {
            paths.container_run(&spec.name).join(part_of_volume(number))
        }
    }
}

fn bind_flag(spec: &Spec, (number, bind): (usize, &Bind), context: &Context<'_>) -> String {
    let source = source_of(spec, (number, bind), context.paths);
    // Servers know no maps of ids: they see those that the container has outside.
    let remote = bind.source.volume().and_then(|name| context.mounted.get(name));
    let ids = if remote.is_some_and(Mounted::is_remote) { "noidmap" } else { "idmap" };
    let flag = if bind.read_only { "--bind-ro" } else { "--bind" };
    let source = nspawn_path(&source.to_string_lossy());
    format!("{flag}={source}:{}:{ids}", nspawn_path(&bind.target))
}

/// nspawn takes a colon in a path only behind a backslash.
fn nspawn_path(path: &str) -> String {
    path.replace('\\', "\\\\").replace(':', "\\:")
}

/// The programs that filter syscalls for `spec`; none where it is unconfined or boots.
///
/// # Errors
/// When the spec's capabilities or the machine's architecture are not known.
pub fn seccomp_programs(spec: &Spec) -> Result<Vec<crate::seccomp::Program>, String> {
    if spec.seccomp == Seccomp::Unconfined || spec.mode == Mode::Boot {
        return Ok(Vec::new());
    }
    let caps = spec.capabilities().map_err(|e| e.to_string())?;
    crate::seccomp::default_profile(caps).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::size::Bytes;

    fn spec() -> Spec {
        Spec {
            version: Spec::VERSION,
            name: "web".parse().unwrap(),
            image: "debian:trixie".parse().unwrap(),
            tree: "t1".into(),
            backend: super::super::Backend::Systemd,
            mode: Mode::App,
            command: vec!["nginx".into()],
            user: None,
            workdir: None,
            hostname: "web".into(),
            tty: false,
            stdin: false,
            auto_remove: false,
            network: Network::None,
            networks: vec![],
            publish: vec![],
            expose: false,
            binds: ["/srv/a b%c:/data:ro", "pg:/var/lib/pg", "pg/conf:/etc/pg", "files:/files"]
                .map(|text| text.parse().unwrap())
                .into(),
            tmpfs: vec!["/cache:size=1M".parse().unwrap()],
            secrets: vec!["key,uid=33,mode=0400".parse().unwrap()],
            around: Default::default(),
            standing: Default::default(),
            group_add: Vec::new(),
            read_only: false,
            limits: Limits { memory: Some(Bytes(1 << 30)), ..Limits::default() },
            cap_add: vec![],
            cap_drop: vec![],
            seccomp: Seccomp::Default,
            restart: Restart::OnFailure(Some(3)),
            health: None,
            stop_signal: 15,
            stop_timeout: 10,
            ulimits: vec![],
            labels: std::collections::BTreeMap::new(),
            ids: crate::ids::IdRange::new(524_288),
            created: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn rendered(spec: &Spec) -> String {
        let paths = Paths::below(Path::new("/"));
        dropin(
            spec,
            &Context {
                paths: &paths,
                volt: Path::new("/usr/bin/volt"),
                init: Path::new("/usr/lib/volt/volt-init"),
                mounted: &BTreeMap::from([(
                    "files".parse().unwrap(),
                    crate::volume::Mounted {
                        what: "nas:/x".into(),
                        kind: "nfs".into(),
                        options: "nodev".into(),
                    },
                )]),
            },
        )
    }

    #[test]
    fn what_a_person_finds_in_systemctl_cat() {
        let text = rendered(&spec());
        for part in [
            "Description=Volt container web (debian:trixie)",
            "ExecStart=\nExecStart=:/usr/bin/volt internal run web --mode app --run-dir /run/volt/containers/web --stop-timeout 10 -- /usr/bin/systemd-nspawn ",
            " --private-users=524288:65536 --private-users-ownership=off ",
            "NetworkNamespacePath=/run/netns/volt-web\n",
            " --bind=/var/lib/volt/volumes/pg/_data:/var/lib/pg:idmap ",
            " --bind=/run/volt/containers/web/parts/2:/etc/pg:idmap ",
            " --bind=/var/lib/volt/volumes/files/_data:/files:noidmap ",
            "\nRequiresMountsFor=/var/lib/volt/volumes/files/_data\n",
            " --tmpfs=/cache:mode=1777,size=1048576 ",
            " --bind-ro=/run/volt/containers/web/secrets/0:/run/secrets/key ",
            "MemoryMax=1073741824\n",
            "StartLimitBurst=4\n",
            "Restart=on-failure\n",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn spaces_and_percent_signs_survive_systemds_quoting() {
        assert!(rendered(&spec()).contains(r#" "--bind-ro=/srv/a b%%c:/data:idmap" "#));
        assert_eq!(quote("a\"b"), r#""a\"b""#);
        assert_eq!(quote(""), "\"\"");
    }

    #[test]
    fn boot_keeps_nspawns_own_filter_and_console() {
        let text = rendered(&Spec { mode: Mode::Boot, network: Network::Host, ..spec() });
        assert!(text.contains(" --console=interactive --boot\n"));
        assert!(text.contains("RestartForceExitStatus=133\n"));
        assert!(!text.contains("SYSTEMD_SECCOMP") && !text.contains("NetworkNamespacePath"));
    }

    #[test]
    fn what_is_looked_at_wants_who_looks() {
        let health = Some(crate::health::Check::by(crate::health::Probe::Tcp(80)));
        assert!(rendered(&Spec { health, ..spec() }).contains("\nWants=volt-health.service\n"));
        assert!(!rendered(&spec()).contains("volt-health"));
    }

    #[test]
    fn a_network_may_be_another_containers() {
        let text = rendered(&Spec { network: Network::Container("db".parse().unwrap()), ..spec() });
        for part in [
            "\nRequires=volt-container@db.service\nAfter=volt-container@db.service\n",
            "\nNetworkNamespacePath=/run/netns/volt-db\n",
            " --bind-ro=/run/volt/containers/db/hosts:/etc/hosts ",
            " --bind-ro=/run/volt/containers/web/hostname:/etc/hostname ",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn proot_is_run_in_the_place_of_nspawn() {
        let text = rendered(&Spec { backend: Backend::ProotUnit, ids: None, ..spec() });
        for part in [
            " --stop-timeout 10 --traced -- /usr/bin/proot --verbose=-1 -r /var/lib/volt/containers/web/rootfs -b /proc:/proc -b /sys:/sys -b /dev:/dev -b /run/volt/containers/web/hosts:/etc/hosts -b /run/volt/containers/web/resolv.conf:/etc/resolv.conf ",
            " -b /run/volt/containers/web/parts/1:/var/lib/pg -b /run/volt/containers/web/parts/2:/etc/pg ",
            " -b /run/volt/containers/web/shown:/run/.volt -b /usr/lib/volt/volt-init:/run/.volt/init -w / /run/.volt/init\n",
            "NetworkNamespacePath=/run/netns/volt-web\n",
            "MemoryMax=1073741824\n",
            "Restart=on-failure\n",
            "\nRequiresMountsFor=/var/lib/volt/volumes/files/_data\n",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains("nspawn"), "{text}");
        let given = Spec {
            binds: ["/srv:/srv:ro", "/opt:/opt"].map(|text| text.parse().unwrap()).into(),
            tmpfs: vec!["/tmp".parse().unwrap()],
            secrets: vec!["key".parse().unwrap()],
            backend: Backend::ProotUnit,
            ids: None,
            ..spec()
        };
        let run = "/run/volt/containers/web";
        let all = format!(
            " -b {run}/closed/path-0:/srv -b /opt:/opt -b {run}/closed/memory-0:/tmp -b {run}/secrets/0:/run/secrets/key -b "
        );
        assert!(rendered(&given).contains(&all), "{}", rendered(&given));
        let shares = Network::Container("db".parse().unwrap());
        let text =
            rendered(&Spec { backend: Backend::ProotUnit, ids: None, network: shares, ..spec() });
        assert!(text.contains(" -b /run/volt/containers/db/hosts:/etc/hosts "), "{text}");
    }

    #[test]
    fn unit_names_lead_back() {
        assert_eq!(container_of(&name(&spec().name)), Some(spec().name));
        assert_eq!(container_of("volt-container@A.service"), None);
        assert_eq!(container_of("nginx.service"), None);
    }
}
