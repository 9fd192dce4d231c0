//! `volt compose port`.

use super::project::Project;
use crate::ctx::Ctx;
use crate::number::whole;
use crate::output::{Outcome, Output};
use volt_api::Problem;
use volt_api::operations::NetStatusOp;
use volt_api::types::{NetStatus, Nothing};
use volt_model::kind::ErrorKind;
use volt_model::net::Publish;

const EXAMPLES: &str = "\
Examples:
  volt compose port web
  volt compose port --protocol udp dns 53";

/// Show the ports of the host that lead to a service
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which one of the service; the first that runs where nothing is said
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u32>(1..=100_000))]
    index: Option<u32>,
    /// tcp or udp
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp", value_parser = ["tcp", "udp"])]
    #[arg(hide_possible_values = true)]
    protocol: String,
    /// The service
    service: String,
    /// The port that the service listens on; all where none is named
    #[arg(value_parser = whole::<u16>(1..=65_535))]
    port: Option<u16>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let name = project.replica(ctx, &args.service, args.index).await?;
    let all = ctx.call::<NetStatusOp>(&NetStatus::default(), &Nothing {}).await?;
    let connections = all.iter().filter(|one| one.name == name);
    let wanted = |text: &&String| {
        let Some(port) = args.port else { return true };
        text.parse::<Publish>().is_ok_and(|one| {
            let ports = one.container..one.container.saturating_add(one.count);
            ports.contains(&port) && one.protocol.to_string() == args.protocol
        })
    };
    let mut found: Vec<String> =
        connections.flat_map(|one| &one.published).filter(wanted).cloned().collect();
    found.sort();
    found.dedup();
    if let (true, Some(port)) = (found.is_empty(), args.port) {
        let title = format!("No port of the host leads to {port}/{} of {name}", args.protocol);
        return Err(Problem::new(ErrorKind::NotFound, title).about(name));
    }
    let lines: String = found.iter().map(|one| format!("{one}\n")).collect();
    Ok(Output::text(&found, &name, lines))
}
