//! `volt compose graph`.

use super::project::Project;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use std::path::PathBuf;
use volt_api::Problem;
use volt_compose::graph;
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt compose graph
  volt compose graph --svg shop.svg";

/// Draw the stack: what starts when, and what it waits for
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Write the picture as SVG into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Draws it.
pub(crate) fn run(ctx: &Ctx, project: &Project, args: &Args) -> Outcome {
    let stack = project.load(ctx, &[])?.stack;
    let name = stack.name.to_string();
    let Some(path) = &args.svg else {
        return Ok(Output::text(&graph::levels(&stack), &name, graph::text(&stack)));
    };
    std::fs::write(path, graph::svg(&stack)).map_err(|e| {
        let title = format!("{} can't be written", path.display());
        Problem::new(ErrorKind::General, title).because(&e)
    })?;
    Ok(Output::nothing())
}
