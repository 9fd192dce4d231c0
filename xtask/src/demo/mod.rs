//! `cargo xtask demo`: the main job on real input, each command as a person would type it, then its output.
//!
//! As root with systemd as PID 1 it uses this machine, as root without it a test host: a stack from one file. Else what Volt does for a
//! user on their own: one container, run by proot.

mod steps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cache::{self, SUITES};
use crate::host::state::Kind;
use crate::host::up::{Wanted, up};
use crate::host::{down, state};
use crate::install::{self, Build};
use crate::packages;
use crate::paths;
use crate::run::{Context, Outcome, Program, Result, fail, program};

/// Where the demo is shown.
enum Place {
    /// This machine, whose PID 1 is systemd; whether Volt is put there only for the demo.
    Here { volt: PathBuf, borrowed: bool },
    /// A test host.
    Host,
    /// The caller's own folders, with this `volt`.
    Own { volt: PathBuf, folder: PathBuf },
}

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let (mut build, mut mirror) = (true, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match (word.as_str(), words.as_slice()) {
            ("--no-build", _) => build = false,
            ("--mirror", [address, ..]) => {
                mirror = Some(address.as_str());
                words.next();
            }
            _ => return fail("usage: cargo xtask demo [--no-build] [--mirror URL]"),
        }
    }
    let begun = Instant::now();
    let build = if build { install::build("host")? } else { install::built("host")? };
    let built = begun.elapsed().as_secs_f64();
    run(&build, mirror)?;
    let all = begun.elapsed().as_secs_f64();
    eprintln!("\nAll of it worked, in {all:.1} s ({built:.1} s of them to build Volt).");
    Ok(ExitCode::SUCCESS)
}

/// Shows it with this build; fails with the first command that does not do what it should. What it needs (a test host) is made
/// and taken away. Debian comes from this mirror, or from where the place has it from.
pub(crate) fn run(build: &Build, mirror: Option<&str>) -> Result<()> {
    let place = Place::choose();
    let shown = place.prepare(build).and_then(|()| show(&place, mirror));
    let left = place.leave();
    shown.and(left)
}

