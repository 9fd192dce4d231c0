//! `volt audit show`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::AuditShowOp;
use volt_api::types::{AuditShow, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt audit show 0198c5a2-77d1
  volt audit show -o json 0198c5a2-77d1";

/// Show one line of the audit trail
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The request, as `audit list` and errors as JSON name it
    #[arg(value_name = "REQUEST")]
    request: String,
}

/// Shows it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let show = AuditShow { request_id: args.request };
    let record = ctx.call::<AuditShowOp>(&show, &Nothing {}).await?;
    Ok(views::system::audit_record(&record))
}
