//! The loop: one poll over everything, until the program has ended and all it wrote is delivered.

mod events;

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec};
use volt_host::command::Status;
use volt_model::frame::{Frame, Stream};

use crate::clients::Clients;
use crate::options::{Mode, Options};
use crate::program::{self, Environment, Program};
use crate::record::{Exit, Failure, Leader, Records};
use crate::replay::Replay;
use crate::signals::Signals;
use crate::sink::{Origin, Sink};
use crate::workload::Workload;
use crate::{INTERNAL, cgroup, lines::LineCutter};

/// How long a held workload waits for its first client.
const HOLD: Duration = Duration::from_secs(30);
/// How long a command with a terminal waits for the size of its client's.
const SIZE_PATIENCE: Duration = Duration::from_millis(250);
/// How long an image's own init is given to take its signals in hand. One that is not systemd may never take this one.
const BOOT_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const BOOT_LOOK: Duration = Duration::from_millis(5);
/// How often what is traced is killed anew, which may have had children meanwhile.
const TRACED_LOOK: Duration = Duration::from_millis(50);
/// SIGRTMIN+3, by which nspawn asks an init to power off.
const POWER_OFF: u32 = 37;
/// How many signals are kept for an init that does not take them yet.
const EARLY_SIGNALS: usize = 64;
/// How long the end waits for an owner that does not read.
const OWNER_PATIENCE: Duration = Duration::from_secs(30);
/// How long the end reads from whatever the program has left running with its output open.
const DRAIN: Duration = Duration::from_secs(10);
/// How much of the program's own words is kept as the reason for a failed start, in bytes.
const LAST_WORDS: usize = 2048;

/// What something to poll belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Signals,
    Listener,
    Program,
    Control,
    Leader,
    Words,
    Notify,
    Outlet(usize),
    Input,
    Client(u64),
}

/// How far the workload has come, as init or the program says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    /// Nothing is known to run yet.
    Starting,
    /// The command runs; systemd was told.
    Running,
    /// It could not be executed.
    Failed(Failure),
    /// It ended by itself.
    Exited(u8),
    /// A signal ended it.
    Signaled(i32),
}

/// How long the end has taken since something last moved.
#[derive(Debug, Default)]
struct End {
    since: Option<Instant>,
    owner_behind: Option<usize>,
}

impl End {
    fn is_overdue(&mut self, owner_behind: Option<usize>) -> bool {
        if owner_behind != self.owner_behind {
            self.owner_behind = owner_behind;
            self.since = None;
        }
        let limit = if owner_behind.is_some() { OWNER_PATIENCE } else { DRAIN };
        self.since.get_or_insert_with(Instant::now).elapsed() > limit
    }
}

struct Relay<'a> {
    options: &'a Options,
    environment: &'a Environment,
    is_up: &'a mut dyn FnMut(u32),
    signals: Signals,
    sink: Sink,
    records: Records,
    clients: Clients,
    replay: Replay,
    workload: Workload,
    program: Option<Program>,
    status: Option<Status>,
    progress: Progress,
    leader: Option<i32>,
    /// App and exec mode: readable when init has ended.
    leader_end: Option<OwnedFd>,
    words: LineCutter,
    last_words: Vec<u8>,
    /// Until when the first client is waited for; nothing when nobody is waited for any more.
    hold_until: Option<Instant>,
    /// Init has its signals in hand, so none to it is lost.
    init_listens: bool,
    /// Boot mode: until when that is waited for, from when the image's init was started.
    boot_until: Option<Instant>,
    go_sent: bool,
    stopping: bool,
    stop_pending: bool,
    /// Signals that came before init had its own in hand.
    early: Vec<i32>,
    /// When it is killed because it did not stop.
    kill_at: Option<Instant>,
    /// When is looked again for what outlives init.
    look_at: Option<Instant>,
    timed_out: bool,
    /// Exec mode: the command was told that nobody listens any more.
    hung_up: bool,
    buffer: Vec<u8>,
}

/// Whether somebody wants to be connected before the command runs: `RUN_DIR/hold` holds for one start.
fn is_held(options: &Options) -> bool {
    let hold = options.run_dir.as_ref().map(|dir| dir.join("hold"));
    hold.is_some_and(|path| std::fs::remove_file(path).is_ok())
}

/// Runs a workload to its end; the exit code.
pub(crate) fn run(options: &Options, environment: &Environment, is_up: &mut dyn FnMut(u32)) -> u8 {
    let records = Records::begin(options.run_dir.as_deref());
    match Relay::new(options, environment, records, is_up) {
        Ok(relay) => relay.run(),
        Err((records, failure)) => {
            environment.notify.status(&failure.message);
            records.failure(&failure);
            let code = failure.code;
            records.exit(&Exit {
                code,
                signal: None,
                asked: false,
                timed_out: false,
                finished: Timestamp::now(),
            });
            code
        }
    }
}

