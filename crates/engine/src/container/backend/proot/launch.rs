//! The supervisor of a container, and of each command executed in it.

use crate::Engine;
use crate::container::Exec;
use crate::error::{Error, Result};
use crate::system::can::program;
use jiff::Timestamp;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use volt_host::command::{Command, SAFE_PATH, Stream};
use volt_host::files::{self, Attributes, FileKind, RootDir};
use volt_host::process::{self, Identity, Pidfd};
use volt_model::container::{Exit, Spec};
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;
use volt_model::mount::Source;
use volt_model::name::Name;

/// The file that names the process which supervises. A container's lies in its own folder, not in the run folder, which goes while
/// the supervisor still clears up.
pub(super) const SUPERVISOR: &str = "supervisor";
/// The folder of a command's run folder that its container sees, and in it the file with the command's environment.
const SHOWN: &str = "shown";
const ENVIRONMENT: &str = "environment";
/// Where the container sees what is Volt's own.
const INSIDE: &str = "/run/.volt";
/// In front of the name of the run folder of an executed command.
const EXEC: &str = "exec-";
/// How long until an executed command can be connected to.
const EXEC_LIMIT: Duration = Duration::from_secs(10);

/// Where a container's log is.
pub(super) fn log(engine: &Engine, name: &Name) -> PathBuf {
    engine.paths().container(name).join("log.jsonl")
}

/// The supervisor that is named in this folder, where it lives.
pub(super) fn supervisor(dir: &Path) -> Option<Identity> {
    files::read_json::<Identity>(&dir.join(SUPERVISOR), 256).ok().filter(|found| found.is_alive())
}

/// The proots of the commands that were executed in a container.
pub(super) fn exec_leaders(run: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
    let execs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(EXEC));
    execs.filter_map(|entry| leader(&entry.path())).collect()
}

fn leader(run: &Path) -> Option<u32> {
    let text = files::read_text(&run.join("leader"), 64).ok()?;
    let (pid, start) = text.trim().split_once(' ')?;
    let found = Identity { pid: pid.parse().ok()?, start: start.parse().ok()? };
    found.is_alive().then_some(found.pid)
}

/// Starts the supervisor of a container.
pub(super) fn supervise(engine: &Engine, spec: &Spec) -> Result<()> {
    let run = engine.paths().container_run(&spec.name);
    files::create_dirs(&run, 0o700)?;
    for stale in ["failure", "exit", "leader"] {
        files::remove_file(&run.join(stale))?;
    }
    let env = engine.init_spec(spec)?.env;
    // proot would make what it mounts upon for the while, as folders that nobody may read.
    engine.complete_root(spec, &engine.paths().container(&spec.name).join("rootfs"))?;
    refuse_missing_command(engine, spec, &env)?;
    let mut relay: Vec<String> = relay(engine, spec, &run, &log(engine, &spec.name));
    // Whoever started it by attaching is waited for.
    if run.join("hold").exists() {
        files::remove_file(&run.join("hold"))?;
        relay.push("--attach-hold".into());
    }
    relay.extend(flags([(spec.tty, "--tty"), (spec.stdin, "--stdin")]));
    relay.push("--".into());
    relay.extend(proot(engine, spec, &run)?);
    relay.extend(["make".into(), spec.workdir.clone().unwrap_or_else(|| "/".into())]);
    relay.extend(spec.command.iter().cloned());
    write_environment(&run, &env)?;
    let volt = format!(
        "{} {} internal",
        own_environment(engine),
        quoted(&engine.settings().programs.volt.to_string_lossy())
    );
    let after = format!("exec {volt} ended {}", spec.name);
    spawn(&engine.paths().container(&spec.name), &after, &relay)
}

