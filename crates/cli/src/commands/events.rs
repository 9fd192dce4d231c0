//! `volt events`.

use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use crate::views;
use volt_api::Problem;
use volt_api::operations::EventStreamOp;
use volt_api::types::{Event, Nothing};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt events
  volt events --kind container --name web
  volt events -o json | jq -r .action";

/// What there is news of.
const KINDS: [&str; 10] = [
    "container",
    "service",
    "task",
    "image",
    "volume",
    "network",
    "bridge",
    "firewall",
    "health",
    "object",
];

/// Tell what happens, as it happens
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only this kind: container, service, task, image, volume, network, bridge, firewall, health or object
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    #[arg(hide_possible_values = true)]
    kind: Option<String>,
    /// Only of this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Tells it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    tell(ctx, |event| {
        args.kind.as_ref().is_none_or(|kind| *kind == event.kind)
            && args.name.as_ref().is_none_or(|name| *name == event.name)
    })
    .await
}

/// Tells of those that are wanted.
pub(crate) async fn tell(ctx: &Ctx, wanted: impl Fn(&Event) -> bool + Send + Sync) -> Outcome {
    let mut unheard = false;
    let shown = |event: Event| {
        if !wanted(&event) {
            return true;
        }
        let written = if ctx.out.is_for_programs() {
            ctx.out.item(&event)
        } else {
            ctx.out.line(&views::workload::event(&event, ctx.out.is_coloured()))
        };
        unheard = !(written && ctx.out.flush());
        !unheard
    };
    ctx.ends_by_signal();
    ctx.events::<EventStreamOp>(&Nothing {}, shown).await?;
    if unheard {
        return Ok(Output::nothing());
    }
    let title = "The Volt daemon has ended, and the events with it";
    Err(Problem::new(ErrorKind::Daemon, title).hinted("`volt events` starts it again"))
}
