//! `volt top` on a terminal: keys and measurements go in, pictures come out, and what a key asks for is done.

use super::state::{State, Wish};
use super::{compare, measure, view};
use crate::ctx::Ctx;
use crate::output::{Outcome, Output, clean, exactly_when};
use crate::terminal::Screen;
use crossterm::event::{Event, EventStream};
use futures_util::future::{LocalBoxFuture, OptionFuture};
use futures_util::{FutureExt, StreamExt};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Stdout};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use volt_api::Problem;
use volt_api::operations::{WorkloadLogsOp, WorkloadStopOp};
use volt_api::types::{LogLine, Named, Nothing, Usage, WorkloadLogs};
use volt_model::kind::ErrorKind;

/// How many lines of a log come first.
const LINES: u64 = 200;
/// How many lines are taken before the next picture: a log that never pauses must not hold up the keys.
const AT_ONCE: usize = 500;

/// What comes from those who ask the API.
enum News {
    Measured(Result<Vec<Usage>, Problem>),
    Line(LogLine),
    LogEnded(Result<(), Problem>),
    Stopped(String, Result<(), Problem>),
}

/// Shows what has one of these names until the person ends it.
pub(super) async fn run(ctx: &Ctx, interval: Duration, wanted: impl Fn(&str) -> bool) -> Outcome {
    // Whoever may not ask is told so where errors stand.
    drop(measure(ctx).await?);
    let (sender, news) = unbounded_channel();
    let live = Live {
        ctx,
        state: State::default(),
        news,
        sender: sender.clone(),
        log: None,
        stops: Vec::new(),
    };
    tokio::select! {
        ended = live.run() => ended,
        never = measure_again_and_again(ctx, interval, wanted, sender) => match never {},
    }
}

async fn measure_again_and_again(
    ctx: &Ctx,
    interval: Duration,
    wanted: impl Fn(&str) -> bool,
    to: UnboundedSender<News>,
) -> Infallible {
    let mut before = None;
    loop {
        let rows = match measure(ctx).await {
            Ok((time, after)) => {
                let (earlier, rows) = before.unwrap_or((time, Vec::new()));
                let mut compared = compare(&rows, &after, time.duration_since(earlier));
                compared.retain(|usage| wanted(&usage.name));
                before = Some((time, after));
                Ok(compared)
            }
            // The daemon may come back.
            Err(problem) => {
                before = None;
                Err(problem)
            }
        };
        // Without a listener this ends too.
        drop(to.send(News::Measured(rows)));
        tokio::time::sleep(interval).await;
    }
}

/// What is under way.
struct Live<'a> {
    ctx: &'a Ctx,
    state: State,
    news: UnboundedReceiver<News>,
    sender: UnboundedSender<News>,
    /// Brings the log that is looked at.
    log: Option<LocalBoxFuture<'a, ()>>,
    /// Those that stop workloads.
    stops: Vec<LocalBoxFuture<'a, ()>>,
}

/// The terminal while it is ours; it is as it was when this is gone.
struct Shown {
    keys: EventStream,
    terminal: Terminal<CrosstermBackend<Stdout>>,
    _screen: Screen,
}

impl Shown {
    fn begin() -> Result<Self, Problem> {
        let screen = Screen::enter().map_err(|e| lost(&e))?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(|e| lost(&e))?;
        Ok(Self { keys: EventStream::new(), terminal, _screen: screen })
    }
}

fn lost(error: &io::Error) -> Problem {
    Problem::new(ErrorKind::General, "The terminal can't be used").because(error)
}

