//! Running programs: one way to echo a command, to run it, and to say what went wrong with it.
//!
//! The only place in xtask that makes a `Command`.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

/// What a task came to: the code to exit with, or a sentence for the person who asked.
pub(crate) type Outcome = Result<ExitCode>;

/// Results of everything in xtask.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A sentence that says what failed and, where known, what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A [`Failure`] of this text, as an error.
pub(crate) fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure(text.into()))
}

/// Gives a failure the words that say what was being done.
pub(crate) trait Context<T> {
    /// Prefixes the error with `what`, built only when there is one.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure(format!("{}: {error}", what())))
    }
}

/// A program to run. Built like `std::process::Command`, but it remembers how to print itself.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    quiet: bool,
}

/// Begins a program with its name or path.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Program {
    #[expect(clippy::disallowed_methods, reason = "xtask's one place for running programs")]
    let command = Command::new(name);
    Program { command, quiet: false }
}

impl Program {
    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Runs it in this folder.
    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Gives it no environment but what is set after this.
    pub(crate) fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Does not print the command before it runs.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The command itself, for what has no word here.
    pub(crate) fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// The command as a person would type it.
    pub(crate) fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// Runs it with our own standard streams; fails unless it exits with 0.
    pub(crate) fn run(mut self) -> Result<()> {
        self.echo();
        let status = self.command.status().context(|| self.line())?;
        if status.success() { Ok(()) } else { fail(format!("{}: {}", self.line(), ended(status))) }
    }

    /// Runs it with our own standard streams and returns how it ended.
    pub(crate) fn status(mut self) -> Result<ExitStatus> {
        self.echo();
        self.command.status().context(|| self.line())
    }

    /// Runs it without a word unless it fails; then its whole output is in the error. Returns its
    /// standard output.
    pub(crate) fn read(mut self) -> Result<String> {
        let output = self.command.stdin(Stdio::null()).output().context(|| self.line())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        fail(format!("{}: {}\n{text}{errors}", self.line(), ended(output.status)))
    }

    /// Whether it runs and exits with 0; its output is dropped.
    pub(crate) fn succeeds(mut self) -> bool {
        let quiet = self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(mut self) -> Result<Child> {
        self.command.spawn().context(|| self.line())
    }

    /// Becomes it. Returns only when that failed.
    pub(crate) fn exec(mut self) -> Failure {
        let error = std::os::unix::process::CommandExt::exec(&mut self.command);
        Failure(format!("{}: {error}", self.line()))
    }

    fn echo(&self) {
        if !self.quiet {
            eprintln!("+ {}", self.line());
        }
    }
}

/// How a program ended, in words.
pub(crate) fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended without a status".to_owned(),
    }
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed() {
        let line = program("sh").args(["-c", "echo 'a b'", ""]).line();
        assert_eq!(line, r"sh -c 'echo '\''a b'\''' ''");
    }

    #[test]
    fn a_failure_carries_the_output() {
        let error = program("sh").args(["-c", "echo out; echo err >&2; exit 3"]).read();
        let text = error.expect_err("it exits with 3").to_string();
        assert!(text.contains("exit code 3") && text.contains("out") && text.contains("err"));
    }
}
