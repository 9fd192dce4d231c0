//! `volt net policy test`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetPolicyTestOp;
use volt_api::types::{NetPolicyTest, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net policy test web db:5432
  volt net policy test outside web:80
  volt net policy test 192.0.2.7 web:53/udp
  volt net policy test web host:22";

/// Say whether somebody may reach somebody, and by which rule
///
/// Either is a workload that runs, an address, or `outside`; the second may be `host`. The answer is read from the list of rules that the
/// firewall is made of. Other firewalls of the host may deny what is allowed here.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Who begins
    #[arg(add = ArgValueCompleter::new(complete::workloads))]
    from: String,
    /// Whom they want to reach, and by which port: 80, 53/udp, or icmp for pings
    #[arg(value_name = "TO[:PORT]", add = ArgValueCompleter::new(complete::workloads))]
    to: String,
}

/// Asks.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let asked = NetPolicyTest { from: args.from, to: args.to };
    Ok(views::firewall::answers(&ctx.call::<NetPolicyTestOp>(&asked, &Nothing {}).await?))
}
