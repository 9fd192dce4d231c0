//! What the binary lends to the command line, which links neither engine nor host.

use crate::installation;
use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use volt_cli::{DaemonArgs, Embed, EmbedRequest, InstallArgs, Problem};
use volt_daemon::embedded::Embedded;
use volt_host::command::{Command, Stream};
use volt_model::kind::ErrorKind;

/// The server inside this process, once something was asked of it.
static SERVER: OnceLock<Embedded> = OnceLock::new();

/// All that is lent. Nothing is made until it is used.
pub(crate) fn embed() -> Embed {
    Embed {
        serve: Arc::new(|request| Box::pin(async move { Ok(server(request)?.connect()) })),
        finish: Arc::new(|| {
            Box::pin(async {
                if let Some(server) = SERVER.get() {
                    server.finish().await;
                }
            })
        }),
        run_daemon,
        system_install,
        foreground,
    }
}

fn server(request: EmbedRequest) -> io::Result<&'static Embedded> {
    if let Some(server) = SERVER.get() {
        return Ok(server);
    }
    let installation = if request.rootless {
        installation::of_user(request.config)
    } else {
        installation::below(request.root, request.config)
    };
    let server = Embedded::new(&installation)?;
    Ok(SERVER.get_or_init(|| server))
}

fn run_daemon(args: DaemonArgs) -> ExitCode {
    volt_daemon::run::run(&volt_daemon::run::DaemonArgs {
        installation: installation::below(args.root, args.config),
        idle: args.idle,
        debug: args.debug,
    })
}

fn system_install(_: InstallArgs) -> Result<Vec<String>, Problem> {
    Err(Problem::new(ErrorKind::Dependency, "This Volt can't install itself")
        .hinted("Install the Debian package, which has the units"))
}

/// Runs a program such as an editor with the caller's own environment, folder and terminal.
fn foreground(words: &[OsString]) -> io::Result<i32> {
    let Some((program, args)) = words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program)
        .args(args)
        .stdin(Stream::Inherit)
        .stdout(Stream::Inherit)
        .stderr(Stream::Inherit);
    for (name, value) in env::vars_os() {
        command = command.env(name, value);
    }
    let mut child = command.cwd(".").spawn().map_err(io::Error::other)?;
    Ok(child.wait().map_err(io::Error::other)?.code())
}
