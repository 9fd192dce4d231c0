//! What the binary lends to the command line: the server inside this process, the daemon, installation, programs.
//!
//! The command line doesn't link the engine; these functions are how it gets there all the same.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use volt_api::Problem;
use volt_api::client::{BoxFuture, Connection};

/// Serves the API inside this process and returns one end of an in-memory pipe to it.
pub type Serve =
    Arc<dyn Fn(EmbedRequest) -> BoxFuture<io::Result<Box<dyn Connection>>> + Send + Sync>;
/// Waits until the server inside this process has finished or undone what it was doing.
pub type Finish = Arc<dyn Fn() -> BoxFuture<()> + Send + Sync>;

/// Runs a program (the first word) with a text on its standard input; its exit code, and what it wrote to its standard output.
pub type Ask = fn(&[&str], &str) -> io::Result<(i32, Vec<u8>)>;

/// What the binary lends to the command line.
#[derive(Clone)]
pub struct Embed {
    /// Called for every connection; the server behind it is the same each time.
    pub serve: Serve,
    /// Called once before the process ends, when `serve` was called; given up on after some seconds.
    pub finish: Finish,
    /// Runs the daemon until it has no duty.
    pub run_daemon: fn(DaemonArgs) -> ExitCode,
    /// Runs the server of names until it is told to go.
    pub run_dns: fn(DnsArgs) -> ExitCode,
    /// Installs or uninstalls Volt's units and folders; what was (or would be) done, one line each.
    pub system_install: fn(InstallArgs) -> Result<Vec<String>, Problem>,
    /// Runs a program (the first word) on this very terminal, waits for it and returns its exit code.
    pub foreground: fn(&[OsString]) -> io::Result<i32>,
    /// Asks a program something, such as one that keeps secrets.
    pub ask: Ask,
}

impl fmt::Debug for Embed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embed").finish_non_exhaustive()
    }
}

/// Which installation the embedded server is to serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedRequest {
    /// `--root`: the root everything hangs from; `/` where nothing is said.
    pub root: Option<PathBuf>,
    /// A user's own installation below the XDG folders.
    pub rootless: bool,
    /// `--config`: the configuration file, in place of the root's.
    pub config: Option<PathBuf>,
}

/// How `volt daemon` was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonArgs {
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// How long it stays without a duty; the configuration's value where nothing is said.
    pub idle: Option<Duration>,
    /// `--debug`.
    pub debug: bool,
}

/// How `volt dns serve` was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsArgs {
    /// `--root`.
    pub root: Option<PathBuf>,
}

/// How `volt system install` or `uninstall` was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallArgs {
    /// Take away in place of putting there.
    pub uninstall: bool,
    /// Take away containers, images, volumes and configuration too.
    pub purge: bool,
    /// `--root`.
    pub root: Option<PathBuf>,
    /// Only say what would be done.
    pub dry_run: bool,
}
