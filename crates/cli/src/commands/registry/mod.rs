//! Commands on registries.

pub(crate) mod login;
pub(crate) mod logout;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on registries.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(login::Args),
    Logout(logout::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Login(args) => login::run(ctx, args).await,
        Command::Logout(args) => logout::run(ctx, args).await,
    }
}

/// A registry as a person names it; the configured one where nothing is said.
async fn named(ctx: &Ctx, registry: Option<String>) -> Result<String, volt_api::Problem> {
    let Some(text) = registry else { return Ok(crate::accounts::short_registry(ctx).await) };
    volt_model::registry::host(&text).ok_or_else(|| {
        let title = format!("`{}` is no registry", crate::output::clean(&text));
        volt_api::Problem::new(volt_model::kind::ErrorKind::Usage, title)
            .hinted("Write its name, with its port where it has one: registry.example:5000")
    })
}
