//! `volt service create`.

use crate::commands::program::ProgramFlags;
use crate::ctx::Ctx;
use crate::number::seconds;
use crate::output::{Outcome, Output};
use volt_api::operations::ServiceCreateOp;
use volt_api::types::{Nothing, ServiceCreate};

const EXAMPLES: &str = "\
Examples:
  sudo volt service create web --exec '/usr/bin/python3 -m http.server 8000' --now
  sudo volt service create --profile web --memory 256M front -- /usr/sbin/nginx -g 'daemon off;'
  sudo volt service create worker --exec '/opt/worker/run --queue mail' --user worker --writable /srv/mail
  sudo volt service create mail --exec /opt/mail/run --secret db-password,target=password
  volt service list --profiles";

/// Make a service: a unit of systemd in a sandbox
///
/// Its unit is NAME.service, with a user and a folder of its own (/var/lib/svc-NAME) where nothing else is said.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// When to start it again: no, on-failure[:N], always or unless-stopped [default: on-failure]
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Seconds between the signal that asks it to end and the kill [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    stop_timeout: Option<u32>,
    /// Start it now and at every boot
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    program: ProgramFlags,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let program = args.program;
    let create = ServiceCreate {
        exec: program.words()?,
        env: program.environment()?,
        name: program.name,
        description: program.description,
        profile: program.profile,
        user: program.user,
        workdir: program.workdir,
        writable: program.writable,
        secrets: program.secret,
        limits: program.limits.limits(),
        restart: args.restart,
        stop_timeout: args.stop_timeout,
        labels: program.label.into_iter().collect(),
        now: args.now,
    };
    let service = ctx.call::<ServiceCreateOp>(&Nothing {}, &create).await?;
    Ok(Output::text(&service, &service.name, format!("{}\n", service.name)))
}
