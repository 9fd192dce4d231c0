//! Copies files and folders into a host and out of it, as a tar stream through a command in it, so
//! that both kinds of host do it the same way.

use std::path::Path;
use std::process::Stdio;

use super::state::State;
use crate::run::{Context, Program, Result, fail, program};

/// Copies `from` to `to`; exactly one of them is `HOST:PATH`. The last name of `to` is the new name.
pub(crate) fn copy(from: &str, to: &str) -> Result<()> {
    match (remote(from), remote(to)) {
        (None, Some((host, path))) => {
            let reader = unpack(inside(&host), Path::new(path), base(Path::new(from))?);
            pipe(pack(program("tar"), Path::new(from))?, reader?)
        }
        (Some((host, path)), None) => {
            let writer = pack(inside(&host), Path::new(path))?;
            pipe(writer, unpack(program("tar"), Path::new(to), base(Path::new(path))?)?)
        }
        _ => fail("one of the two must be HOST:PATH"),
    }
}

fn remote(text: &str) -> Option<(State, &str)> {
    let (host, path) = text.split_once(':')?;
    let host = if host.is_empty() { super::default_name() } else { host.to_owned() };
    Some((State::load(&host)?, path))
}

fn inside(state: &State) -> Program {
    program("/proc/self/exe").args(["host", "exec", &state.name, "--", "tar"])
}

fn base(path: &Path) -> Result<&str> {
    path.file_name()
        .and_then(|name| name.to_str())
        .map_or_else(|| fail(format!("{} has no last name", path.display())), Ok)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn pack(tar: Program, path: &Path) -> Result<Program> {
    let name = base(path)?;
    Ok(tar.args(["--create", "--file=-", "--directory"]).arg(folder(path)).arg("--").arg(name))
}

fn unpack(tar: Program, path: &Path, old: &str) -> Result<Program> {
    // Only names at the front, so that a folder's contents go along.
    let rename = format!("--transform=flags=r;s\u{1}^{old}\u{1}{}\u{1}", base(path)?);
    let tar = tar.args(["--extract", "--file=-", "--no-same-owner"]).arg(rename);
    Ok(tar.arg("--directory").arg(folder(path)))
}

fn pipe(mut writer: Program, mut reader: Program) -> Result<()> {
    let (lines, readers) = (writer.line(), reader.line());
    writer.command().stdin(Stdio::null()).stdout(Stdio::piped());
    let mut sending = writer.spawn()?;
    let stream = sending.stdout.take().map_or_else(Stdio::null, Stdio::from);
    reader.command().stdin(stream).stdout(Stdio::null());
    let received = reader.spawn()?.wait().context(|| readers.clone())?;
    let sent = sending.wait().context(|| lines.clone())?;
    if !sent.success() {
        return fail(lines);
    }
    if received.success() { Ok(()) } else { fail(readers) }
}
