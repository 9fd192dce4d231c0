//! `volt config edit`.

use crate::ask;
use crate::copy::file_problem;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;
use volt_api::Problem;
use volt_api::operations::{ConfigReadOp, ConfigWriteOp};
use volt_api::types::{ConfigText, Nothing};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  sudo volt config edit
  sudo EDITOR=nano volt config edit";

/// Edit the configuration file
///
/// With $VISUAL, else $EDITOR, else vi. What is wrong with the file is said and it can be edited again; a file that someone else
/// changed meanwhile is not overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Edits it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    let before = ctx.call::<ConfigReadOp>(&Nothing {}, &Nothing {}).await?;
    let mut text = before.text.clone();
    loop {
        text = edited(ctx, &text)?;
        if text == before.text {
            ctx.out.note("Nothing was changed.");
            return Ok(Output::nothing());
        }
        let write = ConfigText { text: text.clone(), revision: before.revision.clone() };
        match ctx.call::<ConfigWriteOp>(&Nothing {}, &write).await {
            Ok(_) => return Ok(Output::nothing()),
            Err(problem) if may_try_again(&problem) => {
                ctx.out.problem(&problem);
                // With --yes nobody is there to mend it, and the same editor would do the same again.
                if ctx.global.yes || ask::confirm(ctx, "Edit it again?").is_err() {
                    return Err(problem);
                }
            }
            Err(problem) => return Err(problem),
        }
    }
}

fn may_try_again(problem: &Problem) -> bool {
    let mended = matches!(problem.kind(), ErrorKind::InvalidConfig | ErrorKind::Usage);
    mended && std::io::stdin().is_terminal()
}

/// The text as it comes back from the editor.
fn edited(ctx: &Ctx, text: &str) -> Result<String, Problem> {
    let named = tempfile::Builder::new().prefix("volt-config-").suffix(".yaml").tempfile();
    let mut file = named.map_err(|e| file_problem("made", &std::env::temp_dir(), &e))?;
    let path = file.path().to_owned();
    let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
    written.map_err(|e| file_problem("written", &path, &e))?;
    let words = editor(&path);
    let failed = || {
        let program = words[0].to_string_lossy();
        Problem::new(ErrorKind::General, format!("The editor {program} failed"))
            .hinted("Name another with EDITOR")
    };
    match (ctx.embed.foreground)(&words) {
        Ok(0) => {}
        Ok(_) => return Err(failed()),
        Err(e) => return Err(failed().because(&e)),
    }
    // An editor may have put a new file in the old one's place: it is read by its path.
    std::fs::read_to_string(&path).map_err(|e| file_problem("read", &path, &e))
}

/// The editor's words with the file behind them.
fn editor(path: &Path) -> Vec<OsString> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let line = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
    let words = line.to_string_lossy();
    let mut words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
    if words.is_empty() {
        words.push("vi".into());
    }
    words.push(path.into());
    words
}
