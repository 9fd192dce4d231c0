//! `volt task create`.

use crate::commands::program::ProgramFlags;
use crate::complete;
use crate::ctx::Ctx;
use crate::number::whole;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::TaskCreateOp;
use volt_api::types::{Nothing, TaskCreate};

const EXAMPLES: &str = "\
Examples:
  sudo volt task create backup --exec '/usr/local/bin/backup --all' --on-calendar 'Mon..Fri 03:00' --writable /srv
  sudo volt task create poll --exec 'curl -fsS http://127.0.0.1:8000/tick' --every 5m --timeout 30s --retry 2
  sudo volt task create report --container debian --cron '*/15 8-18 * * mon-fri' -- sh -c 'date; uptime'";

/// Make a task: a timer of systemd, and what it starts
///
/// Its units are volt-task-NAME.timer and volt-task-NAME.service. A run that takes longer than the time to the next is not joined by
/// another. On the host it has a user and a folder of its own (/var/lib/task-NAME) where nothing else is said; in a container it has what
/// `volt run` would give it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("time").required(true).args(["on_calendar", "every", "cron"]))]
pub(crate) struct Args {
    /// Start it at these times, as systemd.time(7) has them: 'Mon..Fri 03:00', hourly
    #[arg(long, value_name = "EXPRESSION")]
    on_calendar: Option<String>,
    /// Start it so long after it was started last
    #[arg(long, value_name = "SPAN")]
    every: Option<String>,
    /// Start it at these times, as crontab(5) has them: five fields, or a word such as @daily
    #[arg(long, value_name = "FIELDS")]
    cron: Option<String>,
    /// Run it in a container of this image
    #[arg(long, value_name = "IMAGE", add = ArgValueCompleter::new(complete::images))]
    container: Option<String>,
    /// How long a run may take
    #[arg(long, value_name = "SPAN")]
    timeout: Option<String>,
    /// How often to try again when it failed
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = whole::<u32>(0..=100))]
    retry: u32,
    /// Put its start off by so much at most, at random
    #[arg(long, value_name = "SPAN")]
    random_delay: Option<String>,
    /// Don't make up for times that the host slept through
    #[arg(long)]
    no_persistent: bool,
    /// Leave its timer alone until `volt task enable`
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    program: ProgramFlags,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let program = args.program;
    let create = TaskCreate {
        exec: program.words()?,
        env: program.environment()?,
        name: program.name,
        description: program.description,
        image: args.container,
        on_calendar: args.on_calendar,
        every: args.every,
        cron: args.cron,
        profile: program.profile,
        user: program.user,
        workdir: program.workdir,
        writable: program.writable,
        secrets: program.secret,
        limits: program.limits.limits(),
        timeout: args.timeout,
        retries: args.retry,
        random_delay: args.random_delay,
        persistent: !args.no_persistent,
        labels: program.label.into_iter().collect(),
        disabled: args.disabled,
    };
    let task = ctx.call::<TaskCreateOp>(&Nothing {}, &create).await?;
    Ok(Output::text(&task, &task.name, format!("{}\n", task.name)))
}
