//! Where a download goes: standard output, or a file that appears only when it is whole.

use super::file_problem;
use crate::ctx::Ctx;
use crate::output::Printer;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// Where a download goes.
pub(crate) enum Sink<'a> {
    /// Standard output.
    Stdout(&'a Printer),
    /// A file beside its final place.
    File(NamedTempFile, PathBuf),
    /// What is there and no plain file, such as a pipe or a device: written as it is, never replaced.
    Special(File),
}

impl<'a> Sink<'a> {
    /// Opens it; `-` and nothing are standard output.
    ///
    /// # Errors
    /// When the file can't be made, or standard output is a terminal.
    pub(crate) fn open(ctx: &'a Ctx, path: Option<&Path>) -> Result<Self, Problem> {
        let Some(path) = path.filter(|p| *p != Path::new("-")) else {
            if io::stdout().is_terminal() {
                return Err(Problem::new(ErrorKind::Usage, "An archive is nothing for a terminal")
                    .hinted("Write it to a file: > FILE or --file FILE"));
            }
            return Ok(Self::Stdout(&ctx.out));
        };
        // A link leads to what is meant.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(opened) = open_special(path) {
            return opened.map(Self::Special).map_err(|e| file_problem("written", path, &e));
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
        let file = file.map_err(|e| file_problem("written", path, &e))?;
        Ok(Self::File(file, path.to_owned()))
    }

    /// Takes more of it.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) if out.bytes(bytes) => Ok(()),
            Self::Stdout(_) => Err(io::ErrorKind::BrokenPipe.into()),
            Self::File(file, _) => file.write_all(bytes),
            Self::Special(file) => file.write_all(bytes),
        }
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// When it can't be.
    pub(crate) fn publish(self) -> Result<(), Problem> {
        let Self::File(file, path) = self else { return Ok(()) };
        let synced = file.as_file().sync_all();
        synced.map_err(|e| file_problem("written", &path, &e))?;
        readable(&file).map_err(|e| file_problem("written", &path, &e))?;
        file.persist(&path).map_err(|e| file_problem("written", &path, &e.error))?;
        Ok(())
    }
}

/// A temporary file is its owner's alone; the result is to be an ordinary file.
fn readable(file: &NamedTempFile) -> io::Result<()> {
    use rustix::fs::Mode;
    let mask = rustix::process::umask(Mode::empty());
    rustix::process::umask(mask);
    rustix::fs::fchmod(file.as_file(), Mode::from_raw_mode(0o666) - mask)?;
    Ok(())
}

/// Opens what is there where it is no plain file; none where it is one, or nothing is there.
fn open_special(path: &Path) -> Option<io::Result<File>> {
    let special = path.metadata().is_ok_and(|there| !there.is_file());
    special.then(|| File::options().write(true).open(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        assert!(open_special(&plain).is_none());
        std::fs::write(&plain, "x").unwrap();
        assert!(open_special(&plain).is_none());
        assert!(open_special(Path::new("/dev/zero")).unwrap().is_ok());
        assert!(open_special(folder.path()).unwrap().is_err());
    }
}
