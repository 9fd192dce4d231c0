//! Questions to the person at the terminal.

use crate::ctx::Ctx;
use crate::terminal::Unseen;
use bytes::Bytes;
use std::io::{self, BufRead, IsTerminal};
use tokio::sync::mpsc::Receiver;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// Asks whether to go on; `--yes` answers it. For commands that listen to no signals.
///
/// # Errors
/// When the answer is no, or nobody is there to answer.
pub(crate) fn confirm(ctx: &Ctx, question: &str) -> Result<(), Problem> {
    match is_answered(ctx, question)? {
        true => Ok(()),
        false => judged(answer()),
    }
}

/// The same where signals are listened to, which are heard meanwhile.
///
/// # Errors
/// As [`confirm`].
pub(crate) async fn confirmed(ctx: &Ctx, question: &str) -> Result<(), Problem> {
    if is_answered(ctx, question)? {
        return Ok(());
    }
    let (tell, told) = tokio::sync::oneshot::channel();
    // Of a line and not more, so that it takes nothing from who reads next. Nobody may want to know it any more.
    let read = move || drop(tell.send(answer()));
    drop(std::thread::Builder::new().name("answer".into()).spawn(read));
    judged(told.await.unwrap_or_else(|error| Err(io::Error::other(error))))
}

/// Whether `--yes` has answered; else the question is on the screen of somebody who can.
fn is_answered(ctx: &Ctx, question: &str) -> Result<bool, Problem> {
    if ctx.global.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        let title = format!("{question} Nobody is there to answer");
        return Err(Problem::new(ErrorKind::Usage, title).hinted("Say --yes"));
    }
    ctx.out.error_bytes(format!("{question} [y/N] ").as_bytes());
    Ok(false)
}

fn answer() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map(|_| line)
}

fn judged(answer: io::Result<String>) -> Result<(), Problem> {
    match answer {
        Ok(answer) if is_yes(&answer) => Ok(()),
        _ => Err(Problem::new(ErrorKind::General, "Nothing was done")),
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
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
