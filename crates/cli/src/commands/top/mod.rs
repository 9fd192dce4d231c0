//! `volt top`: once, again and again, or on a terminal as a picture that keys change.

mod screen;
mod state;
mod view;

use crate::cli::Format;
use crate::ctx::Ctx;
use crate::number::whole;
use crate::output::Outcome;
use crate::terminal;
use crate::views;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use volt_api::operations::WorkloadTopOp;
use volt_api::types::{Nothing, Usage};

const EXAMPLES: &str = "\
Examples:
  volt top
  volt top --once
  volt top --once -o json
  volt top --interval 5";

/// Show what every running workload uses: CPU, memory, I/O, network, tasks
///
/// On a terminal the list can be sorted and filtered by keys, and others show a workload's log, open a shell in a container or stop it:
/// `?` names them. Elsewhere a list follows each measurement.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Measure once and end
    #[arg(long)]
    once: bool,
    /// Seconds between two measurements
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    #[arg(value_parser = whole::<u64>(1..=3600))]
    interval: u64,
}

/// Measures.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    show(ctx, &args, |_| true).await
}

/// Measures what has one of these names.
pub(crate) async fn show(ctx: &Ctx, args: &Args, wanted: impl Fn(&str) -> bool) -> Outcome {
    let interval = Duration::from_secs(args.interval);
    if !args.once {
        ctx.ends_by_signal();
        let for_people = matches!(ctx.out.format(), Format::Table | Format::Wide);
        if for_people && terminal::can_draw() {
            return screen::run(ctx, interval, wanted).await;
        }
    }
    let mut before = measure(ctx).await?;
    loop {
        tokio::time::sleep(interval).await;
        let after = measure(ctx).await?;
        let mut rows = compare(&before.1, &after.1, after.0.duration_since(before.0));
        rows.retain(|usage| wanted(&usage.name));
        let view = views::workload::usage(&rows);
        if args.once {
            return Ok(view);
        }
        if !ctx.out.again(&view) {
            return Ok(crate::output::Output::nothing());
        }
        before = after;
    }
}

async fn measure(ctx: &Ctx) -> Result<(Instant, Vec<Usage>), volt_api::Problem> {
    let rows = ctx.call::<WorkloadTopOp>(&Nothing {}, &Nothing {}).await?;
    Ok((Instant::now(), rows))
}

/// The later measurement with what was used a second between the two, the busiest first.
fn compare(before: &[Usage], after: &[Usage], between: Duration) -> Vec<Usage> {
    let earlier: BTreeMap<&str, &Usage> = before.iter().map(|u| (u.name.as_str(), u)).collect();
    let since = |usage: &Usage| {
        let earlier = earlier.get(usage.name.as_str()).copied();
        usage.clone().since(earlier, between)
    };
    let mut rows: Vec<Usage> = after.iter().map(since).collect();
    let load = |usage: &Usage| usage.cpu_percent.unwrap_or(-1.0);
    rows.sort_by(|a, b| load(b).total_cmp(&load(a)).then_with(|| a.name.cmp(&b.name)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(name: &str, nanoseconds: u64) -> Usage {
        Usage { name: name.into(), cpu_nanoseconds: Some(nanoseconds), ..Usage::default() }
    }

    #[test]
    fn what_is_used_a_second_between_two_measurements() {
        let before = [usage("a", 1_000_000_000), usage("b", 0), usage("again", 9)];
        let after = [
            Usage { network_received: Some(5), ..usage("a", 1_500_000_000) },
            usage("b", 4_000_000_000),
            usage("new", 5),
            usage("again", 1),
        ];
        let rows = compare(&before, &after, Duration::from_secs(2));
        let seen: Vec<_> = rows.iter().map(|u| (u.name.as_str(), u.cpu_percent)).collect();
        assert_eq!(seen, [("b", Some(200.0)), ("a", Some(25.0)), ("again", None), ("new", None)]);
        let with = |received, sent| Usage {
            network_received: Some(received),
            network_sent: Some(sent),
            ..usage("a", 0)
        };
        let rows = compare(&[with(1000, 50)], &[with(4000, 40)], Duration::from_millis(500));
        let seen = (rows[0].network_receive_rate, rows[0].network_send_rate);
        assert_eq!(seen, (Some(6000), None), "it was connected anew, or one of its networks left");
    }
}
