//! `volt task run`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use crate::views::workload::{LogStyle, log_line};
use clap_complete::engine::ArgValueCompleter;
use volt_api::Problem;
use volt_api::operations::TaskRunOp;
use volt_api::types::{Named, TaskOutput};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt task run backup
  volt task run -o json backup | jq 'select(.run).run.result'";

/// Run a task now, show what it writes, and end with its exit code
///
/// It is the run that its timer would start: by systemd, with its sandbox, time limit and retries. Interrupted, this command ends and the
/// run goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The task
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    name: String,
}

/// Runs it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let style = LogStyle { color: ctx.out.is_coloured(), ..LogStyle::default() };
    let mut ended = None;
    let named = Named { name: args.name };
    ctx.lines::<TaskRunOp>(&named, |output: TaskOutput| {
        let written = match (&output.line, ctx.out.is_for_programs()) {
            (_, true) => ctx.out.item(&output),
            (Some(line), false) => ctx.out.line(&log_line(line, style)),
            (None, false) => true,
        };
        ended = output.run.or(ended.take());
        written && ctx.out.flush()
    })
    .await?;
    let Some(run) = ended else {
        let title = format!("Nothing is known of how the run of {} ended", named.name);
        return Err(Problem::new(ErrorKind::General, title)
            .hinted(format!("See `volt task logs {}`", named.name)));
    };
    if run.result == "success" {
        return Ok(Output::nothing());
    }
    let how = run.exit_code.map_or_else(String::new, |code| format!(", exit code {code}"));
    let again = if run.attempt > 1 { format!(" (try {})", run.attempt) } else { String::new() };
    ctx.out.note(&format!("{} ended with {}{how}{again}", named.name, run.result));
    let code = run.exit_code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    Ok(Output::exit(code.unwrap_or_else(|| ErrorKind::General.exit_code())))
}
