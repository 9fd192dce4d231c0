//! What the loop does about each thing that happens.

use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::process::{PidfdFlags, Signal};
use volt_model::frame::Frame;

use super::{BOOT_PATIENCE, EARLY_SIGNALS, LAST_WORDS, Progress, Relay, Source, TRACED_LOOK};
use crate::cgroup;
use crate::control::{Message, Received};
use crate::options::Mode;
use crate::program::{self, Io};
use crate::record::Failure;
use crate::signals;
use crate::sink::Origin;
use crate::workload::Read;

/// More than init says in all.
const LAST_MESSAGES: usize = 4;
/// How much longer systemd is asked to wait than the workload may take.
const STOP_SLACK: Duration = Duration::from_secs(15);

impl Relay<'_> {
    pub(super) fn handle(&mut self, source: Source, flags: PollFlags) {
        match source {
            Source::Signals => {
                while let Some(number) = self.signals.next() {
                    if number != libc::SIGHUP {
                        self.stop();
                    }
                }
            }
            Source::Listener => self.clients.accept(self.replay.frames()),
            Source::Program => {
                let status = self.program.as_mut().and_then(|p| p.child.try_wait().ok());
                self.status = status.flatten();
            }
            Source::Control => self.control(),
            Source::Leader => {
                self.leader_end = None;
                // What it said last may be unread.
                (0..LAST_MESSAGES).for_each(|_| self.control());
                self.end_traced();
            }
            Source::Words => self.words(),
            Source::Notify => self.notified(),
            Source::Outlet(number) => self.output(number),
            Source::Input => self.workload.write_input(),
            Source::Client(id) => {
                for frame in self.clients.serve(id, flags) {
                    self.request(&frame);
                }
            }
        }
    }

    fn request(&mut self, frame: &Frame) {
        match frame {
            Frame::Stdin(bytes) => self.workload.input(bytes),
            Frame::Resize { columns, rows } => self.workload.resize(*columns, *rows),
            Frame::Signal(number) => self.signal((*number).into()),
            // Nothing that a client sends.
            Frame::Stdout(_) | Frame::Stderr(_) | Frame::Exit(_) | Frame::Error(_) => {}
        }
    }

    /// Sends a signal to the workload, as a client asks; one that comes too early waits.
    pub(super) fn signal(&mut self, number: i32) {
        if !(1..=64).contains(&number) {
            return;
        }
        if !self.init_listens {
            if self.early.len() < EARLY_SIGNALS {
                self.early.push(number);
            }
            return;
        }
        let Some(leader) = self.leader.filter(|_| self.status.is_none()) else { return };
        match self.options.mode {
            Mode::Boot => signals::send(leader, number),
            Mode::App if number == libc::SIGKILL => signals::send(leader, number),
            // To the command itself, whatever it is: init heeds few signals, and takes SIGTERM for a stop.
            Mode::App => self.ask_init(&format!("kill {number}")),
            Mode::Exec => self.ask_init(&format!("signal {number}")),
        }
    }

    fn ask_init(&self, request: &str) {
        if let Some(control) = self.program.as_ref().and_then(|p| p.control.as_ref()) {
            control.ask(request);
        }
    }

    /// Asks the workload to end, once: nspawn kills at the second time.
    fn stop(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        // systemd would kill this process too, which has to tell how it ended.
        let patience = self.records.stop_time().or(self.options.stop_timeout);
        let more = patience.map(|time| (time + STOP_SLACK).as_micros());
        let more = more.map(|time| format!("EXTEND_TIMEOUT_USEC={time}\n")).unwrap_or_default();
        self.environment.notify.send(&format!("{more}STOPPING=1\nSTATUS=Stopping"));
        self.kill_at = patience.and_then(|time| Instant::now().checked_add(time));
        match (&self.program, self.options.mode) {
            (None, _) => {
                self.fail(Failure {
                    code: 143,
                    message: "stopped before the command ran".to_owned(),
                });
            }
            (Some(_), Mode::Exec) => self.signal(libc::SIGTERM),
            (Some(_), Mode::App | Mode::Boot) if !self.init_listens => self.stop_pending = true,
            (Some(_), Mode::App | Mode::Boot) => self.pass_stop_on(),
        }
    }

    /// Tells the workload's own init of a stop.
    pub(super) fn pass_stop_on(&mut self) {
        if let Err(error) = cgroup::thaw_payload() {
            let text = format!("the workload may still be held still: {error}");
            self.sink.line(Origin::Relay, text.as_bytes());
        }
        match (self.options.mode, self.leader, &self.program) {
            // Ours itself: not every program around it would pass it on.
            (Mode::App, Some(leader), _) => signals::send(leader, libc::SIGTERM),
            (.., Some(program)) => drop(program.child.signal(Signal::TERM)),
            (.., None) => {}
        }
    }

    /// Kills what has not ended in time.
    pub(super) fn kill_if_due(&mut self) {
        if self.kill_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.kill_at = None;
        let Some(program) = self.program.as_ref().filter(|_| self.status.is_none()) else { return };
        self.timed_out = true;
        // The first process takes the others with it; nspawn, which stays, tells machined.
        let target = self.leader.unwrap_or(program.child.id().cast_signed());
        signals::send(target, libc::SIGKILL);
    }

    fn output(&mut self, number: usize) {
        let Some(outlet) = self.workload.outlets.get_mut(number) else { return };
        let origin = Origin::Workload(outlet.stream);
        let sink = &mut self.sink;
        match outlet.read(&mut self.buffer) {
            Read::Nothing => {}
            Read::Bytes(length) => {
                let bytes = &self.buffer[..length];
                // Clients first: a person waits for them, nobody for the log.
                self.clients.broadcast(outlet.stream, bytes);
                self.replay.push(outlet.stream, bytes);
                outlet.cutter.push(bytes, |line| sink.line(origin, line));
                outlet.touched();
            }
            Read::End => {
                outlet.cutter.flush(|line| sink.line(origin, line));
                self.workload.outlets.remove(number);
            }
        }
    }

    /// What nspawn says on its own behalf.
    fn words(&mut self) {
        let Some(program) = &mut self.program else { return };
        let Some(words) = &program.words else { return };
        match rustix::io::read(words, &mut self.buffer[..]) {
            Ok(length) if length > 0 => {
                let bytes = &self.buffer[..length];
                self.last_words.extend_from_slice(bytes);
                let over = self.last_words.len().saturating_sub(LAST_WORDS);
                self.last_words.drain(..over);
                let sink = &mut self.sink;
                self.words.push(bytes, |line| sink.line(Origin::Program, line));
            }
            Err(rustix::io::Errno::INTR) => {}
            _ => program.words = None,
        }
    }

    fn notified(&mut self) {
        let listener = self.program.as_ref().and_then(|p| p.notify.as_ref());
        let Some(said) = listener.and_then(|listener| listener.receive()) else { return };
        if said.leader.is_some() {
            self.leader = said.leader;
        }
        if said.ready && self.progress == Progress::Starting {
            self.boot_until = Some(Instant::now() + BOOT_PATIENCE);
        }
        if let Some(status) = said.status {
            self.environment.notify.status(&status);
        }
    }

    fn control(&mut self) {
        let control = self.program.as_ref().and_then(|p| p.control.as_ref());
        let Some(received) = control.map(crate::control::Control::receive) else { return };
        match received {
            Received::Message(message, sender) => {
                if let Some(sender) = sender.filter(|_| self.leader.is_none()) {
                    self.leader = Some(sender);
                    let pid = rustix::process::Pid::from_raw(sender);
                    let open = |pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok();
                    self.leader_end = pid.and_then(open);
                }
                self.message(message);
                self.init_listens();
            }
            Received::Closed => {
                if let Some(program) = &mut self.program {
                    program.control = None;
                }
            }
            Received::Unknown | Received::Nothing => {}
        }
    }

    /// Kills what the program traces after init is gone without a word: where that was no PID 1, nobody else does.
    pub(super) fn end_traced(&mut self) {
        let reported = !matches!(self.progress, Progress::Starting | Progress::Running);
        let Some(program) = self.program.as_ref().filter(|_| !reported && self.status.is_none())
        else {
            return;
        };
        for pid in volt_host::process::traced_by(program.child.id()) {
            signals::send(pid.cast_signed(), libc::SIGKILL);
        }
        self.look_at = Some(Instant::now() + TRACED_LOOK);
    }

    fn message(&mut self, message: Message) {
        let connected = match message {
            Message::Tty(master) => self.workload.connect(Io::Terminal(master)),
            Message::Io { stdin, stdout, stderr } => {
                self.workload.connect(Io::Pipes { stdin, stdout, stderr })
            }
            Message::Started => {
                if let Some(leader) = self.leader {
                    self.running(leader);
                }
                Ok(())
            }
            Message::Failed(code, message) => {
                self.fail(Failure { code, message });
                Ok(())
            }
            Message::Exited(code) => {
                self.progress = Progress::Exited(code);
                Ok(())
            }
            Message::Signaled(number) => {
                self.progress = Progress::Signaled(number);
                Ok(())
            }
        };
        if let Err(error) = connected {
            self.fail(program::internal(&error));
        }
    }
}
