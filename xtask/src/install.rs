//! Lays a build of Volt into a root as its package would, and says what the package's script does
//! after that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::paths;
use crate::run::{Context, Result, fail, program};

/// What the static programs are built for.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Cargo's setting that builds them static.
pub(crate) const STATIC: &str =
    "target.x86_64-unknown-linux-gnu.rustflags=[\"-Ctarget-feature=+crt-static\"]";

/// Where the man pages are in a root.
pub(crate) const MAN: &str = "usr/share/man/man1";

/// The two programs of a build.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// `volt`.
    pub(crate) volt: PathBuf,
    /// `volt-init`, static.
    pub(crate) init: PathBuf,
}

/// Builds both, with this cargo profile.
pub(crate) fn build(profile: &str) -> Result<Build> {
    let cargo = || program("cargo").dir(paths::root());
    cargo().args(["build", "--quiet", "--profile", profile, "--package", "volt"]).run()?;
    // Static: it runs in roots that have no C library, or another one.
    cargo()
        .args(["rustc", "--quiet", "--profile", init_profile(profile), "--package", "volt-init"])
        .args(["--bin", "volt-init", "--target", TARGET, "--config", STATIC])
        .run()?;
    built(profile)
}

/// A release has its own profile for init, small before fast.
fn init_profile(profile: &str) -> &str {
    if profile == "release" { "init" } else { profile }
}

/// What was built before.
pub(crate) fn built(profile: &str) -> Result<Build> {
    let target = paths::target();
    let build = Build {
        volt: target.join(profile).join("volt"),
        init: target.join(TARGET).join(init_profile(profile)).join("volt-init"),
    };
    for file in [&build.volt, &build.init] {
        if !file.exists() {
            return fail(format!("{} is not built", file.display()));
        }
    }
    check_static(&build.init)?;
    Ok(build)
}

/// Fails when the program asks for a dynamic linker (has a PT_INTERP header).
fn check_static(file: &Path) -> Result<()> {
    let bytes = fs::read(file).context(|| file.display().to_string())?;
    let half = |at: usize| {
        bytes.get(at..at + 2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])))
    };
    let start = bytes.get(32..40).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    let start = usize::try_from(start).context(|| file.display().to_string())?;
    let headers = (0..half(56)).map(|index| half(start + index * half(54)));
    if headers.into_iter().any(|kind| kind == 3) {
        return fail(format!("{} is not static", file.display()));
    }
    Ok(())
}

/// Copies everything into `root`.
pub(crate) fn lay(build: &Build, root: &Path) -> Result<()> {
    copy(&build.volt, &root.join("usr/bin/volt"), 0o755)?;
    copy(&build.init, &root.join("usr/lib/volt/volt-init"), 0o755)?;
    let units = paths::root().join("systemd");
    for file in files(&units) {
        let place = match file.extension().and_then(|kind| kind.to_str()) {
            Some("service" | "socket" | "target" | "timer" | "slice" | "mount" | "path") => {
                "usr/lib/systemd/system"
            }
            Some("conf") if in_folder(&file, "tmpfiles") => "usr/lib/tmpfiles.d",
            Some("conf") if in_folder(&file, "sysusers") => "usr/lib/sysusers.d",
            Some("preset") => "usr/lib/systemd/system-preset",
            Some("network") => "usr/lib/systemd/network",
            _ => continue,
        };
        copy(&file, &root.join(place).join(installed_name(&file)), 0o644)?;
    }
    pages(build, root)?;
    completions(build, root)
}

/// The man pages that the built program writes, in [`MAN`].
fn pages(build: &Build, root: &Path) -> Result<()> {
    let stage = root.with_extension("docs");
    fs::create_dir_all(&stage).context(|| stage.display().to_string())?;
    program(&build.volt).args(["internal", "docs"]).arg(&stage).read()?;
    for page in files(&stage.join("man1")) {
        copy(&page, &root.join(MAN).join(page.file_name().unwrap_or_default()), 0o644)?;
    }
    crate::cache::remove(&stage)
}

/// The completions that the built program writes for each shell, as far as it does yet.
fn completions(build: &Build, root: &Path) -> Result<()> {
    for (shell, place) in [
        ("bash", "usr/share/bash-completion/completions/volt"),
        ("zsh", "usr/share/zsh/vendor-completions/_volt"),
        ("fish", "usr/share/fish/vendor_completions.d/volt.fish"),
    ] {
        if let Ok(text) = program(&build.volt).args(["completion", shell]).read()
            && !text.is_empty()
        {
            crate::cache::write(&root.join(place), text)?;
        }
    }
    Ok(())
}

/// What the package's script does after the files are there, as a shell script. `running` says
/// whether there is a systemd to talk to.
pub(crate) fn script(running: bool) -> String {
    let mut lines = vec![
        "if test -d /usr/lib/sysusers.d; then systemd-sysusers; fi",
        "for file in /usr/lib/tmpfiles.d/volt*.conf; do \
         if test -e $file; then systemd-tmpfiles --create $file; fi; done",
    ];
    if running {
        lines.extend([
            "systemctl daemon-reload",
            "if test -e /usr/lib/systemd/system/volt.service; then \
             systemctl stop volt.service; fi",
            "if test -e /usr/lib/systemd/system/volt.socket; then \
             systemctl enable --now --quiet volt.socket; \
             systemctl restart volt.socket volt-scrub.timer volt-health.path; \
             systemctl try-restart volt-health.service; fi",
        ]);
    } else {
        lines.push(
            "if test -e /usr/lib/systemd/system/volt.socket; then \
             systemctl enable --quiet volt.socket; fi",
        );
    }
    lines.join("\n")
}

/// Copies a file, also over a program that runs, and gives it this mode.
pub(crate) fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).context(|| parent.display().to_string())?;
    }
    // A program that runs can't be written to, but its name can be given to another file.
    let stage = to.with_extension("new");
    fs::copy(from, &stage).context(|| from.display().to_string())?;
    fs::set_permissions(&stage, fs::Permissions::from_mode(mode))
        .and_then(|()| fs::rename(&stage, to))
        .context(|| to.display().to_string())
}

/// All files below a folder; none where it does not exist.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// `systemd/tmpfiles.d/volt.conf` and `systemd/volt.tmpfiles.conf` both say what they are.
fn in_folder(file: &Path, word: &str) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    name.contains(word) || folder.contains(word)
}

fn installed_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.replace(".tmpfiles", "")
        .replace(".sysusers", "")
        .replace("tmpfiles.conf", "volt.conf")
        .replace("sysusers.conf", "volt.conf")
}
