//! Holding a container that runs still while it is read, by a process of its own: whatever becomes of the reader, the container
//! goes on.
//!
//! The helper (`volt internal still NAME`) freezes the container, says so by a line on its standard output, waits until its standard
//! input ends, and thaws. The reader holds the other end of that input, which the kernel closes for one that is killed. Should
//! both be killed, the intent that was written before says so to the next command. The lock is the helper's, so that nobody freezes anew
//! what another helper is about to thaw.

use crate::Engine;
use crate::error::{Error, Result};
use crate::intent::Intent;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::ChildStdin;
use std::time::Duration;
use volt_host::command::{Child, Command, Stream};
use volt_host::files::{LockMode, Wait};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::{State, Verb};

/// How long a helper waits for another one of the same container.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a helper says when the container stands still.
const STILL: &str = "still";
/// The most that is read of what a helper says, in bytes.
const SAID: u64 = 4096;

/// A container that stands still until this is ended.
pub(super) struct Still<'a> {
    engine: &'a Engine,
    name: Name,
    helper: Option<(Child, ChildStdin)>,
}

impl Still<'_> {
    /// Lets it go on.
    ///
    /// # Errors
    /// When it did not stand still all the time.
    pub(super) fn end(mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        let Some((mut child, input)) = self.helper.take() else { return Ok(()) };
        drop(input);
        let status = child.wait();
        if !status.as_ref().is_ok_and(|status| status.success()) {
            self.engine.let_go(&self.name)?;
        }
        self.engine.fulfil(&self.name)?;
        if status?.success() {
            return Ok(());
        }
        let title = format!("The container {} did not stand still while it was read", self.name);
        Err(Error::new(ErrorKind::Conflict, title).about(&self.name).hinted("Try again"))
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(name = %self.name, error = %error.chain().join(": "), "a container that was held still may not go on");
        }
    }
}

impl Engine {
    /// Has a container that runs held still. The name's lock must be held.
    pub(super) fn hold_still(&self, spec: &Spec) -> Result<Still<'_>> {
        let name = &spec.name;
        self.intend(&Intent::Still { name: name.clone() })?;
        let mut command = Command::new(&self.settings().programs.volt)
            .args(["internal", "still", name.as_str()])
            .stdin(Stream::Pipe)
            .stdout(Stream::Pipe)
            .stderr(Stream::Pipe)
            .new_session()
            .outlives_parent();
        for (name, value) in self.helper_environment() {
            command = command.env(name, value);
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                self.fulfil(name)?;
                return Err(error.into());
            }
        };
        let input = child.take_stdin().expect("it was piped");
        let output = child.take_stdout().expect("it was piped");
        let said = child.take_stderr().expect("it was piped");
        let mut line = String::new();
        let read = BufReader::new(output.take(SAID)).read_line(&mut line);
        if read.is_ok() && line.trim() == STILL {
            return Ok(Still { engine: self, name: name.clone(), helper: Some((child, input)) });
        }
        drop(input);
        let status = child.wait();
        let mut why = String::new();
        drop(said.take(SAID).read_to_string(&mut why));
        self.let_go(name)?;
        self.fulfil(name)?;
        status?;
        let title = format!("The container {name} can't be held still");
        Err(Error::new(ErrorKind::General, title).about(name).because(why.trim().to_owned()))
    }

    /// What the helper does: holds a container still until `input` ends, and says by `said` when it stands still. One that stands
    /// still already is left so.
    ///
    /// # Errors
    /// `Conflict` for one that doesn't run, or that went on by itself meanwhile.
    pub fn stand_still(
        &self,
        name: &Name,
        said: &mut dyn FnMut(&str),
        input: &mut dyn Read,
    ) -> Result<()> {
        let _lock = self.lock_still(name)?;
        let spec = self.spec(name)?;
        let state = self.run_state(&spec)?.state;
        super::refuse(name, state, Verb::Freeze)?;
        let backend = self.backend_of(&spec);
        backend.freeze(self, &spec)?;
        said(STILL);
        // However it ends, the reader is done.
        drop(std::io::copy(input, &mut std::io::sink()));
        let after = self.run_state(&spec).map(|run| run.state);
        backend.thaw(self, &spec)?;
        match after? {
            State::Frozen => Ok(()),
            other => {
                let title = format!("The container {name} is {other} and was to stand still");
                Err(Error::new(ErrorKind::Conflict, title).about(name))
            }
        }
    }

    /// Lets a container go on that a killed command had held still. The name's lock must be held: nobody else freezes it then.
    pub(crate) fn let_go(&self, name: &Name) -> Result<()> {
        // Its helper may be at it.
        let _lock = self.lock_still(name)?;
        let Ok(spec) = self.spec(name) else { return Ok(()) };
        if self.run_state(&spec)?.state == State::Frozen {
            self.backend_of(&spec).thaw(self, &spec)?;
        }
        Ok(())
    }

    fn lock_still(&self, name: &Name) -> Result<volt_host::files::Lock> {
        let word = format!("still-{name}");
        Ok(self.locks().lock(&word, LockMode::Exclusive, Wait::For(PATIENCE))?)
    }

    /// What Volt's own helpers need to find the state of this installation.
    pub(crate) fn helper_environment(&self) -> Vec<(&'static str, String)> {
        let paths = self.paths();
        let above = |path: &Path| path.parent().unwrap_or(path).to_string_lossy().into_owned();
        if self.is_rootless() {
            return vec![
                ("XDG_CONFIG_HOME", above(&paths.etc)),
                ("XDG_DATA_HOME", above(&paths.lib)),
                ("XDG_STATE_HOME", above(&paths.log)),
                ("XDG_CACHE_HOME", above(&paths.cache)),
                ("XDG_RUNTIME_DIR", above(&paths.run)),
            ];
        }
        let root =
            paths.root.as_ref().map(|root| ("VOLT_ROOT", root.to_string_lossy().into_owned()));
        root.into_iter().collect()
    }
}
