//! The house's own tasks, one line each in [`TASKS`]; `cargo xtask` without arguments lists them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "xtask talks to a person")]

mod paths;
mod run;

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
const TASKS: &[Task] = &[];

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