fn show(place: &Place, mirror: Option<&str>) -> Result<()> {
    let steps = match place {
        Place::Own { .. } => steps::alone(mirror),
        // A test host has no network, but a part of Debian's archive.
        Place::Host => steps::stack(mirror.or(Some("file:///srv/mirror"))),
        Place::Here { .. } => steps::stack(mirror),
    };
    if !matches!(place, Place::Own { .. }) {
        place.shell(&steps::lay()).quiet().read()?;
    }
    for step in &steps {
        println!("\n$ {}", step.line);
        let begun = Instant::now();
        let (output, text) = loop {
            let mut shell = place.shell(&format!("{} 2>&1", grouped(&step.line)));
            let output = shell.command().output().context(|| step.line.clone())?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // What a container has just said may still be on its way.
            let late = step.line.contains(" logs ") && !text.contains(step.expect);
            if !late || begun.elapsed() > Duration::from_secs(10) {
                break (output, text);
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        print!("{}", shortened(&text));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            return fail(format!("'{}' failed ({})", step.line, output.status));
        }
        if !text.contains(step.expect) {
            return fail(format!("'{}' does not say '{}'", step.line, step.expect));
        }
    }
    Ok(())
}

/// The first and the last lines of what is long.
fn shortened(text: &str) -> String {
    const ENDS: usize = 5;
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= 40 {
        return text.to_owned();
    }
    let left_out = lines.len() - 2 * ENDS;
    let end = lines[lines.len() - ENDS..].join("\n");
    format!("{}\n[{left_out} lines]\n{end}\n", lines[..ENDS].join("\n"))
}

fn grouped(line: &str) -> String {
    format!("{{ {line}; }}")
}

impl Place {
    fn choose() -> Self {
        let systemd = Path::new("/run/systemd/system").is_dir();
        if !paths::is_root() {
            let folder = paths::target().join("demo");
            return Self::Own { volt: folder.join("bin/volt"), folder };
        }
        if !systemd {
            return Self::Host;
        }
        let installed = Path::new("/usr/bin/volt");
        let borrowed = !installed.exists();
        let own = paths::target().join("demo/bin/volt");
        let volt = if borrowed { own } else { installed.to_path_buf() };
        Self::Here { volt, borrowed }
    }

    fn prepare(&self, build: &Build) -> Result<()> {
        match self {
            Self::Here { volt, borrowed } => {
                packages::need(&[
                    ("systemd-nspawn", "systemd-container"),
                    ("debootstrap", "debootstrap"),
                    ("curl", "curl"),
                ])?;
                remake(&self.folder())?;
                if !borrowed {
                    eprintln!("Shown on this machine, with the Volt that is installed.");
                    return Ok(());
                }
                self.take(build)?;
                eprintln!(
                    "Shown on this machine; Volt is installed for it and taken away after it."
                );
                program(volt).args(["system", "install"]).read().map(drop)
            }
            Self::Host => {
                drop(down(&host()));
                let wanted = Wanted {
                    name: host(),
                    suite: SUITES[0].to_owned(),
                    kind: Kind::Namespaces,
                    volt: Some(build.clone()),
                };
                up(&wanted)?;
                eprintln!("systemd is not PID 1 here: shown in a test host, which has it.");
                self.shell("true").read().map(drop)
            }
            Self::Own { folder, .. } => {
                packages::need(&[
                    ("proot", "proot"),
                    ("debootstrap", "debootstrap"),
                    ("fakeroot", "fakeroot"),
                    ("curl", "curl"),
                ])?;
                eprintln!("Not root: shown with proot, in folders of your own.");
                remake(folder)?;
                self.take(build)
            }
        }
    }

    /// Copies the build to the demo's folder: Volt finds its init beside itself.
    fn take(&self, build: &Build) -> Result<()> {
        for (from, name) in [(&build.volt, "volt"), (&build.init, "volt-init")] {
            install::copy(from, &self.folder().join("bin").join(name), 0o755)?;
        }
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        match self {
            Self::Here { .. } => paths::target().join("demo"),
            Self::Host => PathBuf::from("/tmp/demo"),
            Self::Own { folder, .. } => folder.clone(),
        }
    }

    /// A shell that stands in the demo's folder and finds `volt`.
    fn shell(&self, line: &str) -> Program {
        match self {
            Self::Here { volt, .. } => {
                program("sh").args(["-c", line]).dir(self.folder()).env("PATH", search(volt))
            }
            Self::Host => {
                let line = format!("mkdir -p /tmp/demo && cd /tmp/demo && {line}");
                let xtask = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
                program(xtask).args(["host", "exec", &host(), "--", "sh", "-c", &line]).quiet()
            }
            Self::Own { volt, folder } => {
                let own = |name: &str| folder.join(name);
                program("sh")
                    .args(["-c", line])
                    .dir(folder)
                    .env("PATH", search(volt))
                    .env("XDG_CONFIG_HOME", own("config"))
                    .env("XDG_DATA_HOME", own("data"))
                    .env("XDG_STATE_HOME", own("state"))
                    .env("XDG_CACHE_HOME", own("cache"))
                    .env("XDG_RUNTIME_DIR", own("run"))
            }
        }
    }

    /// Removes what a demo that failed midway has left; after one that did not there is nothing.
    fn sweep(&self) {
        let line = "volt compose -p guestbook down -v; volt container delete --force demo-web";
        let _gone = self.shell(line).succeeds();
    }

    /// Takes away what the demo made, also after a step that failed.
    fn leave(&self) -> Result<()> {
        match self {
            Self::Host => {
                if state::State::load(&host()).is_some() {
                    down(&host())
                } else {
                    Ok(())
                }
            }
            Self::Here { volt, borrowed } => {
                self.sweep();
                if *borrowed {
                    program(volt).args(["system", "uninstall", "--purge", "--yes"]).read()?;
                }
                cache::remove(&self.folder())
            }
            Self::Own { folder, .. } => {
                self.sweep();
                cache::remove(folder)
            }
        }
    }
}

/// The test host of the demo; that of a run of the tests is its own.
fn host() -> String {
    state::own("demo")
}

/// The search path with the program's folder first.
fn search(volt: &Path) -> String {
    let folder = volt.parent().unwrap_or(Path::new("/usr/bin")).display();
    format!("{folder}:{}", paths::variable("PATH").unwrap_or_default())
}

fn remake(folder: &Path) -> Result<()> {
    cache::remove(folder)?;
    std::fs::create_dir_all(folder).context(|| folder.display().to_string())
}
