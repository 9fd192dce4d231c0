//! `volt service show`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceShowOp;
use volt_api::types::{Named, Nothing, ServiceFile};

const EXAMPLES: &str = "\
Examples:
  volt service show web
  volt service cat nginx.service";

/// Show the files of a service's unit, as systemd reads them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The service; a unit of the host by its full name
    #[arg(add = ArgValueCompleter::new(complete::services))]
    name: String,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let named = Named { name: args.name };
    let files = ctx.call::<ServiceShowOp>(&named, &Nothing {}).await?;
    let texts: Vec<String> = files.iter().map(shown).collect();
    Ok(Output::text(&files, &named.name, texts.join("\n")))
}

/// A file with its path above it, as `systemctl cat` does.
pub(super) fn shown(file: &ServiceFile) -> String {
    let text = file.text.as_deref().unwrap_or("# Only root may read it.\n");
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("# {}\n{text}{end}", file.path)
}
