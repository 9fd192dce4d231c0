//! Editing a text with the person's own editor, again and again until it is taken or given up.

use crate::ask;
use crate::copy::file_problem;
use crate::ctx::Ctx;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;
use tempfile::TempPath;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// What is edited.
pub(crate) struct Draft<'a> {
    /// How its file begins.
    pub(crate) prefix: &'a str,
    /// How it ends.
    pub(crate) suffix: &'a str,
    /// What stands in it at first.
    pub(crate) text: &'a str,
    /// What is said where it is given up.
    pub(crate) stays: &'a str,
}

/// Has a text edited and hands it to `take`, until that takes it, nothing was changed, or it is given up. What was written and not
/// taken is kept in a file that is named.
pub(crate) async fn edit(
    ctx: &Ctx,
    draft: &Draft<'_>,
    take: impl AsyncFn(String) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let file = file_of(draft)?;
    let edited = until_taken(ctx, draft, &file, take).await;
    let is_worth_keeping =
        edited.is_err() && std::fs::read_to_string(&file).is_ok_and(|text| text != draft.text);
    if is_worth_keeping && let Ok(kept) = file.keep() {
        ctx.out.warn(&format!("What you wrote is kept in {}", kept.display()));
    }
    edited
}

async fn until_taken(
    ctx: &Ctx,
    draft: &Draft<'_>,
    file: &Path,
    take: impl AsyncFn(String) -> Result<(), Problem>,
) -> Result<(), Problem> {
    loop {
        let text = edited(ctx, file)?;
        if text == draft.text {
            ctx.out.note("Nothing was changed.");
            return Ok(());
        }
        match take(text).await {
            Ok(()) => return Ok(()),
            // With --yes nobody is there to mend it, and the same editor would do the same again.
            Err(problem) if may_try_again(&problem) && !ctx.global.yes => {
                ctx.out.problem(&problem);
                if ask::confirmed(ctx, "Edit it again?").await.is_err() {
                    return Err(Problem::new(problem.kind(), draft.stays));
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
fn file_of(draft: &Draft<'_>) -> Result<TempPath, Problem> {
    let named = tempfile::Builder::new().prefix(draft.prefix).suffix(draft.suffix).tempfile();
    let mut file = named.map_err(|e| file_problem("made", &std::env::temp_dir(), &e))?;
    let written = file.write_all(draft.text.as_bytes()).and_then(|()| file.flush());
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
