//! The house's own tasks, one line each in [`TASKS`]; `cargo xtask` without arguments lists them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "xtask talks to a person")]

mod bench;
mod cache;
mod demo;
mod dist;
mod docs;
mod host;
mod install;
mod packages;
mod paths;
mod run;
mod soak;
mod test;
mod tidy;
mod vm;

use std::process::ExitCode;

use run::Outcome;

/// A task: its name, what it takes, what it does, and the function that does it.
struct Task {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

/// Every task. A new one is its module, and one line here.
const TASKS: &[Task] = &[
    Task {
        name: "demo",
        arguments: "[--mirror URL]",
        about: "show Volt at its work, on real input",
        run: demo::task,
    },
    Task {
        name: "test",
        arguments: "[FILTER]",
        about: "run the tests of all tiers",
        run: test::task,
    },
    Task {
        name: "soak",
        arguments: "NAME [--minutes N]",
        about: "run what has chance in it for long",
        run: soak::task,
    },
    Task {
        name: "host",
        arguments: "up|exec|shell|logs|down|status|…",
        about: "test hosts; 'host' alone says more",
        run: host::task,
    },
    Task {
        name: "cache",
        arguments: "[build [SUITE] | packaged SET | clean]",
        about: "make what test hosts need beforehand",
        run: cache::task::task,
    },
    Task {
        name: "bench",
        arguments: "NAME [FILTER] [--json] …",
        about: "measure Volt against its peers; 'bench' alone says more",
        run: bench::task,
    },
    Task {
        name: "tidy",
        arguments: "[CHECK…]",
        about: "check the conventions of the house",
        run: tidy::task,
    },
    Task {
        name: "docs",
        arguments: "",
        about: "make man pages, command reference, OpenAPI, completions",
        run: docs::task,
    },
    Task {
        name: "dist",
        arguments: "[--check]",
        about: "make the Debian package; --check uses and purges it in test hosts",
        run: dist::task,
    },
    // What hosts and benches are made of; not for typing.
    Task { name: "bench-driver", arguments: "", about: "", run: bench::driver::task },
    Task { name: "host-keeper", arguments: "", about: "", run: host::keeper::task },
    Task { name: "host-unshare", arguments: "", about: "", run: host::keeper::unshare },
    Task { name: "host-init", arguments: "", about: "", run: host::inside::task },
    Task { name: "host-qemu", arguments: "", about: "", run: vm::task },
    Task { name: "vm-agent", arguments: "", about: "", run: vm::agent::task },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = words.split_first() else {
        list();
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        list();
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("xtask: there is no task '{name}'; 'cargo xtask' lists them");
        return ExitCode::from(2);
    };
    match (task.run)(rest) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    println!("cargo xtask TASK\n");
    for task in TASKS.iter().filter(|task| !task.about.is_empty()) {
        let usage = format!("{} {}", task.name, task.arguments);
        if usage.len() > 32 {
            println!("  {usage}\n  {:<32}  {}", "", task.about);
        } else {
            println!("  {usage:<32}  {}", task.about);
        }
    }
}
