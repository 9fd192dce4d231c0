//! The supervisor of a container, and of each command executed in it.

use super::processes::Processes;
use crate::Engine;
use crate::container::Exec;
use crate::error::{Error, Result};
use jiff::Timestamp;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use volt_host::command::{Command, SAFE_PATH, Stream};
use volt_host::files;
use volt_host::process::{self, Identity};
use volt_model::container::Spec;
use volt_model::container::proot::{OF_HOST, Traced};
use volt_model::kind::ErrorKind;
use volt_model::mount::Source;
use volt_model::name::Name;

/// The file that names the process which supervises. A container's lies in its own folder, not in the run folder, which goes while
/// the supervisor still clears up.
pub(super) const SUPERVISOR: &str = "supervisor";
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

/// What proot traces for a container, and for each command that was executed in it.
pub(super) fn trees(engine: &Engine, name: &Name) -> Vec<Processes> {
    let run = engine.paths().container_run(name);
    let entries = std::fs::read_dir(&run).into_iter().flatten().flatten();
    let execs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(EXEC));
    let execs = execs.map(|entry| (entry.path(), entry.path()));
    let all = std::iter::once((engine.paths().container(name), run.clone())).chain(execs);
    all.filter_map(|(dir, run)| tree(&dir, &run)).collect()
}

/// What the supervisor of this folder runs; where that was killed, what traces the leader of this run folder.
fn tree(dir: &Path, run: &Path) -> Option<Processes> {
    let proot = relay(dir).and_then(|relay| process::children(relay).ok()?.into_iter().min());
    proot.map(Processes::of).or_else(|| Processes::around(leader(run)?))
}

/// The relay that the supervisor of this folder runs.
fn relay(dir: &Path) -> Option<u32> {
    process::children(supervisor(dir)?.pid).ok()?.into_iter().min()
}

fn leader(run: &Path) -> Option<u32> {
    let text = files::read_text(&run.join("leader"), 64).ok()?;
    let (pid, start) = text.trim().split_once(' ')?;
    let found = Identity { pid: pid.parse().ok()?, start: start.parse().ok()? };
    found.is_alive().then_some(found.pid)
}

/// The command that this init runs.
pub(super) fn command(init: u32) -> Option<u32> {
    process::children(init).ok()?.into_iter().min()
}

/// Asks the relay of a container to end it, which then keeps the time.
pub(super) fn ask_to_end(engine: &Engine, name: &Name) {
    if let Some(relay) = relay(&engine.paths().container(name)) {
        super::processes::send(relay, 15);
    }
}

/// Starts the supervisor of a container.
pub(super) fn supervise(engine: &Engine, spec: &Spec) -> Result<()> {
    let run = engine.paths().container_run(&spec.name);
    files::create_dirs(&run, 0o700)?;
    for stale in ["failure", "exit", "leader"] {
        files::remove_file(&run.join(stale))?;
    }
    // proot would make what it mounts upon for the while, as folders that nobody may read.
    engine.complete_root(spec, &engine.paths().container(&spec.name).join("rootfs"))?;
    let log = log(engine, &spec.name).to_string_lossy().into_owned();
    let patience = spec.stop_timeout.to_string();
    let how = ["app", "--log", &log, "--stop-timeout", &patience];
    let mut words = relay_words(engine, spec, &run, &how, spec.tty);
    words.extend(proot(engine, spec, &run)?);
    engine.show_init(&run, &engine.rendered(spec, &engine.init_spec(spec)?)?)?;
    let volt = format!(
        "{} {} internal",
        own_environment(engine),
        quoted(&engine.settings().programs.volt.to_string_lossy())
    );
    let after = format!("exec {volt} ended {}", spec.name);
    spawn(&engine.paths().container(&spec.name), &after, &words)
}

/// Runs a command in a container's root, beside it, and connects to it.
pub(super) fn exec(engine: &Engine, spec: &Spec, exec: &Exec) -> Result<UnixStream> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let user = Spec { user: exec.user.clone().or_else(|| spec.user.clone()), ..spec.clone() };
    super::refuse::what_it_can_not_do(&user)?;
    let init = engine.exec_spec(spec, exec)?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let run = engine
        .paths()
        .container_run(&spec.name)
        .join(format!("{EXEC}{}-{number}", std::process::id()));
    files::create_dirs(&run, 0o700)?;
    let mut words = relay_words(engine, spec, &run, &["exec", "--attach-hold"], exec.tty);
    words.extend(proot(engine, spec, &run)?);
    words.push("exec".into());
    engine.show_init(&run, &engine.rendered(spec, &init)?)?;
    let after = format!("exec rm -rf {}", quoted(&run.to_string_lossy()));
    spawn(&run, &after, &words)?;
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

/// Starts a shell that runs the relay and then what comes after it.
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

/// The relay up to the program that it runs.
fn relay_words(engine: &Engine, spec: &Spec, run: &Path, how: &[&str], tty: bool) -> Vec<String> {
    let (volt, run) = (engine.settings().programs.volt.to_string_lossy(), run.to_string_lossy());
    let words = [&*volt, "internal", "relay", spec.name.as_str(), "--run-dir", &*run, "--mode"];
    let tty = tty.then_some("--tty");
    let all = words.iter().chain(how).copied().chain(tty).chain(["--traced", "--"]);
    all.map(str::to_owned).collect()
}

/// proot with what is mounted, and init.
fn proot(engine: &Engine, spec: &Spec, run: &Path) -> Result<Vec<String>> {
    let program = super::found()?;
    let init = &engine.settings().programs.init;
    if !init.is_file() {
        return Err(Error::new(ErrorKind::Dependency, "Volt's own init is not installed")
            .about(&init.display())
            .hinted("Install the whole package: volt-init belongs to it"));
    }
    let of_host = OF_HOST.into_iter().chain(["/etc/hosts", "/etc/resolv.conf"]);
    let of_host = of_host.filter(|path| Path::new(path).exists());
    let mut binds: Vec<(PathBuf, String)> =
        of_host.map(|path| (path.into(), path.to_owned())).collect();
    binds.extend(spec.binds.iter().map(|bind| {
        let source = match &bind.source {
            Source::Host(path) => path.into(),
            Source::Volume(name) => engine.volume_data(name),
            // It sees whatever its user does: no link in it leads further than the program itself may go.
            Source::Part(name, part) => engine.volume_data(name).join(part),
        };
        (source, bind.target.clone())
    }));
    let root = engine.paths().container(&spec.name).join("rootfs");
    let seem_root = !crate::system::can::is_root();
    Ok(Traced { root: &root, run, init, binds, seem_root }.words(&program))
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
    let mut all = vec![("PATH", SAFE_PATH.to_owned())];
    all.extend(engine.helper_environment());
    let words = all.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    format!("env -i {}", words.collect::<Vec<_>>().join(" "))
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
