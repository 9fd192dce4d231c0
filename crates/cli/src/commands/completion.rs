//! `volt completion`.

use crate::ctx::Ctx;
use crate::docs::{Shell, completion};
use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
Examples:
  source <(volt completion bash)
  volt completion zsh > ~/.zfunc/_volt
  volt completion fish > ~/.config/fish/completions/volt.fish";

/// Print a script that completes commands, options and live names
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints it.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Outcome {
    ctx.out.bytes(&completion(args.shell));
    Ok(Output::nothing())
}