impl<'a> Relay<'a> {
    fn new(
        options: &'a Options,
        environment: &'a Environment,
        records: Records,
        is_up: &'a mut dyn FnMut(u32),
    ) -> Result<Self, (Records, Failure)> {
        let hold = options.attach_hold || is_held(options);
        let exec = options.mode == Mode::Exec;
        let parts = || -> std::io::Result<_> {
            let signals = Signals::block()?;
            let sink = Sink::open(options)?;
            let mut clients = Clients::listen(options.run_dir.as_deref(), hold || exec)?;
            if options.join.is_some() {
                clients.adopt(std::io::stdin().as_fd().try_clone_to_owned()?)?;
            }
            Ok((signals, sink, clients))
        };
        let (signals, sink, clients) = match parts() {
            Ok(parts) => parts,
            Err(error) => return Err((records, program::internal(&error))),
        };
        Ok(Self {
            options,
            environment,
            is_up,
            signals,
            sink,
            records,
            clients,
            replay: Replay::default(),
            workload: Workload::default(),
            program: None,
            status: None,
            progress: Progress::Starting,
            leader: None,
            leader_end: None,
            words: LineCutter::default(),
            last_words: Vec::new(),
            hold_until: match (hold, exec && options.tty) {
                (true, _) => Some(Instant::now() + HOLD),
                (false, true) => Some(Instant::now() + SIZE_PATIENCE),
                (false, false) => None,
            },
            hung_up: false,
            init_listens: false,
            boot_until: None,
            go_sent: false,
            stopping: false,
            stop_pending: false,
            early: Vec::new(),
            kill_at: None,
            look_at: None,
            timed_out: false,
            buffer: vec![0; 64 * 1024],
        })
    }

    fn run(mut self) -> u8 {
        // Init waits for its word; other programs are only started when the first client is there.
        if matches!(self.options.mode, Mode::App | Mode::Exec) || self.hold_until.is_none() {
            self.start();
        }
        let mut end = End::default();
        loop {
            self.end_hold();
            self.end_boot();
            self.kill_if_due();
            if self.look_at.take_if(|at| Instant::now() >= *at).is_some() {
                self.end_traced();
            }
            if self.program.is_none() && matches!(self.progress, Progress::Failed(_)) {
                break;
            }
            let ending = self.status.is_some();
            let owner_behind = self.clients.owner_is_behind();
            let owner_waits = owner_behind.is_some();
            if ending && end.is_overdue(owner_behind) {
                break;
            }
            let timeout = match (ending, owner_waits) {
                (true, false) => Some(Duration::ZERO),
                (true, true) => Some(Duration::from_millis(100)),
                (false, _) => self.timeout(!owner_waits),
            };
            let events = self.poll(timeout, !owner_waits);
            let of_workload = |(source, _): &(Source, PollFlags)| {
                matches!(source, Source::Control | Source::Words | Source::Outlet(_))
            };
            if ending && !owner_waits && !events.iter().any(of_workload) {
                break;
            }
            if !owner_waits {
                self.flush_idle(&events);
            }
            // The last first: an outlet that ends is removed, which moves those behind it.
            for (source, flags) in events.into_iter().rev() {
                self.handle(source, flags);
            }
            self.hang_up();
        }
        self.finish()
    }

    /// Starts the program.
    fn start(&mut self) {
        let of_unit = matches!(self.options.mode, Mode::App | Mode::Boot);
        if of_unit && self.options.traced {
            self.moved(cgroup::move_to_payload());
        }
        let started = program::start(self.options, self.environment);
        if of_unit {
            self.moved(cgroup::move_to_supervisor());
        }
        let mut program = match started {
            Ok(program) => program,
            Err(failure) => return self.fail(failure),
        };
        if let Some(io) = program.io.take()
            && let Err(error) = self.workload.connect(io)
        {
            self.fail(program::internal(&error));
        }
        self.program = Some(program);
    }

    fn moved(&mut self, done: std::io::Result<()>) {
        if let Err(error) = done {
            let text = format!("cannot leave the unit's own cgroup, limits may not hold: {error}");
            self.sink.line(Origin::Relay, text.as_bytes());
        }
    }

    /// Lets a held workload go when its first client has come, or has not come for too long.
    fn end_hold(&mut self) {
        let Some(until) = self.hold_until else { return self.let_go() };
        if Instant::now() < until {
            if !self.clients.any_came() {
                return;
            }
            if self.options.tty && !self.workload.has_size() {
                // The client says it with its first word; a program that asks too early would see the wrong one.
                self.hold_until = Some(until.min(Instant::now() + SIZE_PATIENCE));
                return;
            }
        }
        self.hold_until = None;
        self.let_go();
    }

