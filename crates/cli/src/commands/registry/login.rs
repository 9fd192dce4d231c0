//! `volt registry login`.

use super::named;
use crate::accounts;
use crate::ask;
use crate::ctx::Ctx;
use crate::input;
use crate::output::{Outcome, Output};
use std::io::IsTerminal;
use volt_api::Problem;
use volt_api::operations::RegistryLoginOp;
use volt_api::types::{Nothing, RegistryLogin};
use volt_model::kind::ErrorKind;

/// The longest password, in bytes: tokens are long.
const LIMIT: usize = 64 << 10;

const EXAMPLES: &str = "\
Examples:
  volt login registry.example
  volt login registry.example:5000 --username joe --password-stdin < password
  volt registry login";

/// Say who you are at a registry
///
/// The registry is asked first whether it knows the account. Then the account is kept where the tools for containers look for it:
/// in the file that has one for this registry already, else in $REGISTRY_AUTH_FILE or ~/.config/containers/auth.json, which only
/// you may read. `image pull` and `image push` show it to this registry and to no other.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The name of the account; asked for where nothing is said
    #[arg(long, short, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from standard input, up to its end
    #[arg(long)]
    password_stdin: bool,
    /// The registry; the one of image.registry where nothing is said
    #[arg(value_name = "REGISTRY")]
    registry: Option<String>,
}

/// Says it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let name = named(ctx, args.registry).await?;
    let is_asked = !args.password_stdin || args.username.is_none();
    if is_asked && (args.password_stdin || !std::io::stdin().is_terminal()) {
        let what = if args.password_stdin { "name" } else { "password" };
        let title = format!("Nobody is there to be asked for the {what}");
        return Err(Problem::new(ErrorKind::Usage, title)
            .hinted("Say --username NAME and --password-stdin"));
    }
    let mut lines = input::stdin();
    let user = match args.username {
        Some(user) => user,
        None => ask::line(ctx, &mut lines, &format!("Name at {name}: ")).await?,
    };
    let password = if args.password_stdin {
        all(&mut lines).await?
    } else {
        ask::secret(ctx, &mut lines, &format!("Password of {user} at {name}: ")).await?
    };
    let login = RegistryLogin { name, user, password };
    let known = ctx.call::<RegistryLoginOp>(&Nothing {}, &login).await?;
    let path = accounts::keep(&known.name, &known.user, &login.password)?;
    if !known.checked {
        ctx.out.warn(&format!(
            "{} lets everybody in: whether it knows this account can't be told",
            known.name
        ));
    }
    let text = format!("{} at {}, kept in {}\n", known.user, known.name, path.display());
    Ok(Output::text(&known, &known.name, text))
}

/// All of standard input without the newline at its end.
async fn all(
    input: &mut tokio::sync::mpsc::Receiver<std::io::Result<bytes::Bytes>>,
) -> Result<String, Problem> {
    let unread = |why: &str| {
        let title = format!("The password on standard input {why}");
        Problem::new(ErrorKind::Usage, title)
    };
    let mut whole = Vec::new();
    while let Some(piece) = input.recv().await {
        whole.extend_from_slice(&piece.map_err(|e| unread("can't be read").because(&e))?);
        if whole.len() > LIMIT {
            return Err(unread("is longer than passwords are"));
        }
    }
    let text = String::from_utf8(whole).map_err(|_| unread("is no UTF-8 text"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