/// Tells a supervisor whose command has not begun, because a client is waited for, to begin it no more.
pub(super) fn give_up_start(engine: &Engine, name: &Name) {
    let run = engine.paths().container_run(name);
    let begun = ["leader", "failure", "exit"].iter().any(|file| run.join(file).exists());
    let Some(shell) = supervisor(&engine.paths().container(name)).filter(|_| !begun) else {
        return;
    };
    for relay in process::children(shell.pid).unwrap_or_default() {
        if let Err(error) = Pidfd::open(relay).and_then(|fd| fd.signal_numbered(15)) {
            tracing::debug!(%name, %error, "a start could not be given up");
        }
    }
}

/// Runs a command in a container's root, beside it, and connects to it.
pub(super) fn exec(engine: &Engine, spec: &Spec, exec: &Exec) -> Result<UnixStream> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let user = Spec { user: exec.user.clone().or_else(|| spec.user.clone()), ..spec.clone() };
    super::refuse::what_it_can_not_do(&user)?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let run = engine
        .paths()
        .container_run(&spec.name)
        .join(format!("{EXEC}{}-{number}", std::process::id()));
    files::create_dirs(&run, 0o700)?;
    let mut env = engine.init_spec(spec)?.env;
    for entry in &exec.env {
        let Some((name, value)) = entry.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Error::new(
                ErrorKind::Usage,
                "An environment variable is written NAME=VALUE",
            ));
        };
        env.retain(|(old, _)| old != name);
        env.push((name.to_owned(), value.to_owned()));
    }
    if let Some(command) = exec.command.first()
        && !is_there(engine, spec, command, &env)?
    {
        files::remove_tree(&run)?;
        return not_found(command);
    }
    let mut relay = relay(engine, spec, &run, &run.join("log"));
    relay.push("--attach-hold".into());
    relay.extend(flags([(exec.tty, "--tty"), (exec.stdin, "--stdin")]));
    relay.push("--".into());
    relay.extend(proot(engine, spec, &run)?);
    let workdir = exec.workdir.clone().or_else(|| spec.workdir.clone());
    relay.extend(["enter".into(), workdir.unwrap_or_else(|| "/".into())]);
    if exec.command.is_empty() {
        let shell = "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi";
        relay.extend(["/bin/sh", "-c", shell].map(str::to_owned));
    } else {
        relay.extend(exec.command.iter().cloned());
    }
    let after = format!("exec rm -rf {}", quoted(&run.to_string_lossy()));
    write_environment(&run, &env)?;
    spawn(&run, &after, &relay)?;
    connect(&run).ok_or_else(|| {
        Error::new(ErrorKind::General, format!("A command could not be started in {}", spec.name))
            .about(&spec.name)
    })
}

/// The connection to a relay, once it listens.
fn connect(run: &Path) -> Option<UnixStream> {
    let deadline = Instant::now() + EXEC_LIMIT;
    loop {
        if let Ok(stream) = UnixStream::connect(run.join("attach.sock")) {
            return Some(stream);
        }
        if supervisor(run).is_none() || Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(super::LOOK);
    }
}

/// Writes the container's environment for init, which alone gives it to the command: it must not stand on a command line that every
/// user can read, and the programs of the host around the command are to have nothing of it.
fn write_environment(run: &Path, env: &[(String, String)]) -> Result<()> {
    let text: String = env.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    let shown = run.join(SHOWN);
    files::create_dirs(&shown, 0o700)?;
    // What init is mounted upon: what isn't there proot makes, with a mode that nobody can read.
    files::write_volatile(&shown.join("init"), b"", 0o600)?;
    Ok(files::write_volatile(&shown.join(ENVIRONMENT), text.as_bytes(), 0o600)?)
}

