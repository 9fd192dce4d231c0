//! Questions to the person at the terminal.

use crate::ctx::Ctx;
use crate::terminal::Unseen;
use bytes::Bytes;
use std::io::{self, BufRead, IsTerminal};
use tokio::sync::mpsc::Receiver;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// Asks whether to go on; `--yes` answers it.
///
/// # Errors
/// When the answer is no, or nobody is there to answer.
pub(crate) fn confirm(ctx: &Ctx, question: &str) -> Result<(), Problem> {
    if ctx.global.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Problem::new(
            ErrorKind::Usage,
            format!("{question} Nobody is there to answer"),
        )
        .hinted("Say --yes"));
    }
    ctx.out.error_bytes(format!("{question} [y/N] ").as_bytes());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    let yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    match read {
        Ok(_) if yes => Ok(()),
        _ => Err(Problem::new(ErrorKind::General, "Nothing was done")),
    }
}

/// Asks for a line, which comes from standard input, a terminal.
///
/// # Errors
/// When there is none.
pub(crate) async fn line(
    ctx: &Ctx,
    input: &mut Receiver<io::Result<Bytes>>,
    question: &str,
) -> Result<String, Problem> {
    ctx.out.error_bytes(crate::output::clean(question).as_bytes());
    let nothing = || Problem::new(ErrorKind::Usage, "Nothing was typed");
    // A terminal gives a line at a time.
    let typed = input.recv().await.ok_or_else(nothing)?;
    let typed = typed.map_err(|error| nothing().because(&error))?;
    let text = String::from_utf8(typed.to_vec()).map_err(|error| nothing().because(&error))?;
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() { Err(nothing()) } else { Ok(text) }
}

/// The same for what nobody may see on the screen.
///
/// # Errors
/// When there is none.
pub(crate) async fn secret(
    ctx: &Ctx,
    input: &mut Receiver<io::Result<Bytes>>,
    question: &str,
) -> Result<String, Problem> {
    let unseen = Unseen::enter().map_err(|error| {
        Problem::new(ErrorKind::Usage, "What is typed here would be seen").because(&error)
    })?;
    let typed = line(ctx, input, question).await;
    drop(unseen);
    // The return key was not seen either.
    ctx.out.error_bytes(b"\n");
    typed
}
