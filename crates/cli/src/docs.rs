//! Documents that are made from the parser: man pages, the command reference, completion scripts.

use crate::cli::command;
use crate::complete::VARIABLE;
use clap::{Arg, Command, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use clap_mangen::Man;
use std::io;
use std::path::Path;

/// A shell that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// Behind the script for zsh: where that is loaded from a folder of completions, it is by the first Tab, which wants an answer too.
const ZSH_FIRST: &str = r#"
if [[ "${funcstack[1]}" = _volt ]]; then
    _clap_dynamic_completer_volt "$@"
fi
"#;

/// The script that completes `volt` in a shell. It asks `volt` itself, so it knows live names and never grows old.
pub(crate) fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    completer
        .write_registration(VARIABLE, "volt", "volt", "volt", &mut script)
        .expect("a vector takes all that is written");
    if shell == Shell::Zsh {
        script.extend_from_slice(ZSH_FIRST.as_bytes());
    }
    script
}

/// The tree with names filled in and without clap's own `help` commands.
fn tree() -> Command {
    let mut tree = command().disable_help_subcommand(true);
    tree.build();
    tree
}

/// Every command with its words, the whole program first.
fn each<'a>(at: &'a Command, words: &str, found: &mut Vec<(String, &'a Command)>) {
    found.push((words.to_owned(), at));
    for below in at.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        each(below, &format!("{words} {}", below.get_name()), found);
    }
}

/// The man pages: file name and content.
#[must_use]
pub fn man_pages() -> Vec<(String, Vec<u8>)> {
    let tree = tree();
    let mut all = Vec::new();
    each(&tree, "volt", &mut all);
    let page = |(_, command): (String, &Command)| {
        let man = Man::new(command.clone()).manual("Volt");
        let mut page = Vec::new();
        man.render(&mut page).expect("a vector takes all that is written");
        (man.get_filename(), page)
    };
    all.into_iter().map(page).collect()
}

/// The command reference, Markdown.
#[must_use]
pub fn reference() -> String {
    let tree = tree();
    let mut all = Vec::new();
    each(&tree, "volt", &mut all);
    let mut out = String::from(
        "# Commands\n\nMade from the parser by `cargo xtask docs`. Every command takes the global options of `volt` as well.\n",
    );
    for (words, command) in all {
        out.push_str(&section(&words, command));
    }
    out
}

fn section(words: &str, command: &Command) -> String {
    let mut out = format!("\n## {words}\n\n");
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        out.push_str(&format!("{about}\n\n"));
    }
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        out.push_str(&format!("Also: `{}`\n\n", aliases.join("`, `")));
    }
    let usage = command.clone().render_usage().to_string();
    out.push_str(&format!("```text\n{}\n```\n", usage.trim_start_matches("Usage: ")));
    let is_top = !words.contains(' ');
    let below: Vec<&Command> =
        command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help").collect();
    if !below.is_empty() {
        out.push('\n');
    }
    for one in below {
        let about = one.get_about().map(ToString::to_string).unwrap_or_default();
        out.push_str(&format!("- `{words} {}`: {about}\n", one.get_name()));
    }
    let args: Vec<&Arg> = command
        .get_arguments()
        .filter(|a| !a.is_hide_set() && (is_top || !a.is_global_set()))
        .filter(|a| !matches!(a.get_id().as_str(), "help" | "version"))
        .collect();
    if !args.is_empty() {
        out.push_str("\n| argument | meaning |\n|---|---|\n");
    }
    for arg in args {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        out.push_str(&format!("| `{}` | {} |\n", written(arg), help.replace('|', "\\|")));
    }
    if let Some(examples) = command.get_after_help() {
        let text = examples.to_string();
        let text = text.strip_prefix("Examples:\n").unwrap_or(&text);
        out.push_str(&format!("\n```text\n{}\n```\n", text.trim_end()));
    }
    out
}

/// An argument as it is typed.
fn written(arg: &Arg) -> String {
    let takes = arg.get_action().takes_values();
    let value = arg.get_value_names().unwrap_or_default().join(" ");
    let value = value.replace('|', "\\|");
    if arg.is_positional() {
        return value;
    }
    let short = arg.get_short().map(|s| format!("-{s}, ")).unwrap_or_default();
    let long = arg.get_long().map(|l| format!("--{l}")).unwrap_or_default();
    let value = if takes { format!(" {value}") } else { String::new() };
    format!("{short}{long}{value}")
}

/// Writes `man1/*.1`, `completions/*`, `commands.md` and `openapi.json` below `folder`.
///
/// # Errors
/// When something can't be written, with its path.
pub fn write_docs(folder: &Path) -> io::Result<()> {
    for (name, page) in man_pages() {
        write(&folder.join("man1").join(name), &page)?;
    }
    for (name, shell) in
        [("volt.bash", Shell::Bash), ("_volt", Shell::Zsh), ("volt.fish", Shell::Fish)]
    {
        write(&folder.join("completions").join(name), &completion(shell))?;
    }
    write(&folder.join("commands.md"), reference().as_bytes())?;
    let openapi = format!("{:#}\n", volt_api::openapi::document());
    write(&folder.join("openapi.json"), openapi.as_bytes())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, content))
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_documents_are_written() {
        let folder = tempfile::tempdir().unwrap();
        write_docs(folder.path()).unwrap();
        for file in [
            "man1/volt.1",
            "man1/volt-container-start.1",
            "completions/volt.bash",
            "completions/_volt",
            "completions/volt.fish",
            "commands.md",
            "openapi.json",
        ] {
            assert!(folder.path().join(file).is_file(), "{file}");
        }
        let page = std::fs::read_to_string(folder.path().join("man1/volt-run.1")).unwrap();
        assert!(page.contains("cat /etc/os"), "examples stand in the man page");
        let reference = reference();
        assert!(reference.contains("\n## volt container start\n"));
        assert!(!reference.contains("## volt help"));
    }

    #[test]
    fn the_scripts_ask_volt_itself() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(completion(shell)).unwrap();
            assert!(script.contains(VARIABLE), "{script}");
        }
    }
}