    fn let_go(&mut self) {
        if self.program.is_none() && self.progress == Progress::Starting {
            self.start();
        }
        if self.init_listens && !self.go_sent {
            self.go_sent = true;
            if let Some(control) = self.program.as_ref().and_then(|p| p.control.as_ref()) {
                control.ask("go");
            }
        }
    }

    /// Boot mode: lets the system count as running when its init takes signals. One that comes before is lost, and with it the
    /// wish of whoever stops what has only just been started.
    fn end_boot(&mut self) {
        let Some(until) = self.boot_until else { return };
        let Some(leader) = self.leader else { return };
        if Instant::now() < until && !heeds(leader, POWER_OFF) {
            return;
        }
        self.boot_until = None;
        self.init_listens();
        self.running(leader);
    }

    /// Init has its signals in hand, so it gets what came before, and nspawn may pass on that of a stop.
    fn init_listens(&mut self) {
        self.init_listens = true;
        for number in std::mem::take(&mut self.early) {
            self.signal(number);
        }
        if std::mem::take(&mut self.stop_pending) {
            self.pass_stop_on();
        }
    }

    /// The workload runs, with this process as its leader.
    fn running(&mut self, leader: i32) {
        self.leader = Some(leader);
        if let Some(leader) = Leader::of(leader) {
            self.records.leader(leader);
        }
        if self.progress == Progress::Starting {
            self.progress = Progress::Running;
            if let (Mode::App | Mode::Boot, Some(program)) = (self.options.mode, &self.program) {
                // Not before: what runs inside would inherit it.
                cgroup::spare_supervisors(program.child.id());
            }
            (self.is_up)(leader.cast_unsigned());
            let command = match self.options.mode {
                Mode::Boot => "The system has begun to boot",
                Mode::App | Mode::Exec => "The command is running",
            };
            self.environment.notify.send(&format!("READY=1\nSTATUS={command}"));
        }
    }

