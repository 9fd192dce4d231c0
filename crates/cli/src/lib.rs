//! The command line of Volt: commands, the printer, exit codes, completions, man pages.
//!
//! It speaks the HTTP API and nothing else: what an operation does is not known here. Only this crate prints and reads the
//! environment. Start with [`main`], then `commands/<noun>/<verb>.rs`: the words of a command are its file.

mod accounts;
mod ask;
mod cli;
mod commands;
mod complete;
mod connect;
mod copy;
mod ctx;
mod docs;
mod editor;
mod embed;
mod input;
mod many;
mod number;
mod output;
mod progress;
mod session;
mod terminal;
#[cfg(test)]
mod testing;
mod views;

pub use cli::command;
pub use docs::{man_pages, reference, write_docs};
pub use embed::{Ask, DaemonArgs, DnsArgs, Embed, EmbedRequest, Finish, InstallArgs, Serve};
/// What [`Embed`]'s functions speak of, for the binary, which doesn't link the API itself.
pub use volt_api::Problem;
pub use volt_api::client::{BoxFuture, Connection};

use crate::cli::Cli;
use crate::ctx::Ctx;
use crate::output::Output;
use clap::FromArgMatches;
use std::ffi::OsString;
use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;
use volt_model::kind::ErrorKind;

/// Runs the command line with the arguments of the process (the program's name first) and returns its exit code.
pub fn main(args: impl Iterator<Item = OsString>, embed: Embed) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    if is_plain_version(&args) {
        // The parser of all commands is not built for this: scripts ask for the version often.
        let line = format!("volt {}\n", env!("CARGO_PKG_VERSION"));
        return written(std::io::stdout().write_all(line.as_bytes()));
    }
    if let Some(code) = complete::answer(&args, &embed) {
        return code;
    }
    let matches = match command().color(cli::help_color(&args)).try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(e) => return cannot_parse(e),
    };
    let parsed = match Cli::from_arg_matches(&matches) {
        Ok(parsed) => parsed,
        Err(e) => return cannot_parse(e),
    };
    let global = parsed.global.settled(&matches);
    terminal::restore_on_panic();
    run(&Ctx::new(global, embed), parsed.command)
}

fn is_plain_version(args: &[OsString]) -> bool {
    let word = |w: &OsString| w == "version" || w == "--version" || w == "-V";
    let format = std::env::var_os("VOLT_OUTPUT").is_none_or(|f| f == "table" || f == "wide");
    args.len() == 2 && word(&args[1]) && format
}

fn written(result: std::io::Result<()>) -> ExitCode {
    match result.and_then(|()| std::io::stdout().flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            // Where standard error is gone as well, the code has to do.
            drop(writeln!(std::io::stderr(), "error: {}", output::unwritable(&e)));
            ExitCode::from(ErrorKind::General.exit_code())
        }
        _ => ExitCode::SUCCESS,
    }
}

fn cannot_parse(mut error: clap::Error) -> ExitCode {
    cli::suggest(&mut error);
    let printed = error.print();
    if error.use_stderr() {
        // Nothing is left to do where even this can't be written.
        return ExitCode::from(ErrorKind::Usage.exit_code());
    }
    written(printed)
}

fn run(ctx: &Ctx, command: commands::Command) -> ExitCode {
    let command = match commands::local(command, ctx) {
        ControlFlow::Break(code) => return code,
        ControlFlow::Continue(command) => command,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let problem = Problem::new(ErrorKind::Resource, "The command can't begin").because(&e);
            return ExitCode::from(ctx.out.finish(Err(problem), None));
        }
    };
    let outcome = runtime.block_on(async {
        let outcome = tokio::select! {
            // A signal is heard before the command goes on, and says that signals are its own business.
            biased;
            problem = ctx.interrupted() => match ctx.is_endless() {
                true => Ok(Output::exit(problem.kind().exit_code())),
                false => Err(commands::run::interrupted(ctx, problem).await),
            },
            outcome = commands::dispatch(command, ctx) => outcome,
        };
        ctx.finish().await;
        outcome
    });
    let code = ctx.out.finish(outcome, ctx.remark());
    // A thread may still wait for standard input; the process doesn't wait for it.
    runtime.shutdown_background();
    ExitCode::from(code)
}
