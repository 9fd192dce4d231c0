//! What the binary lends to the command line, which links neither engine nor host.

use crate::installation;
use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use volt_cli::{DaemonArgs, DnsArgs, Embed, EmbedRequest, InstallArgs, Problem};
use volt_daemon::embedded::Embedded;
use volt_engine::system::{InstallOptions, UninstallOptions};
use volt_engine::{Engine, Settings};
use volt_host::command::{self, Command, Stream};
use volt_model::kind::ErrorKind;

/// The server inside this process, once something was asked of it.
static SERVER: OnceLock<Embedded> = OnceLock::new();

/// How long a program may take to answer: it may ask a person for a password first.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

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
        run_dns,
        system_install,
        foreground,
        ask,
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

/// Serves names. What keeps it from that is said on standard error.
fn run_dns(args: DnsArgs) -> ExitCode {
    volt_daemon::run::log_to_stderr();
    let settings = volt_dns::Settings {
        table: installation::below(args.root, None).paths.dns_table(),
        resolv_conf: "/etc/resolv.conf".into(),
        port: 53,
    };
    match volt_dns::serve(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::internal::failed(ErrorKind::Network, &crate::internal::chain(&error)),
    }
}

/// Installs or uninstalls by the engine itself: it is what makes the daemon, so it can't be asked of one.
fn system_install(args: InstallArgs) -> Result<Vec<String>, Problem> {
    let installation = installation::below(args.root, None);
    let engine = Engine::new(Settings {
        paths: installation.paths,
        rootless: installation.rootless || !is_root(),
        programs: installation.programs,
        served_by: "embedded",
    });
    let done = if args.uninstall {
        let options = UninstallOptions {
            purge: args.purge,
            dry_run: args.dry_run,
            ..UninstallOptions::default()
        };
        engine.system_uninstall(&options)
    } else {
        engine
            .system_install(&InstallOptions { dry_run: args.dry_run, ..InstallOptions::default() })
    };
    done.map_err(|error| {
        let mut problem = Problem::new(error.kind, error.message.clone());
        problem.causes = error.chain().into_iter().skip(1).collect();
        problem.hint = error.hint;
        problem
    })
}

fn is_root() -> bool {
    volt_host::peer::Peer::myself().is_ok_and(|me| me.uid == 0)
}

/// Runs a program such as an editor with the caller's own environment, folder and terminal.
fn foreground(words: &[OsString]) -> io::Result<i32> {
    let Some((program, args)) = words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let command = Command::new(program)
        .args(args)
        .stdin(Stream::Inherit)
        .stdout(Stream::Inherit)
        .stderr(Stream::Inherit);
    let mut child = as_caller(command).spawn().map_err(io::Error::other)?;
    Ok(child.wait().map_err(io::Error::other)?.code())
}

/// Runs a program such as one that keeps secrets, which finds them by the caller's own environment.
fn ask(words: &[&str], input: &str) -> io::Result<(i32, Vec<u8>)> {
    let Some((program, args)) = words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let command = Command::new(program).args(args).input(input).time_limit(ANSWER_LIMIT);
    let output = as_caller(command).output_any_status().map_err(|error| match error {
        command::Error::Missing { .. } => io::Error::new(io::ErrorKind::NotFound, error),
        error => io::Error::other(error),
    })?;
    Ok((output.status.code(), output.stdout))
}

/// With the caller's own environment and folder.
fn as_caller(mut command: Command) -> Command {
    for (name, value) in env::vars_os() {
        command = command.env(name, value);
    }
    command.cwd(".")
}
