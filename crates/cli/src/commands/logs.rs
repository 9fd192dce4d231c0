//! `volt logs`, also `volt container logs`.

use crate::cli::Format;
use crate::complete;
use crate::ctx::Ctx;
use crate::many;
use crate::number::count;
use crate::output::point;
use crate::output::{Outcome, Output};
use crate::views::workload::{LogStyle, log_line};
use clap_complete::engine::ArgValueCompleter;
use std::time::{Duration, Instant};
use volt_api::Problem;
use volt_api::operations::WorkloadLogsOp;
use volt_api::types::{LogLine, WorkloadLogs};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt logs web
  volt logs -f -n 20 web
  volt logs --since 10m --grep 'error|timeout' web
  volt logs -t --since 2026-01-02 --until 2026-01-03 nginx.service
  volt logs --stream stderr -o json web";

/// How long after a break the log is asked for again, and how often where nothing comes of it.
const PAUSE: Duration = Duration::from_millis(200);
const IN_VAIN: u32 = 25;
/// A connection that lasted so long was a good one.
const HELD: Duration = Duration::from_secs(1);
/// As many lines as there are.
const ALL: u64 = u64::MAX;

/// A number of lines, or `all`.
pub(super) fn tail(text: &str) -> Result<u64, String> {
    if text == "all" { Ok(ALL) } else { count(text) }
}

/// Show the logs of workloads or units of the host
///
/// Lines of standard error are coloured; -o wide and -o json say which stream each came on.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Go on as lines come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only the last so many lines, or all
    #[arg(long, short = 'n', visible_alias = "tail", value_name = "NUMBER", value_parser = tail)]
    pub(crate) lines: Option<u64>,
    /// Not older: RFC 3339, a date with a time or without, or a span back such as 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Not younger
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only lines that match a pattern (PCRE2)
    #[arg(long, short, value_name = "PATTERN")]
    pub(crate) grep: Option<String>,
    /// Only this stream: stdout or stderr
    #[arg(long, value_name = "STREAM", value_parser = ["stdout", "stderr"])]
    pub(crate) stream: Option<String>,
    /// With the time of each line
    #[arg(long, short)]
    pub(crate) timestamps: bool,
    /// The workloads; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::workloads))]
    pub(crate) names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    if args.follow {
        ctx.ends_by_signal();
    }
    show(ctx, &args).await
}

/// Shows them, to a command that has its own opinion of signals.
pub(crate) async fn show(ctx: &Ctx, args: &Args) -> Outcome {
    if args.follow && args.names.len() > 1 {
        return follow_all(ctx, args).await;
    }
    let mut problems = Vec::new();
    for name in &args.names {
        problems.extend(one(ctx, args, name).await.err().map(|p| many::named(p, name)));
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
    let mut logs = WorkloadLogs {
        name: name.to_owned(),
        follow: args.follow,
        lines: args.lines.filter(|lines| *lines != ALL),
        since: args.since.as_deref().map(point),
        until: args.until.as_deref().map(point),
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
    let mut told = Told::default();
    loop {
        let began = Instant::now();
        let ended = ctx.lines::<WorkloadLogsOp>(&logs, |line| !told.is_new(&line) || shown(line));
        let ended = ended.await;
        if began.elapsed() > HELD {
            told.in_vain = 0;
            told.begun = true;
        }
        match ended {
            Err(problem) if args.follow && told.may_go_on(&problem) => {
                // The workload and its log go on without the daemon, which whoever asks next starts again.
                tokio::time::sleep(PAUSE).await;
                told.begin_again(&mut logs);
            }
            other => return other,
        }
    }
}

/// How far a log has been shown, so that it can be asked for anew from there.
#[derive(Default)]
struct Told {
    /// The time of the last line.
    last: Option<String>,
    /// How many lines of that time were shown.
    of_last: usize,
    /// How many of those come again.
    again: usize,
    /// Something came, or could have come.
    begun: bool,
    /// How often nothing came between two failures.
    in_vain: u32,
}

impl Told {
    /// Takes note of a line; whether it has not been shown yet.
    fn is_new(&mut self, line: &LogLine) -> bool {
        self.in_vain = 0;
        self.begun = true;
        if self.last.as_ref() != Some(&line.time) {
            self.last = Some(line.time.clone());
            (self.of_last, self.again) = (1, 0);
            return true;
        }
        if self.again > 0 {
            self.again -= 1;
            return false;
        }
        self.of_last += 1;
        true
    }

    fn may_go_on(&self, problem: &Problem) -> bool {
        problem.kind() == ErrorKind::Daemon && self.begun && self.in_vain < IN_VAIN
    }

    /// Asks from the last line on that was shown.
    fn begin_again(&mut self, logs: &mut WorkloadLogs) {
        if self.last.is_some() {
            logs.since.clone_from(&self.last);
            logs.lines = None;
        }
        self.again = self.of_last;
        self.in_vain += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_not_shown_again() {
        let line = |time: &str, message: &str| LogLine {
            time: time.into(),
            stream: "stdout".into(),
            priority: 6,
            identifier: "web".into(),
            message: message.into(),
        };
        let all = [line("1", "a"), line("2", "b"), line("2", "c"), line("2", "d"), line("3", "e")];
        let mut told = Told::default();
        let gone = Problem::new(ErrorKind::Daemon, "gone");
        assert!(!told.may_go_on(&gone), "nothing to go on from");
        assert!(all[..3].iter().all(|line| told.is_new(line)));
        let mut logs = WorkloadLogs { lines: Some(2), ..WorkloadLogs::default() };
        for _ in 0..2 {
            assert!(told.may_go_on(&gone));
            told.begin_again(&mut logs);
        }
        assert_eq!((logs.since.as_deref(), logs.lines), (Some("2"), None));
        let shown: Vec<bool> = all[1..].iter().map(|line| told.is_new(line)).collect();
        assert_eq!(shown, [false, false, true, true]);
        assert!(!told.may_go_on(&Problem::new(ErrorKind::NotFound, "no")));
        (0..IN_VAIN).for_each(|_| told.begin_again(&mut logs));
        assert!(!told.may_go_on(&gone));
    }
}
