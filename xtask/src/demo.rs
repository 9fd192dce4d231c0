//! `cargo xtask demo`: the main job on real input, each command as a person would type it, then its output.
//!
//! As root with systemd as PID 1 it uses this machine, as root without it a test host, and else what Volt does for a user on their
//! own: the same commands, run by proot.

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

const PAGE: &str = "<h1>Hello from a container</h1>";

/// Where the demo is shown.
enum Place {
    /// This machine, whose PID 1 is systemd; whether Volt is put there only for the demo.
    Here { volt: PathBuf, borrowed: bool },
    /// A test host.
    Host,
    /// The caller's own folders, with this `volt`.
    Own { volt: PathBuf, folder: PathBuf },
}

/// A command of the demo.
struct Step {
    line: String,
    /// What must stand in its standard output.
    expect: &'static str,
    /// Makes no sense where a user runs Volt on their own.
    needs_systemd: bool,
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
    let on_systemd = !matches!(place, Place::Own { .. });
    for step in steps(place, mirror).iter().filter(|step| on_systemd || !step.needs_systemd) {
        println!("\n$ {}", step.line);
        let begun = Instant::now();
        let (output, text) = loop {
            let mut shell = place.shell(&format!("{} 2>&1", grouped(&step.line)));
            let output = shell.command().output().context(|| step.line.clone())?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // What a container has just said may still be on its way.
            let late = step.line.starts_with("volt logs") && !text.contains(step.expect);
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

fn steps(place: &Place, mirror: Option<&str>) -> Vec<Step> {
    let unit = "volt-container@demo-web.service";
    let always = |line: &str, expect| step(line, expect, false);
    let systemd = |line: &str, expect| step(line, expect, true);
    let mut steps = vec![always("mkdir -p site", "")];
    steps.push(always(&format!("echo '{PAGE}' > site/index.html"), ""));
    steps.extend(match place {
        Place::Own { .. } => begin_alone(mirror),
        // A test host has no network, but a part of Debian's archive.
        Place::Host => begin(mirror.or(Some("file:///srv/mirror"))),
        Place::Here { .. } => begin(mirror),
    });
    let status = format!("systemctl --no-pager --lines 3 status {unit}");
    let limits = format!("systemctl show -p MainPID -p MemoryMax -p CPUQuotaPerSecUSec {unit}");
    steps.extend([
        always(
            "curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/",
            PAGE,
        ),
        always("volt ps", "demo-web"),
        always("volt logs demo-web", "response:200"),
        always("volt exec demo-web cat /etc/os-release", "Debian"),
        systemd("volt container update --memory 128M demo-web", "demo-web"),
        systemd(&limits, "134217728"),
        systemd(&status, "active (running)"),
        systemd("machinectl --no-pager list", "demo-web"),
        always("volt top --once", "demo-web"),
        always("volt stop demo-web", "demo-web"),
        always("volt ps -a", "demo-web"),
        always("volt inspect demo-web -o yaml | grep -A 3 ^exit:", "code:"),
        always("volt container delete demo-web", "demo-web"),
        always("volt image delete debian-minimal", "debian-minimal"),
        always("volt system check", ""),
    ]);
    steps
}

/// Pulls Debian and starts the server, with limits.
fn begin(mirror: Option<&str>) -> Vec<Step> {
    let mirror = mirror.map(|mirror| format!(" --mirror {mirror}")).unwrap_or_default();
    let pull = format!("volt image pull debian-minimal --include busybox-static{mirror}");
    let serve = "volt run -d --name demo-web --network host --memory 64M --cpus 0.5 -v ./site:/srv:ro \
                 debian-minimal busybox httpd -f -v -p 127.0.0.1:8080 -h /srv";
    vec![
        step(&pull, "debian-minimal", false),
        step("volt image list", "debian-minimal", false),
        step(serve, "demo-web", false),
    ]
}

/// The same without root: debootstrap unpacks Debian beneath fakeroot, as files of one owner, and Volt takes the folder in. proot
/// knows no limits and no read-only mounts.
fn begin_alone(mirror: Option<&str>) -> Vec<Step> {
    let mirror = mirror.map(str::to_owned).or_else(cache::sources::mirror);
    let mirror = mirror.map(|mirror| format!(" {mirror}")).unwrap_or_default();
    let suite = SUITES[0];
    let unpack = format!(
        "PATH=$PATH:/usr/sbin fakeroot debootstrap --foreign --variant=minbase {suite} debian{mirror}"
    );
    let serve = "volt run -d --name demo-web --network host -v ./site:/srv debian-minimal \
                 perl -MIO::Socket::INET -e '$| = 1; \
                 $s = IO::Socket::INET->new(LocalAddr => \"127.0.0.1:8080\", Listen => 5, ReuseAddr => 1) or die $!; \
                 while ($c = $s->accept) { <$c>; open $f, \"/srv/index.html\"; \
                 print \"response:200\\n\"; print $c \"HTTP/1.0 200 OK\\r\\n\\r\\n\", <$f>; close $c }'";
    vec![
        step(&unpack, "", false),
        // Where proc can't be mounted, debootstrap leaves a link to the machine's.
        step("rm -rf debian/proc && mkdir debian/proc", "", false),
        step("volt image import ./debian debian-minimal", "debian-minimal", false),
        step("volt image list", "debian-minimal", false),
        step(serve, "demo-web", false),
    ]
}

fn step(line: &str, expect: &'static str, needs_systemd: bool) -> Step {
    Step { line: line.to_owned(), expect, needs_systemd }
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

    /// Removes the container of a demo that failed midway; after one that did not there is none.
    fn sweep(&self) {
        let _gone = self.shell("volt container delete --force demo-web").succeeds();
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