/// Starts a shell that runs the relay and then what comes after it, under a filter that hides statx, which proot doesn't translate.
/// It waits for a word before that, by when it is written down: where that is not reached, it ends without having done anything.
fn spawn(dir: &Path, after: &str, relay: &[String]) -> Result<()> {
    let mut shell = Command::new("/bin/sh")
        .args([
            "-c",
            &format!("read -r go || exit; exec </dev/null; \"$@\"; {after}"),
            "volt-supervisor",
        ])
        .args(relay)
        .stdin(Stream::Pipe)
        .without_statx()
        .new_session()
        .outlives_parent()
        .spawn()?;
    let mut word = shell.take_stdin().expect("it was piped");
    let failed = |error| files::Error::new("write to", Path::new("a supervisor"), error);
    let identity = Identity::of(shell.id()).map_err(failed)?;
    shell.leave();
    files::write_json(&dir.join(SUPERVISOR), &identity, 0o600)?;
    Ok(word.write_all(b"go\n").map_err(failed)?)
}

/// The relay up to its own flags.
fn relay(engine: &Engine, spec: &Spec, run: &Path, log: &Path) -> Vec<String> {
    let volt = engine.settings().programs.volt.to_string_lossy();
    let words = [&*volt, "internal", "relay", spec.name.as_str(), "--mode", "plain", "--run-dir"];
    let mut all: Vec<String> = words.map(str::to_owned).to_vec();
    all.extend([
        run.to_string_lossy().into_owned(),
        "--log".into(),
        log.to_string_lossy().into_owned(),
    ]);
    all
}

/// The relay's flags out of those that are on.
fn flags(all: [(bool, &str); 2]) -> impl Iterator<Item = String> {
    all.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag.to_owned())
}

/// Makes the folder in the container's root that what it sees of Volt is mounted upon; export reads it as it is.
fn make_place(rootfs: &Path) -> Result<()> {
    let place = Path::new(INSIDE.trim_start_matches('/'));
    let root = RootDir::open(rootfs)?;
    if root.metadata_followed(place).is_ok_and(|found| found.kind == FileKind::Dir) {
        return Ok(());
    }
    let owner = root.metadata(Path::new("."))?;
    let attributes = Attributes { uid: owner.uid, gid: owner.gid, mode: 0o755, mtime: None };
    Ok(root.mkdir_all(place, attributes)?)
}

/// proot with what is mounted, and init up to where the command starts.
fn proot(engine: &Engine, spec: &Spec, run: &Path) -> Result<Vec<String>> {
    let Some(program) = program("proot") else {
        return Err(Error::new(ErrorKind::Dependency, "The program proot is not installed")
            .hinted("Install it: apt install proot"));
    };
    let dir = engine.paths().container(&spec.name);
    make_place(&dir.join("rootfs"))?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let init = engine.settings().programs.init.clone();
    if !init.is_file() {
        return Err(Error::new(ErrorKind::Dependency, "Volt's own init is not installed")
            .about(&init.display())
            .hinted("Install the whole package: volt-init belongs to it"));
    }
    let mut all = vec![text(program), "-r".into(), text(dir.join("rootfs"))];
    if !crate::system::can::is_root() {
        all.push("-0".into());
    }
    for shared in ["/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf"] {
        if Path::new(shared).exists() {
            all.extend(["-b".into(), shared.into()]);
        }
    }
    for bind in &spec.binds {
        let source = match &bind.source {
            Source::Host(path) => path.clone(),
            Source::Volume(name) => text(engine.volume_data(name)),
        };
        if source.contains(':') || bind.target.contains(':') {
            return Err(Error::new(
                ErrorKind::Dependency,
                "proot can't mount a path with a colon in it",
            )
            .about(&source));
        }
        all.extend(["-b".into(), format!("{source}:{}", bind.target)]);
    }
    let environment = format!("{INSIDE}/{ENVIRONMENT}");
    all.extend(["-b".into(), format!("{}:{INSIDE}", text(run.join(SHOWN)))]);
    all.extend(["-b".into(), format!("{}:{INSIDE}/init", text(init))]);
    all.extend(["-w".into(), "/".into()]);
    all.extend([format!("{INSIDE}/init"), "environ".into(), environment]);
    Ok(all)
}

