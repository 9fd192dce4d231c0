//! Connecting to a container's terminal or streams, which its relay serves.

use super::prepare::hold;
use super::start::refuse;
use crate::Engine;
use crate::error::{Error, Result};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use volt_host::files;
use volt_model::container::Spec;
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::{State, Verb};

/// How often a relay that is about to listen is tried.
const INTERVAL: Duration = Duration::from_millis(1);

impl Engine {
    /// Connects to a container; `start` starts it, and its command waits until the connection stands, so nothing it writes is
    /// missed. The stream speaks frames.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that doesn't run (or, with `start`, runs already).
    pub fn container_attach(&self, name: &Name, start: bool) -> Result<UnixStream> {
        if start {
            return self.start_attached(name);
        }
        let spec = self.spec(name)?;
        refuse(name, self.run_state(&spec)?.state, Verb::Attach)?;
        self.connect(name).map_err(|e| {
            Error::new(ErrorKind::Conflict, format!("The container {name} can't be reached"))
                .about(name)
                .because(e)
        })
    }

    /// Tells a container's relay something.
    pub(super) fn send_frame(&self, name: &Name, frame: &Frame) -> Result<()> {
        let sent = self.connect(name).and_then(|mut stream| stream.write_all(&frame.encode()));
        sent.map_err(|e| {
            Error::new(ErrorKind::Conflict, format!("The container {name} can't be reached"))
                .about(name)
                .because(e)
        })
    }

    fn connect(&self, name: &Name) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.paths().container_run(name).join("attach.sock"))
    }

    fn start_attached(&self, name: &Name) -> Result<UnixStream> {
        let lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let backend = self.backend_of(&spec);
        let state = self.settled_state(&spec)?;
        if state == State::Running {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The container {name} runs already"),
            )
            .about(name)
            .hinted(format!("Connect to it: volt container attach {name}")));
        }
        refuse(name, state, Verb::Start)?;
        backend.check(self, &spec)?;
        self.ready_to_start(&spec)?;
        let run = self.paths().container_run(name);
        files::create_dirs(&run, 0o755)?;
        hold(&run.join("hold"))?;
        // The start ends when the command runs, and the command runs when the connection stands; so both go on at once. The lock
        // is held until the start has ended.
        let engine = self.clone();
        let starting = std::thread::spawn(move || {
            let started = engine.backend_of(&spec).start(&engine, &spec);
            drop(lock);
            started
        });
        loop {
            if let Ok(stream) = self.connect(name) {
                return Ok(stream);
            }
            if starting.is_finished() {
                return self.connect_after(name, starting.join());
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// The connection to a container whose start has ended before there was one.
    fn connect_after(
        &self,
        name: &Name,
        ended: std::thread::Result<Result<()>>,
    ) -> Result<UnixStream> {
        ended.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::General, "The start broke off").about(name))
        })?;
        self.connect(name).map_err(|e| {
            Error::new(
                ErrorKind::General,
                format!("The container {name} ended before it could be reached"),
            )
            .about(name)
            .because(e)
        })
    }

    /// Why the last start since `since` failed, as the container's own record has it.
    pub(super) fn start_failure(&self, spec: &Spec, since: jiff::Timestamp) -> Option<String> {
        let exit = self.last_exit(&spec.name).filter(|exit| exit.finished >= since)?;
        exit.start_failure().map(str::to_owned)
    }
}
