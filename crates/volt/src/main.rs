//! The binary: lends the server, the daemon and the host to the command line, and hands over to it.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use volt_cli::{Embed, Problem};
use volt_model::kind::ErrorKind;

fn main() -> ExitCode {
    volt_cli::main(std::env::args_os(), embed())
}

/// Nothing is lent yet: only a daemon that runs elsewhere can be asked.
fn embed() -> Embed {
    Embed {
        serve: Arc::new(|_| Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })),
        finish: Arc::new(|| Box::pin(async {})),
        run_daemon: |_| ExitCode::from(ErrorKind::Daemon.exit_code()),
        system_install: |_| Err(Problem::new(ErrorKind::Daemon, "This is not built in yet")),
        foreground: |_| Err(io::ErrorKind::Unsupported.into()),
    }
}
