//! The relay's arguments. They are written by Volt into unit files, so they are strict and have no short forms.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use volt_host::process::Identity;

/// How to call it.
pub const HELP: &str = "NAME --mode app|boot [--run-dir DIR] [--log journal|FILE] \
                        [--stop-timeout SECONDS] [--tty] [--attach-hold] [--traced] -- PROGRAM ARGS..., or \
                        NAME --mode exec [--tty] [--traced] --join PID:START --spec-fd N -- PROGRAM ARGS..., or \
                        NAME --mode exec [--tty] [--traced] --run-dir DIR --attach-hold -- PROGRAM ARGS...";

/// What kind of program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Volt's init is at the end of the program and sends the terminal or the pipes over the control socket.
    App,
    /// The program is given a terminal and says by itself when it is ready.
    Boot,
    /// Volt's init is executed beside a running workload: in its namespaces, with the one client on standard input; or where
    /// there are none at the end of a program, with the client on the attach socket. Nothing is logged, and the command is told
    /// when the client is gone.
    Exec,
}

/// Exec mode: where the command is executed, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// A process in the namespaces to be joined: its pid alone might be another's by now.
    pub leader: Identity,
    /// The inherited descriptor on which init's spec is.
    pub spec: u32,
}

/// Where the workload's lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// To the journal that listens at this path.
    Journal(PathBuf),
    /// To a file of JSON lines.
    File(PathBuf),
}

/// What the relay was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The workload's name.
    pub name: String,
    /// The kind of program.
    pub mode: Mode,
    /// Where the attach socket and the records are put.
    pub run_dir: Option<PathBuf>,
    /// Where lines go.
    pub log: Log,
    /// The command has a terminal, whose size its first client says.
    pub tty: bool,
    /// Wait for a first client, which owns the output.
    pub attach_hold: bool,
    /// How long the workload may take to end when it is asked to, before it is killed; for ever where nothing is said.
    /// `RUN_DIR/stop-timeout` may say otherwise for one stop.
    pub stop_timeout: Option<Duration>,
    /// The program is proot, which makes no cgroups of its own and doesn't translate all calls.
    pub traced: bool,
    /// Exec mode, where there are namespaces to join.
    pub join: Option<Join>,
    /// The program and its arguments, at the end of which is init; at least one.
    pub program: Vec<OsString>,
}

/// What is wrong with the arguments.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Something that is not understood.
    #[error("{0:?} is not understood; call it as: {HELP}")]
    Unknown(OsString),
    /// Something that is missing.
    #[error("{0} is missing; call it as: {HELP}")]
    Missing(&'static str),
}

impl Options {
    /// Parses the arguments behind `internal relay`.
    ///
    /// # Errors
    /// When one is not understood or missing.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, OptionsError> {
        let mut args = args.into_iter();
        let mut name = None;
        let mut mode = None;
        let mut options = Self {
            name: String::new(),
            mode: Mode::App,
            run_dir: None,
            log: Log::Journal("/run/systemd/journal/socket".into()),
            tty: false,
            attach_hold: false,
            stop_timeout: None,
            traced: false,
            join: None,
            program: Vec::new(),
        };
        let (mut leader, mut spec) = (None, None);
        while let Some(word) = args.next() {
            let mut value = |what| args.next().ok_or(OptionsError::Missing(what));
            match word.to_str() {
                Some("--mode") => {
                    let given = value("the value of --mode")?;
                    mode = Some(match given.to_str() {
                        Some("app") => Mode::App,
                        Some("boot") => Mode::Boot,
                        Some("exec") => Mode::Exec,
                        _ => return Err(OptionsError::Unknown(given)),
                    });
                }
                Some("--run-dir") => options.run_dir = Some(value("a folder")?.into()),
                Some("--log") => {
                    let given = value("the value of --log")?;
                    if given != "journal" {
                        options.log = Log::File(given.into());
                    }
                }
                // For tests: a journal that is not the host's.
                Some("--journal-socket") => options.log = Log::Journal(value("a path")?.into()),
                Some("--join") => leader = Some(identity(value("a process id and its start")?)?),
                Some("--spec-fd") => spec = Some(number(value("a descriptor")?)?),
                Some("--stop-timeout") => {
                    let seconds = number(value("a number of seconds")?)?;
                    options.stop_timeout = Some(Duration::from_secs(seconds.into()));
                }
                Some("--tty") => options.tty = true,
                Some("--traced") => options.traced = true,
                Some("--attach-hold") => options.attach_hold = true,
                Some("--") => {
                    options.program = args.collect();
                    break;
                }
                Some(word) if name.is_none() && !word.starts_with('-') && !word.is_empty() => {
                    name = Some(word.to_owned());
                }
                _ => return Err(OptionsError::Unknown(word)),
            }
        }
        options.name = name.ok_or(OptionsError::Missing("NAME"))?;
        options.mode = mode.ok_or(OptionsError::Missing("--mode"))?;
        options.join = match (leader, spec) {
            (Some(leader), Some(spec)) => Some(Join { leader, spec }),
            (None, None) => None,
            _ => return Err(OptionsError::Missing("--join or --spec-fd")),
        };
        if options.program.is_empty() {
            return Err(OptionsError::Missing("PROGRAM"));
        }
        if options.mode == Mode::Boot && options.run_dir.is_none() {
            return Err(OptionsError::Missing("--run-dir"));
        }
        Ok(options)
    }
}

/// `PID:START`, the start in clock ticks since boot.
fn identity(word: OsString) -> Result<Identity, OptionsError> {
    let parsed = word.to_str().and_then(|text| {
        let (pid, start) = text.split_once(':')?;
        Some(Identity { pid: pid.parse().ok()?, start: start.parse().ok()? })
    });
    parsed.ok_or(OptionsError::Unknown(word))
}

fn number(word: OsString) -> Result<u32, OptionsError> {
    let parsed = word.to_str().and_then(|text| text.parse().ok());
    parsed.ok_or(OptionsError::Unknown(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options, OptionsError> {
        Options::parse(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn all_options_are_understood() {
        let found =
            parse("web --mode app --run-dir /r --log /l --tty --attach-hold --traced -- nspawn --quiet --")
                .unwrap();
        let expected = Options {
            name: "web".into(),
            mode: Mode::App,
            run_dir: Some("/r".into()),
            log: Log::File("/l".into()),
            tty: true,
            attach_hold: true,
            stop_timeout: None,
            traced: true,
            join: None,
            program: vec!["nspawn".into(), "--quiet".into(), "--".into()],
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("--mode app -- x", OptionsError::Missing("NAME")),
            ("web -- x", OptionsError::Missing("--mode")),
            ("web --mode app", OptionsError::Missing("PROGRAM")),
            ("web --mode boot -- x", OptionsError::Missing("--run-dir")),
            ("web --mode exec --join 1:2 -- x", OptionsError::Missing("--join or --spec-fd")),
            ("web --mode exec --join 1:2 --spec-fd 3", OptionsError::Missing("PROGRAM")),
            ("web --mode exec --join x", OptionsError::Unknown("x".into())),
            ("web --mode exec --join 1", OptionsError::Unknown("1".into())),
            ("web --mode vm -- x", OptionsError::Unknown("vm".into())),
            ("web two --mode app -- x", OptionsError::Unknown("two".into())),
            ("web --mode", OptionsError::Missing("the value of --mode")),
        ];
        for (words, error) in cases {
            assert_eq!(parse(words), Err(error), "{words}");
        }
    }
}
