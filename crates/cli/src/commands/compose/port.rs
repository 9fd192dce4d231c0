//! `volt compose port`.

use super::project::Project;
use crate::ctx::Ctx;
use crate::number::whole;
use crate::output::{Outcome, Output};
use std::net::{Ipv4Addr, SocketAddr};
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
///
/// Where a port is named it is the host's address and port alone, as scripts want it.
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
    let line = |one: &String| match args.port {
        Some(port) => format!("{}\n", place(one, port)),
        None => format!("{one}\n"),
    };
    let lines: String = found.iter().map(line).collect();
    Ok(Output::text(&found, &name, lines))
}

/// Where on the host a port of the container is found, by what was published.
fn place(published: &str, port: u16) -> String {
    let Ok(one) = published.parse::<Publish>() else { return published.to_owned() };
    let address = one.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let host = one.host.unwrap_or(one.container) + (port - one.container);
    SocketAddr::new(address, host).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_and_a_port() {
        for (published, port, wanted) in [
            ("127.0.0.1:9397:80/tcp", 80, "127.0.0.1:9397"),
            ("8080:80/tcp", 80, "0.0.0.0:8080"),
            ("[::1]:53:53/udp", 53, "[::1]:53"),
            ("8000-8002:80-82/tcp", 81, "0.0.0.0:8001"),
        ] {
            assert_eq!(place(published, port), wanted);
        }
    }
}
