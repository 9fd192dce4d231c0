//! Questions to the person at the terminal.

use crate::ctx::Ctx;
use std::io::{BufRead, IsTerminal};
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
