//! `volt config edit`.

use crate::ask;
use crate::copy::file_problem;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;
use tempfile::TempPath;
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
/// With $VISUAL, else $EDITOR, else vi. What is wrong with the file is said and it can be edited again; what is not taken is kept
/// in a file that is named. A file that someone else changed meanwhile is not overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Edits it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    let before = ctx.call::<ConfigReadOp>(&Nothing {}, &Nothing {}).await?;
    let file = draft(&before.text)?;
    let edited = edit(ctx, &file, &before).await;
    let is_worth_keeping =
        edited.is_err() && std::fs::read_to_string(&file).is_ok_and(|text| text != before.text);
    if is_worth_keeping && let Ok(kept) = file.keep() {
        ctx.out.warn(&format!("What you wrote is kept in {}", kept.display()));
    }
    edited.map(|()| Output::nothing())
}

/// Edits the draft until it is taken, or given up.
async fn edit(ctx: &Ctx, file: &Path, before: &ConfigText) -> Result<(), Problem> {
    loop {
        let text = edited(ctx, file)?;
        if text == before.text {
            ctx.out.note("Nothing was changed.");
            return Ok(());
        }
        let write = ConfigText { text, revision: before.revision.clone() };
        match ctx.call::<ConfigWriteOp>(&Nothing {}, &write).await {
            Ok(_) => return Ok(()),
            // With --yes nobody is there to mend it, and the same editor would do the same again.
            Err(problem) if may_try_again(&problem) && !ctx.global.yes => {
                ctx.out.problem(&problem);
                if ask::confirmed(ctx, "Edit it again?").await.is_err() {
                    let title = "The configuration stays as it was";
                    return Err(Problem::new(problem.kind(), title));
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

/// A file of this user's alone with the text, which goes away unless it is kept.
fn draft(text: &str) -> Result<TempPath, Problem> {
    let named = tempfile::Builder::new().prefix("volt-config-").suffix(".yaml").tempfile();
    let mut file = named.map_err(|e| file_problem("made", &std::env::temp_dir(), &e))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
    written.map_err(|e| file_problem("written", file.path(), &e))?;
    Ok(file.into_temp_path())
}

/// The text as it comes back from the editor.
fn edited(ctx: &Ctx, path: &Path) -> Result<String, Problem> {
    let words = editor(path);
    let failed = || {
        let program = words[0].to_string_lossy();
        Problem::new(ErrorKind::General, format!("The editor {program} failed"))
            .hinted("Name another with VISUAL")
    };
    match (ctx.embed.foreground)(&words) {
        Ok(0) => {}
        Ok(_) => return Err(failed()),
        Err(e) => return Err(failed().because(&e)),
    }
    // An editor may have put a new file in the old one's place: it is read by its path.
    std::fs::read_to_string(path).map_err(|e| file_problem("read", path, &e))
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
