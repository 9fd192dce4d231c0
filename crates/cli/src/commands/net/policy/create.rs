//! `volt net policy create`.

use crate::ctx::Ctx;
use crate::output::{Outcome, Output, clean};
use volt_api::operations::NetPolicyCreateOp;
use volt_api::types::{NetPolicy, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net policy create --from web --to role=db --port 5432 web-db
  volt net policy create --deny --from net:back --to outside no-way-out
  volt net policy create --from 192.0.2.0/24 --to web --port 80 --port 443 office";

/// Make a policy: who may reach whom, or may not
///
/// Either side is a workload, KEY=VALUE for all workloads with a label, net:NETWORK, an address, a subnet, `outside` for whoever is on no
/// network of Volt's, or `any`. What one policy denies no other allows; what is allowed is so whatever the network's default is, and from one
/// network to another too. Connections that exist go on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Deny it, in place of allowing it
    #[arg(long)]
    deny: bool,
    /// Who begins
    #[arg(long, value_name = "WHO", default_value = "any")]
    from: String,
    /// Whom they want to reach
    #[arg(long, value_name = "WHO", default_value = "any")]
    to: String,
    /// By which port: 80, 53/udp, 8000-8100, icmp for pings; all where none is said
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<String>,
    /// What to call it
    name: String,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let action = if args.deny { "deny" } else { "allow" }.to_owned();
    let Args { from, to, ports, name, .. } = args;
    let wanted = NetPolicy { name, action, from, to, ports, note: None };
    let policy = ctx.call::<NetPolicyCreateOp>(&Nothing {}, &wanted).await?;
    if let Some(note) = &policy.note {
        ctx.out.warn(&clean(note));
    }
    Ok(Output::text(&policy, &policy.name, format!("{}\n", policy.name)))
}
