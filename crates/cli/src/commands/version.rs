//! `volt version`.

use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_api::operations::SystemVersionOp;
use volt_api::types::{Nothing, Version};

const EXAMPLES: &str = "\
Examples:
  volt version
  volt version -o json
  volt version --server";

/// Print the version
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Ask the server for its version
    #[arg(long)]
    pub(crate) server: bool,
}

/// Prints this program's version, and asks nobody.
pub(crate) fn run_local() -> Outcome {
    Ok(shown(&Version { version: env!("CARGO_PKG_VERSION").into(), api: "v1".into() }))
}

/// Prints the server's version.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(shown(&ctx.call::<SystemVersionOp>(&Nothing {}, &Nothing {}).await?))
}

fn shown(version: &Version) -> Output {
    Output::text(version, &version.version, format!("volt {}\n", version.version))
}
