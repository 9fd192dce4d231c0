//! `cargo xtask host`: test hosts, each a Debian with systemd as PID 1, of its own in every respect
//! that a test could spoil. In namespaces they are up in about a second (tier 2); with `--vm` they
//! have a kernel of their own (tier 3).

mod cgroup;
pub(crate) mod copy;
mod down;
pub(crate) mod exec;
pub(crate) mod inside;
pub(crate) mod keeper;
mod link;
mod loops;
pub(crate) mod state;
mod status;
pub(crate) mod up;

pub(crate) use down::down;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::exec::Request;
use self::state::{Kind, State};
use self::up::Wanted;
use crate::cache::SUITES;
use crate::install;
use crate::paths;
use crate::run::{Outcome, Result, fail};

const HELP: &str = "\
cargo xtask host COMMAND        (NAME is 'default', or what VOLT_XTASK_HOST says)

  up [NAME] [--suite trixie|bookworm] [--vm] [--no-volt] [--no-build]
                                bring a fresh host up, with Volt built and installed
  exec [NAME] [--user USER] [--] CMD…
                                run a command in it
  shell [NAME]                  a shell in it
  logs [NAME] [ARG…]            its journal; arguments are journalctl's
  install [NAME] [--no-build]   put a fresh build of Volt into it
  reboot [NAME]                 stop its PID 1 and boot again on the same disk
  copy HOST:PATH PATH           copy out of it, or into it the other way round
  link A[:DEV][=ADDR/LEN] B[:DEV][=ADDR/LEN]
                                join two hosts by a cable, of either kind; it goes with either, and with
                                a reboot of one in namespaces. A VM has three sockets
  down [NAME… | --all]          take it away with all it left behind
  status                        what hosts there are
  inspect [NAME]                what is known of one, as JSON";

/// Runs the task.
pub(crate) fn task(words: &[String]) -> Outcome {
    let Some((verb, rest)) = words.split_first() else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    match verb.as_str() {
        "up" => bring_up(rest)?,
        "exec" => return run(rest),
        "shell" => {
            let state = State::running(&only_name(rest)?)?;
            return enter(&state, &Request::root(["bash", "-l"]));
        }
        "logs" => return logs(rest),
        "install" => reinstall(rest)?,
        "reboot" => reboot(&only_name(rest)?)?,
        "copy" => match rest {
            [from, to] => copy::copy(from, to)?,
            _ => return fail("usage: cargo xtask host copy FROM TO"),
        },
        "link" => match rest {
            [one, other] => link::link(one, other)?,
            _ => return fail("usage: cargo xtask host link A[:DEV][=ADDR/LEN] B[:DEV][=ADDR/LEN]"),
        },
        "down" => take_down(rest)?,
        "status" => status::print(),
        "inspect" => status::inspect(&only_name(rest)?)?,
        _ => return fail(format!("there is no 'host {verb}'\n\n{HELP}")),
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of the host that is meant where none is given.
pub(crate) fn default_name() -> String {
    paths::variable("VOLT_XTASK_HOST").unwrap_or_else(|| "default".to_owned())
}

fn bring_up(words: &[String]) -> Result<()> {
    let mut name = None;
    let mut suite = SUITES[0].to_owned();
    let mut kind = Kind::Namespaces;
    let (mut volt, mut build) = (true, true);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--suite" => match words.next() {
                Some(value) if SUITES.contains(&value.as_str()) => suite.clone_from(value),
                _ => return fail(format!("--suite is one of: {}", SUITES.join(", "))),
            },
            "--vm" => kind = Kind::Vm,
            "--no-volt" => volt = false,
            "--no-build" => build = false,
            word if word.starts_with('-') || name.is_some() => {
                return fail(format!("'{word}' is not understood\n\n{HELP}"));
            }
            word => name = Some(word.to_owned()),
        }
    }
    let name = name.unwrap_or_else(default_name);
    let volt = match (volt, build) {
        (false, _) => None,
        (true, true) => Some(install::build("host")?),
        (true, false) => Some(install::built("host")?),
    };
    let begun = Instant::now();
    let state = up::up(&Wanted { name, suite, kind, volt })?;
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("host {} ({}) is up after {seconds:.2} s", state.name, state.suite);
    Ok(())
}

/// The one optional name of a verb that takes nothing else.
fn only_name(words: &[String]) -> Result<String> {
    match words {
        [] => Ok(default_name()),
        [name] => Ok(name.clone()),
        _ => fail("one name at most"),
    }
}

/// Splits off the name: the first word, where a host has it or where `--` follows.
fn name_first(words: &[String]) -> (String, &[String]) {
    match words {
        [name, rest @ ..]
            if !name.starts_with('-')
                && (State::load(name).is_some() || rest.first().is_some_and(|w| w == "--")) =>
        {
            (name.clone(), rest)
        }
        words => (default_name(), words),
    }
}

fn run(words: &[String]) -> Outcome {
    let (name, mut rest) = name_first(words);
    let mut user = None;
    if let [flag, value, others @ ..] = rest
        && flag == "--user"
    {
        user = Some(value.clone());
        rest = others;
    }
    let words = rest.strip_prefix(&["--".to_owned()]).unwrap_or(rest).to_vec();
    if words.is_empty() {
        return fail("usage: cargo xtask host exec [NAME] [--user USER] [--] CMD…");
    }
    enter(&State::running(&name)?, &Request { words, user })
}

fn enter(state: &State, request: &Request) -> Outcome {
    match state.kind {
        Kind::Namespaces => Err(exec::exec(state, request)),
        Kind::Vm => crate::vm::client::run(state, request),
    }
}

fn logs(words: &[String]) -> Outcome {
    let (name, rest) = name_first(words);
    let state = State::running(&name)?;
    let begun = ["journalctl", "--no-pager"].map(str::to_owned);
    enter(&state, &Request::root(begun.into_iter().chain(rest.iter().cloned())))
}

fn take_down(words: &[String]) -> Result<()> {
    let names = match words {
        [] => vec![default_name()],
        [all] if all == "--all" => state::names(),
        names => names.to_vec(),
    };
    names.iter().try_for_each(|name| down(name))
}

/// Boots a host again on the same disk.
pub(crate) fn reboot(name: &str) -> Result<()> {
    let begun = Instant::now();
    let state = State::running(name)?;
    match state.kind {
        Kind::Namespaces => {
            // SIGRTMIN+5: reboot, without asking D-Bus. The keeper then starts it again.
            down::signal(&state, 34 + 5);
            up::wait(name, state.boots, Duration::from_secs(60))?;
        }
        Kind::Vm => crate::vm::reboot(&state)?,
    }
    eprintln!("host {name} is up again after {:.2} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Puts a fresh build into a running host, as an upgrade of its package would.
fn reinstall(words: &[String]) -> Result<()> {
    let build = if words.iter().any(|word| word == "--no-build") {
        install::built("host")?
    } else {
        install::build("host")?
    };
    let names: Vec<String> = words.iter().filter(|word| *word != "--no-build").cloned().collect();
    let state = State::running(&only_name(&names)?)?;
    let stage = paths::cache().join(format!("install-{}.tmp", state.name));
    crate::cache::remove(&stage)?;
    install::lay(&build, &stage)?;
    copy::copy(&stage.display().to_string(), &format!("{}:/run/volt-install", state.name))?;
    let script = format!(
        "cp -a --remove-destination --no-preserve=ownership /run/volt-install/. /\n\
         rm -rf /run/volt-install\n{}",
        install::script(true)
    );
    exec::read(&state, &["sh", "-e", "-c", &script])?;
    crate::cache::remove(&stage)
}
