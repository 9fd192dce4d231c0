//! The parser: what every command has in common, and the tree of commands.
//!
//! What a command takes stands in its own file; this knows only the global options.

use crate::commands::Command;
use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ColorChoice, CommandFactory, Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  volt run -it debian bash              A shell in a new container
  volt run -d --name web debian sleep 1h
  volt ps -a                            Containers and all else that Volt runs
  volt logs -f web
  volt exec web cat /etc/os-release
  volt system check                     What this host can do

Who is asked:
  the daemon that --host or --context names; with --root, the daemon of that root or else this
  command itself; the system's daemon where its socket answers; else this command itself, on
  your own containers where there is a ~/.local/share/volt (made on a host without Volt), else
  on the system's, which others than root can only look at.

Exit codes:
  0 ok, 1 general, 2 usage, 3 not found, 4 already exists, 5 permission, 6 daemon, 7 timeout,
  8 network, 9 conflict, 10 dependency, 11 resource, 12 invalid configuration, 13 interrupted;
  run, exec, shell and attach end with the command's own.";

/// Run containers on systemd
///
/// Every container is a systemd unit that systemctl, journalctl and machinectl see too.
#[derive(Debug, Parser)]
#[command(name = "volt", bin_name = "volt", version, after_help = EXAMPLES, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// More columns
    Wide,
    /// JSON, as the API has it
    Json,
    /// The same as YAML
    Yaml,
    /// One name a line
    Name,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The options that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Output format: table, wide, json, yaml or name
    #[arg(short, long, global = true, env = "VOLT_OUTPUT", value_name = "FORMAT")]
    #[arg(value_enum, default_value = "table", hide_possible_values = true)]
    pub(crate) output: Format,
    /// When to use colour: auto, always or never
    #[arg(long, global = true, env = "VOLT_COLOR", value_name = "WHEN")]
    #[arg(value_enum, default_value = "auto", hide_possible_values = true)]
    pub(crate) color: Color,
    /// The daemon to ask: a socket's path, unix://PATH or tcp://HOST:PORT
    #[arg(long, global = true, env = "VOLT_HOST", value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// The configuration file, in place of the installation's; a daemon has its own
    #[arg(long, global = true, env = "VOLT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A host by its name in contexts.yaml
    #[arg(long, global = true, env = "VOLT_CONTEXT", value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The root that all of Volt's folders hang from: an installation of its own, `/` is the system's
    #[arg(long, global = true, env = "VOLT_ROOT", value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Say what is done on the way
    #[arg(long, global = true, env = "VOLT_DEBUG", value_parser = FalseyValueParser::new())]
    #[arg(action = clap::ArgAction::SetTrue)]
    pub(crate) debug: bool,
    /// Print nothing but data and errors; of lists the names
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
}

impl Global {
    /// The options with what was typed put before what the environment says: `--context` or `--root` on the command line is meant
    /// even where `VOLT_HOST` is set.
    pub(crate) fn settled(mut self, matches: &ArgMatches) -> Self {
        let typed = |name| source(matches, name) == Some(ValueSource::CommandLine);
        if typed("host") {
            return self;
        }
        if typed("context") {
            self.host = None;
        } else if typed("root") {
            (self.host, self.context) = (None, None);
        }
        self
    }

    /// The options that say who is asked, as they would be typed.
    pub(crate) fn place(&self) -> Vec<OsString> {
        let given = |name: &str, value: Option<OsString>| {
            value.map(|value| {
                let mut word = OsString::from(format!("--{name}="));
                word.push(value);
                word
            })
        };
        let path = |path: &Option<PathBuf>| path.clone().map(PathBuf::into_os_string);
        [
            given("host", self.host.clone().map(Into::into)),
            given("context", self.context.clone().map(Into::into)),
            given("config", path(&self.config)),
            given("root", path(&self.root)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Where a global option's value came from; with subcommands the deepest match has it.
fn source(matches: &ArgMatches, name: &str) -> Option<ValueSource> {
    let mut found = matches.value_source(name);
    let mut at = matches;
    while let Some((_, below)) = at.subcommand() {
        at = below;
        if let Ok(Some(ValueSource::CommandLine)) =
            at.try_contains_id(name).map(|_| at.value_source(name))
        {
            found = Some(ValueSource::CommandLine);
        }
    }
    found
}

/// The whole tree of commands.
#[must_use]
pub fn command() -> clap::Command {
    taking_negatives(Cli::command())
}

/// What looks like a negative number is the value of an option, not an option itself: so what is wrong with it can be said.
fn taking_negatives(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let takes = !arg.is_positional() && arg.get_action().takes_values();
        if takes { arg.allow_negative_numbers(true) } else { arg }
    });
    command.mut_subcommands(taking_negatives)
}

/// Names the command of a noun that has the verb which somebody typed without the noun.
pub(crate) fn suggest(error: &mut clap::Error) {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return;
    };
    let found: Vec<String> = command()
        .get_subcommands()
        .flat_map(|noun| {
            let verbs = noun.get_subcommands().filter(|verb| verb.get_name() == word);
            verbs.map(|verb| format!("{} {}", noun.get_name(), verb.get_name())).collect::<Vec<_>>()
        })
        .collect();
    if !found.is_empty() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(found));
    }
}

/// Whether help and usage errors are coloured: they are printed before `--color` is parsed.
pub(crate) fn help_color(args: &[OsString]) -> ColorChoice {
    let typed = args.iter().zip(args.iter().skip(1)).find_map(|(flag, value)| {
        let joined = flag.to_str().and_then(|f| f.strip_prefix("--color="));
        joined
            .map(str::to_owned)
            .or_else(|| (flag == "--color").then(|| value.to_string_lossy().into_owned()))
    });
    match typed.or_else(|| std::env::var_os("VOLT_COLOR")?.into_string().ok()).as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(words.split(' '))
    }

    #[test]
    fn the_parser_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_and_behind_the_command() {
        for words in ["volt -o json ps", "volt ps -o json", "volt container list --output=json"] {
            assert_eq!(parse(words).unwrap().global.output, Format::Json, "{words}");
        }
    }

    #[test]
    fn words_behind_the_image_belong_to_the_command() {
        let Command::Run(run) = parse("volt run -it debian ls -l -o json").unwrap().command else {
            panic!("not run");
        };
        assert_eq!(run.create.command, ["ls", "-l", "-o", "json"]);
        assert!(run.create.tty && run.create.interactive);
        let Command::Exec(exec) = parse("volt exec -t web ls -i").unwrap().command else {
            panic!("not exec");
        };
        assert_eq!(exec.command, ["ls", "-i"]);
    }

    #[test]
    fn negative_numbers_are_told_what_is_wanted() {
        for words in ["logs -n -5 web", "container stop -t -1 web", "run --pids -1 debian"] {
            let error = command().try_get_matches_from(format!("volt {words}").split(' '));
            let error = error.unwrap_err().to_string();
            assert!(error.contains("write a whole number"), "{words}: {error}");
        }
    }

    #[test]
    fn near_misses_are_suggested() {
        let error = parse("volt contaner list").unwrap_err().to_string();
        assert!(error.contains("container"), "{error}");
        let mut error = command().try_get_matches_from(["volt", "create"]).unwrap_err();
        suggest(&mut error);
        let error = error.to_string();
        assert!(
            error.contains("'container create', 'secret create', 'service create', 'task create', 'snapshot create', 'volume create'"),
            "{error}"
        );
    }
}
