//! `volt audit list`.

use crate::ctx::Ctx;
use crate::number::count;
use crate::output::Outcome;
use crate::output::point;
use crate::views;
use volt_api::operations::AuditListOp;
use volt_api::types::{AuditList, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt audit list -n 20
  volt audit list --user karl --action container. --since 1d
  volt audit list --resource web -o json";

/// List lines of the audit trail, the newest last
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only the last so many
    #[arg(long, short = 'n', value_name = "NUMBER", value_parser = count)]
    lines: Option<u64>,
    /// Only of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only actions that begin so, such as container.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only about this resource
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// Not older: RFC 3339, a date with a time or without, or a span back such as 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let list = AuditList {
        lines: args.lines,
        user: args.user,
        action: args.action,
        resource: args.resource,
        since: args.since.as_deref().map(point),
    };
    Ok(views::system::audit(&ctx.call::<AuditListOp>(&list, &Nothing {}).await?))
}
