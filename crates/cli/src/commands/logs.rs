//! `volt logs`, also `volt container logs`.

use crate::cli::Format;
use crate::complete;
use crate::ctx::Ctx;
use crate::many;
use crate::number::count;
use crate::output::{Outcome, Output};
use crate::views::workload::{LogStyle, log_line};
use clap_complete::engine::ArgValueCompleter;
use volt_api::Problem;
use volt_api::operations::WorkloadLogsOp;
use volt_api::types::{LogLine, WorkloadLogs};

const EXAMPLES: &str = "\
Examples:
  volt logs web
  volt logs -f -n 20 web
  volt logs --since 10m --grep 'error|timeout' web
  volt logs -t --since 2026-01-02 --until 2026-01-03 nginx.service
  volt logs --stream stderr -o json web";

/// Show the logs of workloads or units of the host
///
/// Lines of standard error are coloured; -o wide and -o json say which stream each came on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Go on as lines come
    #[arg(long, short)]
    follow: bool,
    /// Only the last so many lines
    #[arg(long, short = 'n', visible_alias = "tail", value_name = "NUMBER", value_parser = count)]
    lines: Option<u64>,
    /// Not older: RFC 3339, a date, or a span back such as 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not younger
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only lines that match a pattern (PCRE2)
    #[arg(long, short, value_name = "PATTERN")]
    grep: Option<String>,
    /// Only this stream: stdout or stderr
    #[arg(long, value_name = "STREAM", value_parser = ["stdout", "stderr"])]
    stream: Option<String>,
    /// With the time of each line
    #[arg(long, short)]
    timestamps: bool,
    /// The workloads; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::workloads))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    if args.follow {
        ctx.ends_by_signal();
    }
    if args.follow && args.names.len() > 1 {
        return follow_all(ctx, &args).await;
    }
    let mut problems = Vec::new();
    for name in &args.names {
        problems.extend(one(ctx, &args, name).await.err().map(|p| many::named(p, name)));
    }
    Ok(Output::nothing().with_problems(problems))
}

/// Several at once, each line with its name before it.
async fn follow_all(ctx: &Ctx, args: &Args) -> Outcome {
    let all = args
        .names
        .iter()
        .map(async |name| one(ctx, args, name).await.map_err(|problem| many::named(problem, name)));
    let ended = futures_util::future::join_all(all).await;
    Ok(Output::nothing().with_problems(ended.into_iter().filter_map(Result::err).collect()))
}

async fn one(ctx: &Ctx, args: &Args, name: &str) -> Result<(), Problem> {
    let logs = WorkloadLogs {
        name: name.to_owned(),
        follow: args.follow,
        lines: args.lines,
        since: args.since.clone(),
        until: args.until.clone(),
        grep: args.grep.clone(),
        stream: args.stream.clone(),
    };
    let style = LogStyle {
        times: args.timestamps || ctx.out.format() == Format::Wide,
        streams: ctx.out.format() == Format::Wide,
        color: ctx.out.is_coloured(),
    };
    let prefix = if args.names.len() > 1 { format!("{name}: ") } else { String::new() };
    let shown = |line: LogLine| {
        let written = if ctx.out.is_for_programs() {
            ctx.out.item(&line)
        } else {
            ctx.out.line(&format!("{prefix}{}", log_line(&line, style)))
        };
        written && (!args.follow || ctx.out.flush())
    };
    ctx.lines::<WorkloadLogsOp>(&logs, shown).await
}
