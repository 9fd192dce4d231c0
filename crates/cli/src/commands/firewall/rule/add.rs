//! `volt firewall rule add`.

use crate::ctx::Ctx;
use crate::output::{Outcome, Output, clean};
use volt_api::operations::FirewallRuleAddOp;
use volt_api::types::{FirewallRule, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt firewall rule add deny --from 203.0.113.0/24
  volt firewall rule add --name no-ssh deny --from net:back --to host --port 22
  volt firewall rule add allow --from net:vault --to host --port 5000";

/// Add a rule about the host, addresses or workloads
///
/// Either side is said as in `volt net policy create`; `--to host` is about what comes to the host itself, `any` is everybody but the host.
/// What is allowed here other firewalls of the host may deny all the same.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to call it; a free name where nothing is said
    #[arg(long)]
    name: Option<String>,
    /// What is done
    #[arg(value_parser = ["allow", "deny"])]
    action: String,
    /// Who begins
    #[arg(long, value_name = "WHO", default_value = "any")]
    from: String,
    /// Whom they want to reach
    #[arg(long, value_name = "WHO", default_value = "any")]
    to: String,
    /// By which port: 80, 53/udp, 8000-8100, icmp for pings; all where none is said
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<String>,
}

/// Adds it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let Args { name, action, from, to, ports } = args;
    let wanted = FirewallRule { name, action, from, to, ports, note: None };
    let rule = ctx.call::<FirewallRuleAddOp>(&Nothing {}, &wanted).await?;
    if let Some(note) = &rule.note {
        ctx.out.warn(&clean(note));
    }
    let name = rule.name.as_deref().unwrap_or_default();
    Ok(Output::text(&rule, name, format!("{name}\n")))
}
