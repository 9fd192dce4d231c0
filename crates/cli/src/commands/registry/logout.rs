//! `volt registry logout`.

use super::named;
use crate::accounts;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_api::Problem;
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt logout registry.example
  volt registry logout";

/// Forget who you are at a registry
///
/// Takes the account out of every file in which Volt looks for it, those of `docker login` and `podman login` included.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The registry; the one of image.registry where nothing is said
    #[arg(value_name = "REGISTRY", add = clap_complete::engine::ArgValueCompleter::new(crate::complete::registries))]
    registry: Option<String>,
}

/// Forgets it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let name = named(ctx, args.registry).await?;
    let changed = accounts::forget(&name)?;
    if changed.is_empty() {
        let title = format!("There is no account for {name}");
        return Err(Problem::new(ErrorKind::NotFound, title).about(name));
    }
    let paths: Vec<String> = changed.iter().map(|path| path.display().to_string()).collect();
    let text = format!("{name}, taken out of {}\n", paths.join(", "));
    let data = serde_json::json!({ "name": name, "files": paths });
    Ok(Output::text(&data, &name, text))
}