    /// Tells a command that was executed for a client that the client is gone.
    fn hang_up(&mut self) {
        let waits = self.hold_until.is_some();
        if self.options.mode == Mode::Exec && !waits && !self.hung_up && self.clients.is_empty() {
            // Before init has spoken there is nobody to tell; it is tried again then.
            self.hung_up = self.leader.is_some();
            self.signal(libc::SIGHUP);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.clients.broadcast(Stream::Stderr, format!("{}\n", failure.message).as_bytes());
        for line in failure.message.lines() {
            self.sink.line(Origin::Relay, line.as_bytes());
        }
        self.environment.notify.status(&failure.message);
        self.records.failure(&failure);
        self.progress = Progress::Failed(failure);
    }

    /// How long poll may sleep.
    fn timeout(&self, output: bool) -> Option<Duration> {
        let flush = self.workload.next_flush().filter(|_| output);
        let look = self.boot_until.map(|_| Instant::now() + BOOT_LOOK);
        let next = [flush, self.hold_until, self.kill_at, self.look_at, look]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Sleeps until there is something to do; what there is. The workload's output is only looked at while `output`.
    fn poll(&self, timeout: Option<Duration>, output: bool) -> Vec<(Source, PollFlags)> {
        let read = PollFlags::IN;
        let mut polls = vec![(Source::Signals, self.signals.as_fd(), read)];
        polls.extend(self.clients.listener().map(|fd| (Source::Listener, fd, read)));
        if let Some(program) = &self.program {
            if self.status.is_none() {
                polls.push((Source::Program, program.pidfd.as_fd(), read));
            }
            let fds = [
                (Source::Control, program.control.as_ref().map(|fd| fd.as_fd())),
                (Source::Words, program.words.as_ref().map(|fd| fd.as_fd())),
                (Source::Notify, program.notify.as_ref().map(|fd| fd.as_fd())),
            ];
            polls.extend(fds.into_iter().filter_map(|(source, fd)| Some((source, fd?, read))));
        }
        polls.extend(self.leader_end.as_ref().map(|fd| (Source::Leader, fd.as_fd(), read)));
        if output {
            let outlets = self.workload.outlets.iter().enumerate();
            polls.extend(outlets.map(|(n, outlet)| (Source::Outlet(n), outlet.fd.as_fd(), read)));
        }
        let input = self.workload.input_to_poll();
        polls.extend(input.map(|fd| (Source::Input, fd, PollFlags::OUT)));
        polls.extend(
            self.clients
                .interests(self.workload.takes_input())
                .map(|client| (Source::Client(client.id), client.socket, client.flags)),
        );
        let mut fds: Vec<PollFd<'_>> =
            polls.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let timeout = timeout.map(|time| Timespec {
            tv_sec: time.as_secs().cast_signed(),
            tv_nsec: time.subsec_nanos().into(),
        });
        if rustix::event::poll(&mut fds, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        polls
            .iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|((source, ..), fd)| (*source, fd.revents()))
            .collect()
    }

    /// Logs the lines that have begun and not gone on. Only poll knows that nothing waits to be read: the clock alone
    /// would cut a line in two when the journal has kept us waiting.
    fn flush_idle(&mut self, events: &[(Source, PollFlags)]) {
        let now = Instant::now();
        for number in 0..self.workload.outlets.len() {
            let waits = events.iter().any(|(source, _)| *source == Source::Outlet(number));
            let due = self.workload.outlets[number].flush_at.is_some_and(|at| at <= now);
            if due && !waits {
                self.flush(number);
            }
        }
    }

    fn flush(&mut self, number: usize) {
        let outlet = &mut self.workload.outlets[number];
        let origin = Origin::Workload(outlet.stream);
        outlet.cutter.flush(|line| self.sink.line(origin, line));
        outlet.flush_at = None;
    }

    fn finish(mut self) -> u8 {
        for number in 0..self.workload.outlets.len() {
            self.flush(number);
        }
        let sink = &mut self.sink;
        self.words.flush(|line| sink.line(Origin::Program, line));
        if self.progress == Progress::Starting {
            let failure = self.failed_start();
            self.fail(failure);
        }
        let (code, signal) = self.ending();
        self.program = None;
        let (asked, timed_out) = (self.stopping, self.timed_out);
        let finished = Timestamp::now();
        // First for whoever asks, then for who is connected: they may ask next.
        self.records.exit(&Exit { code, signal, asked, timed_out, finished });
        self.clients.finish(&Frame::Exit(code.into()));
        code
    }

    /// Why a program ended before its workload ran.
    fn failed_start(&self) -> Failure {
        let words = String::from_utf8_lossy(&self.last_words).trim().to_owned();
        let code = match (self.stopping, self.status) {
            (true, _) => 143,
            (false, Some(Status::Code(0)) | None) => INTERNAL,
            (false, Some(status)) => code_of(status).0,
        };
        let message = match self.status {
            _ if !words.is_empty() => words,
            _ if self.stopping => "stopped before the command ran".to_owned(),
            Some(status) => format!("ended before the command ran ({status})"),
            None => "ended before the command ran".to_owned(),
        };
        Failure { code, message }
    }

    fn ending(&self) -> (u8, Option<i32>) {
        if self.timed_out {
            return (above_128(libc::SIGKILL), Some(libc::SIGKILL));
        }
        match (&self.progress, self.status) {
            (Progress::Failed(failure), _) => (failure.code, None),
            (Progress::Exited(code), _) => (*code, None),
            (Progress::Signaled(number), _) => (above_128(*number), Some(*number)),
            // Init says how its command ended, unless it was itself killed, which only this signal can do.
            (_, Some(Status::Code(_))) if self.options.mode != Mode::Boot => {
                (above_128(libc::SIGKILL), Some(libc::SIGKILL))
            }
            // The program around an image's own init says in words how that was killed.
            (_, Some(status)) => match killed_by(&String::from_utf8_lossy(&self.last_words)) {
                Some(number) if self.options.mode == Mode::Boot => {
                    (above_128(number), Some(number))
                }
                _ => code_of(status),
            },
            (_, None) => (INTERNAL, None),
        }
    }
}

/// The signal in nspawn's last words about a container (`Container web terminated by signal KILL.`).
fn killed_by(words: &str) -> Option<i32> {
    let (_, after) = words.rsplit_once("terminated by signal ")?;
    let name = after.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    volt_model::container::parse_signal(name).ok().map(i32::from)
}

/// Whether a process does something of its own about a signal.
fn heeds(pid: i32, signal: u32) -> bool {
    let status = volt_host::process::status(pid.cast_unsigned());
    status.is_ok_and(|status| status.heeded & (1 << (signal - 1)) != 0)
}

fn code_of(status: Status) -> (u8, Option<i32>) {
    match status {
        Status::Code(code) => (u8::try_from(code).unwrap_or(u8::MAX), None),
        Status::Signal(number) => (above_128(number), Some(number)),
    }
}

fn above_128(signal: i32) -> u8 {
    128_u8.saturating_add(u8::try_from(signal).unwrap_or(127))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_killed_system_is_told_by_nspawn() {
        let said = "Spawning container bt on /x.\nContainer bt terminated by signal KILL.\n";
        assert_eq!(super::killed_by(said), Some(9));
        assert_eq!(super::killed_by("Container bt failed with error code 1."), None);
    }
}
