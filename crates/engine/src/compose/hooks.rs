//! Commands that are run in a container of a stack when it was started, and before it is stopped.

use crate::Engine;
use crate::container::Exec;
use crate::error::{Error, Result};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use volt_compose::Stack;
use volt_compose::stack::{Container, Hook};
use volt_model::frame::{Decoder, Frame};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How much of what such a command says is kept for an error, in bytes.
const SAID: usize = 4096;
/// How often is looked whether anybody still waits for one.
const LOOK: Duration = Duration::from_millis(50);

/// Whether nobody waits for a command any more.
pub(super) type Gone<'a> = &'a dyn Fn() -> bool;
/// Which of them.
pub(super) type Which = fn(&Container) -> &[Hook];

/// Those of a start.
pub(super) fn post_start(container: &Container) -> &[Hook] {
    &container.post_start
}

/// Those of a stop.
pub(super) fn pre_stop(container: &Container) -> &[Hook] {
    &container.pre_stop
}

impl Engine {
    /// Runs the commands of a service at one of these turns in a container of it, one after the other. One that somebody waits for no more,
    /// which `gone` says, is ended.
    pub(super) fn run_hooks(
        &self,
        stack: &Stack,
        key: &str,
        (name, which): (&Name, Which),
        gone: Gone<'_>,
    ) -> Result<()> {
        let Some(container) = stack.services.get(key).and_then(|service| service.container())
        else {
            return Ok(());
        };
        which(container).iter().try_for_each(|hook| self.run_hook(name, hook, gone))
    }

    /// Those of a stop: what goes wrong with them keeps nothing from being stopped.
    pub(super) fn run_last_hooks(&self, stack: &Stack, key: &str, name: &Name, gone: Gone<'_>) {
        if let Err(error) = self.run_hooks(stack, key, (name, pre_stop), gone) {
            tracing::warn!(%name, error = %error.chain().join(": "), "a pre_stop command failed");
        }
    }

    fn run_hook(&self, name: &Name, hook: &Hook, gone: Gone<'_>) -> Result<()> {
        let exec = Exec {
            command: hook.command.clone(),
            env: hook.environment.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            user: hook.user.clone(),
            workdir: hook.working_dir.clone(),
            tty: false,
            stdin: false,
        };
        let (code, said) = heard(self.container_exec(name, &exec)?, gone).map_err(|e| {
            let kind = match e.kind() {
                std::io::ErrorKind::TimedOut => ErrorKind::Interrupted,
                _ => ErrorKind::General,
            };
            Error::new(kind, "A command of the stack broke off").about(name).because(e)
        })?;
        if code == 0 {
            return Ok(());
        }
        let title = format!("`{}` in {name} ended with code {code}", hook.command.join(" "));
        let error = Error::new(ErrorKind::General, title).about(name);
        Err(if said.is_empty() { error } else { error.because(said) })
    }
}

/// How a command ended, and the first of what it said. `TimedOut` when it is `gone` before.
fn heard(mut stream: UnixStream, gone: Gone<'_>) -> std::io::Result<(u32, String)> {
    stream.set_read_timeout(Some(LOOK))?;
    let (mut decoder, mut said, mut buffer) = (Decoder::new(), Vec::new(), [0; 8192]);
    loop {
        if gone() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        while let Some(frame) = decoder.next_frame().map_err(std::io::Error::other)? {
            match frame {
                Frame::Exit(code) => {
                    return Ok((code, String::from_utf8_lossy(&said).trim().to_owned()));
                }
                Frame::Error(text) => return Err(std::io::Error::other(text)),
                Frame::Stdout(bytes) | Frame::Stderr(bytes) => {
                    let room = SAID.saturating_sub(said.len());
                    said.extend(bytes.iter().take(room));
                }
                _ => {}
            }
        }
        let n = match stream.read(&mut buffer) {
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            read => read?,
        };
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        decoder.push(&buffer[..n]);
    }
}
