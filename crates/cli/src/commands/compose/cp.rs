//! `volt compose cp`.

use super::project::Project;
use crate::commands::container;
use crate::ctx::Ctx;
use crate::number::whole;
use crate::output::Outcome;
use volt_api::Problem;

const EXAMPLES: &str = "\
Examples:
  volt compose cp site/. web:/srv
  volt compose cp --index 2 web:/var/log/app.log .";

/// Copy files to or from a container of a service
///
/// As `volt container copy`, with a service where that has a container.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which one of the service; the first that runs where nothing is said
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u32>(1..=100_000))]
    index: Option<u32>,
    /// What is copied
    from: String,
    /// Where to
    to: String,
}

/// Copies.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let from = place(ctx, project, &args.from, args.index).await?;
    let to = place(ctx, project, &args.to, args.index).await?;
    container::copy::run(ctx, container::copy::Args { from, to }).await
}

/// `SERVICE:/path` as `CONTAINER:/path`; a path here as it is.
async fn place(
    ctx: &Ctx,
    project: &Project,
    text: &str,
    index: Option<u32>,
) -> Result<String, Problem> {
    match text.split_once(':') {
        Some((service, path)) if !service.contains('/') => {
            Ok(format!("{}:{path}", project.replica(ctx, service, index).await?))
        }
        _ => Ok(text.to_owned()),
    }
}
