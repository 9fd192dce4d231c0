//! `volt service edit`.

use super::show::shown;
use crate::complete;
use crate::ctx::Ctx;
use crate::editor::{Draft, edit};
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::{ServiceReadOp, ServiceShowOp, ServiceWriteOp};
use volt_api::types::{Named, Nothing, ServiceFile, ServiceText};

const EXAMPLES: &str = "\
Examples:
  sudo volt service edit web
  sudo EDITOR=nano volt service edit nginx.service";

/// What stands between the drop-in and what it is put over.
const MARK: &str = "### What stands below is as it is now, and not saved:";

/// Edit a drop-in over a service's unit
///
/// With $VISUAL, else $EDITOR, else vi. systemd looks at the whole before it is saved: what it would not take is said and can be edited
/// again, and the unit stays as it was. What runs goes on as it is until it is restarted. An empty drop-in is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The service; a unit of the host by its full name
    #[arg(add = ArgValueCompleter::new(complete::services))]
    name: String,
}

/// Edits it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let named = Named { name: args.name };
    let before = ctx.call::<ServiceReadOp>(&named, &Nothing {}).await?;
    let files = ctx.call::<ServiceShowOp>(&named, &Nothing {}).await?;
    let text = draft(&before.text, &files);
    let draft = Draft {
        prefix: "volt-service-",
        suffix: ".conf",
        text: &text,
        stays: "The service stays as it was",
    };
    let write = async |text: String| {
        let text = kept(&text);
        let write = ServiceText { text, revision: before.revision.clone() };
        ctx.call::<ServiceWriteOp>(&named, &write).await.map(drop)
    };
    edit(ctx, &draft, write).await?;
    Ok(Output::nothing())
}

/// The drop-in, and below it, as comments, what it is put over.
fn draft(text: &str, files: &[ServiceFile]) -> String {
    let begin = if text.trim().is_empty() { "[Service]\n" } else { text.trim_end() };
    let below: Vec<String> = files.iter().map(shown).collect();
    let below: String = below.join("\n").lines().map(|line| format!("# {line}\n")).collect();
    format!("{begin}\n\n{MARK}\n\n{below}")
}

/// What is to be saved of it; a section with nothing in it is nothing.
fn kept(text: &str) -> String {
    let kept = text.split(MARK).next().unwrap_or_default().trim();
    if kept.is_empty() || kept == "[Service]" { String::new() } else { format!("{kept}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_is_not_saved() {
        let file = ServiceFile { path: "/x".into(), text: Some("[Unit]\n".into()) };
        let text = draft("[Service]\nNice=5\n", std::slice::from_ref(&file));
        assert!(text.ends_with("saved:\n\n# # /x\n# [Unit]\n"), "{text}");
        assert_eq!(kept(&text), "[Service]\nNice=5\n");
        assert_eq!(kept(&draft("", &[file])), "");
    }
}
