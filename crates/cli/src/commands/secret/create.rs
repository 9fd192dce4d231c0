//! `volt secret create`.

use crate::copy::{file_problem, pack};
use crate::ctx::Ctx;
use crate::input;
use crate::output::{Outcome, Output};
use clap::ValueHint;
use std::path::{Path, PathBuf};
use volt_api::operations::SecretCreateOp;
use volt_api::types::SecretCreate;

const EXAMPLES: &str = "\
Examples:
  volt secret create db-password password.txt
  openssl rand -hex 32 | volt secret create --replace session-key -
  volt run -d --secret db-password debian cat /run/secrets/db-password";

/// Make a secret of a file or of standard input, as it is
///
/// It is encrypted with the host's key, and its TPM where it has one. Containers that run keep the value that they were started with.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Put it in the place of one that there is
    #[arg(long)]
    replace: bool,
    /// What to call it
    name: String,
    /// The file; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let create = SecretCreate { name: args.name, replace: args.replace };
    let body = if args.file == Path::new("-") {
        pack::channel_body(input::stdin())
    } else {
        let unread = |e| file_problem("read", &args.file, &e);
        pack::file_body(std::fs::File::open(&args.file).map_err(unread)?)
    };
    let secret = ctx.upload::<SecretCreateOp>(&create, body).await?;
    Ok(Output::text(&secret, &secret.name, format!("{}\n", secret.name)))
}