impl Live<'_> {
    async fn run(mut self) -> Outcome {
        let mut shown = Shown::begin()?;
        // It would leave the terminal as it is.
        let mut quit = signal(SignalKind::quit()).map_err(|e| lost(&e))?;
        loop {
            let state = &self.state;
            shown.terminal.draw(|frame| view::draw(frame, state)).map_err(|e| lost(&e))?;
            let event = tokio::select! {
                _ = quit.recv() => return Ok(Output::exit(ErrorKind::Interrupted.exit_code())),
                event = shown.keys.next() => event,
                () = self.go_on() => continue,
            };
            let wish = match event {
                Some(Ok(Event::Key(key))) => self.state.key(key),
                Some(Ok(_)) => None,
                Some(Err(error)) => return Err(lost(&error)),
                None => return Ok(Output::nothing()),
            };
            match wish {
                None => {}
                Some(Wish::Quit) => return Ok(Output::nothing()),
                Some(Wish::Logs(name)) => self.follow(name),
                Some(Wish::NoLogs) => self.log = None,
                Some(Wish::Stop(name)) => self.stop(name),
                Some(Wish::Shell(name)) => {
                    drop(shown);
                    self.shell(&name);
                    shown = Shown::begin()?;
                }
            }
        }
    }

    /// Takes what has come; returns when there is something to show.
    async fn go_on(&mut self) {
        let Self { news, log, stops, .. } = self;
        let first = tokio::select! {
            first = news.recv() => first,
            Some(()) = OptionFuture::from(log.as_mut()) => {
                *log = None;
                news.try_recv().ok()
            }
            at = first_of(stops) => {
                drop(stops.swap_remove(at));
                news.try_recv().ok()
            }
        };
        let Some(first) = first else { return };
        self.take(first);
        for _ in 0..AT_ONCE {
            let Ok(more) = self.news.try_recv() else { return };
            self.take(more);
        }
    }

    fn take(&mut self, news: News) {
        let failed = match news {
            News::Measured(Ok(rows)) => {
                self.state.measured(rows);
                None
            }
            News::Line(line) => {
                self.state.log(told(&line));
                None
            }
            News::Stopped(name, Ok(())) => {
                self.state.message = Some(format!("{name} was stopped"));
                None
            }
            News::LogEnded(Ok(())) => None,
            News::Measured(Err(problem)) | News::LogEnded(Err(problem)) => Some(problem),
            News::Stopped(_, Err(problem)) => Some(problem),
        };
        if let Some(problem) = failed {
            self.state.message = Some(clean(&problem.title));
        }
    }

    fn follow(&mut self, name: String) {
        let (ctx, sender) = (self.ctx, self.sender.clone());
        // What was told of another log is not of this one.
        while let Ok(news) = self.news.try_recv() {
            if !matches!(news, News::Line(_) | News::LogEnded(_)) {
                self.take(news);
            }
        }
        let follow = async move {
            let query =
                WorkloadLogs { name, follow: true, lines: Some(LINES), ..WorkloadLogs::default() };
            let lines = sender.clone();
            let each = move |line| lines.send(News::Line(line)).is_ok();
            let ended = ctx.lines::<WorkloadLogsOp>(&query, each).await;
            drop(sender.send(News::LogEnded(ended)));
        };
        self.log = Some(follow.boxed_local());
    }

    fn stop(&mut self, name: String) {
        self.state.message = Some(format!("Stopping {name}"));
        let (ctx, sender) = (self.ctx, self.sender.clone());
        let stop = async move {
            let named = Named { name: name.clone() };
            let stopped = ctx.call::<WorkloadStopOp>(&named, &Nothing {}).await.map(drop);
            drop(sender.send(News::Stopped(name, stopped)));
        };
        self.stops.push(stop.boxed_local());
    }

    /// Gives the terminal to a shell in a container, as `volt shell` does.
    fn shell(&mut self, name: &str) {
        let mut words: Vec<OsString> = vec!["/proc/self/exe".into()];
        words.extend(self.ctx.global.place());
        words.extend(["shell".into(), "--".into(), name.into()]);
        let ended = (self.ctx.embed.foreground)(&words);
        self.state.message = match ended {
            Ok(0) => None,
            Ok(code) => Some(format!("The shell in {name} ended with code {code}")),
            Err(error) => Some(format!("There is no shell in {name}: {error}")),
        };
    }
}

/// The first of these to be done, by its place; never where there are none.
async fn first_of(all: &mut [LocalBoxFuture<'_, ()>]) -> usize {
    std::future::poll_fn(|cx| {
        let done = all.iter_mut().position(|one| one.poll_unpin(cx).is_ready());
        done.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

/// A line of a log as it is shown here.
fn told(line: &LogLine) -> String {
    format!("{} {}", exactly_when(&line.time), clean(&line.message.replace('\t', "    ")))
}
