//! `volt health configure`.

use super::flags::{checked, page, shell};
use crate::commands::container::flags::label;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::HealthConfigureOp;
use volt_api::types::{HealthCheck, HealthConfigure, HealthHttp, Named};
use volt_model::health::{OnUnhealthy, Span, StatusRange};

const EXAMPLES: &str = "\
Examples:
  volt health configure --http 8080/healthz --interval 10s web
  volt health configure --tcp 5432 --on-unhealthy restart db
  volt health configure --cmd 'pg_isready -q' --start-period 1m db
  volt health configure --reset web

The file is etc/volt/health/NAME.yaml, of a service NAME.service.yaml, and may be edited by hand too:
  http: {port: 8080, path: /healthz, status: [200, 300-399], headers: {Host: shop}}
  # or tcp: 5432, or exec: [pg_isready, -q], or exec: pg_isready -q | grep …, or none: true
  interval: 30s
  timeout: 30s
  retries: 3
  start_period: 0s
  start_interval: 5s
  on_unhealthy: none";

/// Say what is looked at to know whether a workload is well
///
/// It is written to the workload's file, in place of what stood there, and holds at once. What is not said is as the workload was
/// created with.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Ask for this web page
    #[arg(long, value_name = "PORT[/PATH]", value_parser = page, group = "probe")]
    http: Option<HealthHttp>,
    /// The codes that are good [default: 200-399]
    #[arg(long, value_name = "CODE[-CODE]", value_parser = checked::<StatusRange>, requires = "http", value_delimiter = ',')]
    status: Vec<String>,
    /// Send a header along
    #[arg(long, value_name = "NAME=VALUE", value_parser = label, requires = "http")]
    header: Vec<(String, String)>,
    /// Connect to this port
    #[arg(long, value_name = "PORT", group = "probe", value_parser = clap::value_parser!(u16).range(1..))]
    tcp: Option<u16>,
    /// Run this in its shell; it ends with 0 where all is well
    #[arg(long, value_name = "COMMAND", group = "probe")]
    cmd: Option<String>,
    /// Look at nothing
    #[arg(long, group = "probe")]
    none: bool,
    /// Take the file away: what it was created with holds again
    #[arg(long, conflicts_with_all = ["probe", "interval", "timeout", "retries", "start_period", "start_interval", "on_unhealthy"])]
    reset: bool,
    /// Time between two looks [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    interval: Option<String>,
    /// Time after which a look has failed [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    timeout: Option<String>,
    /// Failures in a row that make it unhealthy [default: 3]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    retries: Option<u32>,
    /// How long failures don't count after a start [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    start_period: Option<String>,
    /// Time between two looks until the first success [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    start_interval: Option<String>,
    /// What to do of it when it is unhealthy: none, restart or stop
    #[arg(long, value_name = "WHAT", value_parser = checked::<OnUnhealthy>)]
    on_unhealthy: Option<String>,
    /// The workload
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::containers))]
    name: String,
}

/// Writes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let (status, headers) = (args.status, args.header.into_iter().collect());
    let check = HealthCheck {
        none: args.none,
        http: args.http.map(|http| HealthHttp { status, headers, ..http }),
        tcp: args.tcp,
        exec: args.cmd.map(shell),
        interval: args.interval,
        timeout: args.timeout,
        retries: args.retries,
        start_period: args.start_period,
        start_interval: args.start_interval,
        on_unhealthy: args.on_unhealthy,
    };
    let body = HealthConfigure { check: (!args.reset).then_some(check) };
    let health = ctx.call::<HealthConfigureOp>(&Named { name: args.name }, &body).await?;
    Ok(views::health::details(&health))
}