/// Refuses a command that isn't in the root: proot would only say that it failed.
fn refuse_missing_command(engine: &Engine, spec: &Spec, env: &[(String, String)]) -> Result<()> {
    let Some(command) = spec.command.first() else { return Ok(()) };
    if is_there(engine, spec, command, env)? {
        return Ok(());
    }
    let reason = Exit::could_not_start(format_args!("{command}: not found"));
    engine.save_exit(&spec.name, &Exit { code: 127, reason, finished: Timestamp::now() })?;
    Err(not_started(spec, &format!("there is no program {command} in it")))
}

/// Whether a command is in the root, as far as can be told from outside.
fn is_there(engine: &Engine, spec: &Spec, command: &str, env: &[(String, String)]) -> Result<bool> {
    let root = RootDir::open(&engine.paths().container(&spec.name).join("rootfs"))?;
    let is_program = |path: &Path| {
        let found = root.metadata_followed(path.strip_prefix("/").unwrap_or(path));
        found.is_ok_and(|data| data.kind == FileKind::File && data.mode & 0o111 != 0)
    };
    let mounted = spec.binds.iter().any(|bind| command.starts_with(&bind.target));
    let path = env.iter().find(|(name, _)| name == "PATH").map_or(SAFE_PATH, |(_, path)| path);
    Ok(match command.contains('/') {
        // One that depends on the working directory is left to proot.
        true => mounted || !command.starts_with('/') || is_program(Path::new(command)),
        false => path.split(':').any(|dir| is_program(&Path::new(dir).join(command))),
    })
}

/// The stream of an executed command that could not begin.
fn not_found(command: &str) -> Result<UnixStream> {
    let said = format!("{command}: command not found\n").into_bytes();
    let failed = |error| files::Error::new("write to", Path::new("an executed command"), error);
    let (mut ours, theirs) = UnixStream::pair().map_err(failed)?;
    for frame in [Frame::Stderr(said), Frame::Exit(127)] {
        ours.write_all(&frame.encode()).map_err(failed)?;
    }
    Ok(theirs)
}

/// What it means that the supervisor has ended before the command was seen to run: it was quick, or it could not be run.
pub(super) fn explain_end(engine: &Engine, spec: &Spec, since: Timestamp) -> Result<()> {
    // With --rm nothing is left that could say more.
    let Ok(Some(exit)) = engine.spec(&spec.name).map(|_| engine.last_exit(&spec.name)) else {
        return Ok(());
    };
    match exit.start_failure() {
        Some(why) if exit.finished >= since => Err(not_started(spec, why)),
        _ => Ok(()),
    }
}

fn not_started(spec: &Spec, why: &str) -> Error {
    Error::new(ErrorKind::General, format!("The container {} did not start", spec.name))
        .about(&spec.name)
        .because(why.to_owned())
        .hinted(format!("See `volt logs {}`", spec.name))
}

/// `env -i …`: what Volt's own helpers need to find the state of this installation, and nothing of the container's.
fn own_environment(engine: &Engine) -> String {
    let paths = engine.paths();
    let above = |path: &Path| path.parent().unwrap_or(path).to_string_lossy().into_owned();
    let mut all = vec![("PATH", SAFE_PATH.to_owned())];
    if engine.is_rootless() {
        all.extend([
            ("XDG_CONFIG_HOME", above(&paths.etc)),
            ("XDG_DATA_HOME", above(&paths.lib)),
            ("XDG_STATE_HOME", above(&paths.log)),
            ("XDG_CACHE_HOME", above(&paths.cache)),
            ("XDG_RUNTIME_DIR", above(&paths.run)),
        ]);
    } else if let Some(root) = &paths.root {
        all.push(("VOLT_ROOT", root.to_string_lossy().into_owned()));
    }
    let words = all.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    format!("env -i {}", words.collect::<Vec<_>>().join(" "))
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
