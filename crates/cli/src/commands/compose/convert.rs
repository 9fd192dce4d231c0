//! `volt compose convert`.

use super::project::{Project, tell};
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use std::path::PathBuf;
use volt_api::Problem;
use volt_compose::convert::{Format, convert};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt compose convert --to kubernetes
  volt compose convert --to quadlet --folder units";

/// Write the stack for another engine
///
/// What can't be said there is told on standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// compose, quadlet or kubernetes
    #[arg(long, value_name = "FORMAT")]
    to: Format,
    /// Write the files into this folder, which is made
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Writes it.
pub(crate) fn run(ctx: &Ctx, project: &Project, args: &Args) -> Outcome {
    let stack = project.load(ctx, &[])?.stack;
    let converted = convert(&stack, args.to);
    tell(ctx, &converted.notes);
    let names: Vec<&str> = converted.files.iter().map(|file| file.name.as_str()).collect();
    let Some(folder) = &args.folder else {
        let alone = converted.files.len() == 1;
        let text = converted.files.iter().map(|file| {
            if alone { file.text.clone() } else { format!("# {}\n{}\n", file.name, file.text) }
        });
        return Ok(Output::text(&names, stack.name.as_str(), text.collect::<String>()));
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        converted
            .files
            .iter()
            .try_for_each(|file| std::fs::write(folder.join(&file.name), &file.text))
    });
    written.map_err(|e| {
        let title = format!("The files can't be written into {}", folder.display());
        Problem::new(ErrorKind::General, title).because(&e)
    })?;
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    Ok(Output::text(&names, stack.name.as_str(), text))
}
