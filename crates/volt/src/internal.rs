//! `volt internal …`: what units and Volt itself call. Not for people, so there is no help and no compatibility.

use crate::installation;
use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use volt_engine::cas::Verified;
use volt_engine::task::Ended;
use volt_engine::{Engine, Settings, Silent};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// Does what the words say.
pub(crate) fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let word = args.next().unwrap_or_default();
    match word.to_str() {
        Some("run") => run(args),
        Some("relay") => volt_relay::main(args, env::vars_os()),
        Some("join") => match volt_host::join::main(args) {
            Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
            Err(error) => failed(ErrorKind::General, &chain(&error)),
        },
        Some("prepare") => about(args, |engine, name| engine.prepare(name)),
        Some("release") => about(args, Engine::unneeded),
        Some("ended") => about(args, Engine::supervised_run_ended),
        Some("still") => about(args, |engine, name| {
            let mut said = |word: &str| {
                // Where nobody reads it any more, the end of the input follows.
                drop(
                    writeln!(std::io::stdout(), "{word}").and_then(|()| std::io::stdout().flush()),
                );
            };
            engine.stand_still(name, &mut said, &mut std::io::stdin())
        }),
        Some("task-begins") => about(args, Engine::task_begins),
        Some("task-ended") => about(args, |engine, name| engine.task_ended(name, &ended())),
        Some("service-ended") => about(args, |engine, name| engine.service_ended(name, &ended())),
        Some("exited") => about(args, Engine::clear_run),
        Some("booted") => {
            volt_daemon::run::log_to_stderr();
            match engine().booted() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.kind, &error.chain().join(": ")),
            }
        }
        Some("scrub") => {
            volt_daemon::run::log_to_stderr();
            match engine().cas_verify(None, &Silent) {
                Ok(verified) => scrubbed(&verified),
                Err(error) => failed(error.kind, &error.chain().join(": ")),
            }
        }
        Some("stacks") => {
            volt_daemon::run::log_to_stderr();
            match engine().system_stacks_up(&Silent) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.kind, &error.chain().join(": ")),
            }
        }
        Some("firewall") => {
            volt_daemon::run::log_to_stderr();
            match engine().firewall_at_boot() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.kind, &error.chain().join(": ")),
            }
        }
        Some("networks") => {
            volt_daemon::run::log_to_stderr();
            match engine().watch_networks(&mut || volt_relay::notify(env::vars_os(), "READY=1")) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.kind, &error.chain().join(": ")),
            }
        }
        Some("health") => {
            volt_daemon::run::log_to_stderr();
            match engine().watch_health(&mut || volt_relay::notify(env::vars_os(), "READY=1")) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.kind, &error.chain().join(": ")),
            }
        }
        Some("gate") => match args.next().unwrap_or_default().to_str() {
            Some("healthy") => about(args, Engine::gate_healthy),
            Some("completed") => about(args, Engine::gate_completed),
            Some("reopen") => about(args, Engine::gate_reopen),
            _ => failed(ErrorKind::Usage, "gate: healthy, completed or reopen?"),
        },
        Some("no-networks") => {
            volt_daemon::run::log_to_stderr();
            match engine().networks_down() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.kind, &error.chain().join(": ")),
            }
        }
        Some("proxy") => about(args, |engine, name| {
            engine.proxy(name, &mut || volt_relay::notify(env::vars_os(), "READY=1"))
        }),
        Some("docs") => match args.next() {
            Some(folder) => match volt_cli::write_docs(folder.as_ref()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(ErrorKind::General, &chain(&error)),
            },
            None => failed(ErrorKind::Usage, "docs: into which folder?"),
        },
        _ => failed(ErrorKind::Usage, &format!("{} is no helper", word.display())),
    }
}

/// The main process of a container's unit: the relay, between the beginning and the end of a run. What goes wrong there is said
/// in the journal and does not change how the unit ends, which is as the container's command did.
fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let name: Name = match args.first().map(|word| word.to_string_lossy().parse()) {
        Some(Ok(name)) => name,
        Some(Err(error)) => return failed(ErrorKind::Usage, &chain(&error)),
        None => return failed(ErrorKind::Usage, "run: which container?"),
    };
    let engine = engine();
    let invocation = text("INVOCATION_ID");
    let noted = |end: &str, done: volt_engine::Result<()>| {
        if let Err(error) = done {
            failed(error.kind, &format!("{end} of the run: {}", error.chain().join(": ")));
        }
    };
    // From here on the end is ours to see, whenever a stop comes.
    volt_relay::hold_signals();
    noted("at the beginning", engine.run_begins(&name, &invocation));
    let code = volt_relay::main_telling(args, env::vars_os(), &mut |leader| {
        noted("at the beginning", engine.run_is_up(&name, leader));
    });
    // The container is down, and what is left to do may take a while.
    volt_relay::notify(env::vars_os(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000");
    noted("at the end", engine.run_ended(&name, &invocation));
    code
}

/// Tells the journal what was found in the store. A damage is the unit's failure, so that whoever looks after units sees it.
fn scrubbed(verified: &Verified) -> ExitCode {
    let open: Vec<_> = verified.damages.iter().filter(|damage| !damage.is_repaired).collect();
    for damage in &open {
        let touched: Vec<&str> = damage.touches.iter().map(|touch| touch.name.as_str()).collect();
        let hint = damage.hint.as_deref().unwrap_or("`volt cas verify` says more");
        let text =
            format!("{}: {}: {}; {hint}", damage.subject, damage.problem, touched.join(", "));
        drop(writeln!(std::io::stderr(), "<3>{text}"));
    }
    let (objects, bytes) = (verified.objects, verified.bytes);
    let text = format!("{objects} objects, {bytes} bytes read; {} damaged", open.len());
    match open.len() {
        0 => {
            drop(writeln!(std::io::stdout(), "{text}"));
            ExitCode::SUCCESS
        }
        _ => failed(ErrorKind::General, &text),
    }
}

/// Does something about the workload that the next word names.
fn about(
    mut args: impl Iterator<Item = OsString>,
    act: impl FnOnce(&Engine, &Name) -> volt_engine::Result<()>,
) -> ExitCode {
    let word = args.next().unwrap_or_default();
    let name: Name = match word.to_string_lossy().parse() {
        Ok(name) => name,
        Err(error) => return failed(ErrorKind::Usage, &chain(&error)),
    };
    volt_daemon::run::log_to_stderr();
    match act(&engine(), &name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error.kind, &error.chain().join(": ")),
    }
}

fn engine() -> Engine {
    let installation = installation::of_environment();
    Engine::new(Settings {
        paths: installation.paths,
        rootless: installation.rootless,
        programs: installation.programs,
        served_by: "unit",
    })
}

/// How a unit ended, as systemd tells its `ExecStopPost=`.
fn ended() -> Ended {
    Ended {
        invocation: text("INVOCATION_ID"),
        result: text("SERVICE_RESULT"),
        code: text("EXIT_CODE"),
        status: text("EXIT_STATUS"),
    }
}

fn text(name: &str) -> String {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Says why on standard error, which is the journal's, and ends with the kind's code.
pub(crate) fn failed(kind: ErrorKind, message: &str) -> ExitCode {
    // Where even that can't be written, the code has to do.
    drop(writeln!(std::io::stderr(), "{message}"));
    ExitCode::from(kind.exit_code())
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
