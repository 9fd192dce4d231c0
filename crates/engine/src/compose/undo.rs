//! Undoing what an `up` that failed had done: all is put back, the last of it first, and then started again. What can't be undone is told,
//! and the rest is undone all the same.

use super::hooks::post_start;
use super::kinds::Old;
use super::secrets::Before;
use crate::error::Result;
use crate::net::Create as NetCreate;
use crate::plain::Written;
use crate::{Engine, Progress};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use volt_compose::launch::{REPLICA, SERVICE, STACK};
use volt_compose::{Stack, graph};
use volt_model::container::Exit;
use volt_model::name::{Name, Target};
use volt_model::net::Network;

/// How long the commands of a start may take that is an undoing: nobody can give them up.
const HOOKS: Duration = Duration::from_secs(120);

/// How one thing is undone.
#[derive(Debug)]
pub(super) enum Undo {
    /// A network was made.
    Network(Name),
    /// A network was made anew; what it was.
    Replaced(Box<Network>),
    /// A volume was made.
    Volume(Name),
    /// A secret was made, or given another content.
    Secret {
        /// What it is called.
        name: Name,
        /// What it was.
        before: Before,
    },
    /// A service or task got another one in its place; what it was.
    Plain(Box<Old>),
    /// A workload was made.
    Made(Name),
    /// A container was given another name, so that a new one takes its place.
    Renamed {
        /// What it is called now.
        was: Name,
        /// What it was called.
        name: Name,
    },
    /// A workload was started.
    Started(Name),
    /// A workload was stopped.
    Stopped(Name),
    /// A workload was let go on.
    Thawed(Name),
}

impl Engine {
    /// Undoes all of it. What could not be, in words.
    pub(super) fn undo_steps(
        &self,
        stack: &Name,
        before: Option<&Stack>,
        all: Vec<Undo>,
        progress: &dyn Progress,
    ) -> Vec<String> {
        // What goes need not be asked to stop.
        let made: BTreeSet<Name> = all.iter().filter_map(made).cloned().collect();
        let mut failed = Vec::new();
        // Who is started again may wait for others, so all of them are first to be what they were.
        let (mut stopped, back): (Vec<Undo>, Vec<Undo>) =
            all.into_iter().partition(|one| matches!(one, Undo::Stopped(_)));
        let mut once = BTreeSet::new();
        stopped.retain(|one| once.insert(told(one)));
        let mut undo = |one: Undo| {
            progress.step(&format!("Undoing: {}", told(&one)));
            let what = told(&one);
            if let Err(error) = self.undo_step(stack, before, one) {
                failed.push(format!("{what}: {}", error.chain().join(": ")));
            }
        };
        let is_needed = |one: &Undo| !matches!(one, Undo::Started(name) if made.contains(name));
        back.into_iter().rev().filter(is_needed).for_each(&mut undo);
        let levels = before.map(graph::levels).unwrap_or_default();
        stopped.sort_by_key(|one| self.level_of(one, &levels));
        stopped.into_iter().for_each(undo);
        failed
    }

    /// On which level of the stack what was stopped is: behind all where none has it.
    fn level_of(&self, undo: &Undo, levels: &[Vec<String>]) -> usize {
        let Undo::Stopped(name) = undo else { return usize::MAX };
        let labels = self.stack_labels(name).unwrap_or_default();
        let level =
            labels.get(SERVICE).and_then(|key| levels.iter().position(|level| level.contains(key)));
        level.unwrap_or(usize::MAX)
    }

    fn undo_step(&self, stack: &Name, before: Option<&Stack>, undo: Undo) -> Result<()> {
        match undo {
            Undo::Network(name) => self.net_delete(&name),
            Undo::Replaced(old) => self.net_replace(again(*old)).map(drop),
            Undo::Volume(name) => self.volume_delete(&name),
            Undo::Secret { name, before } => self.put_secret_back(stack, &name, before),
            Undo::Plain(old) => {
                self.put_plain_back(&old)?;
                self.tell_of_replica(before, old.name())
            }
            Undo::Made(name) => self.stack_delete(&name, Written::Kept),
            Undo::Renamed { was, name } => {
                self.container_rename(&was, &name)?;
                self.tell_of_replica(before, &name)?;
                match self.last_exit(&name) {
                    // What it had done stays done, whatever has run under its name meanwhile: who waits for it is to begin again.
                    Some(end) if end.code == 0 => {
                        self.save_exit(&name, &Exit { finished: Timestamp::now(), ..end })
                    }
                    _ => Ok(()),
                }
            }
            Undo::Started(name) => self.stack_stop(&name, None),
            Undo::Stopped(name) if !self.stack_has(&name) => Ok(()),
            Undo::Stopped(name) => self.start_again(before, &name),
            Undo::Thawed(name) => self.workload_freeze(&Target::Workload(name)).map(drop),
        }
    }

    /// Has what was stopped run as before, with the commands that its stack has for a start.
    fn start_again(&self, before: Option<&Stack>, name: &Name) -> Result<()> {
        // It may have come back with one whose network it shared, which is gone again.
        match self.stack_state(name)?.is_alive() {
            true => self.stack_restart(name, None)?,
            false => self.stack_start(name)?,
        }
        let labels = self.stack_labels(name)?;
        // Who shares a network may be of another stack, whose services are others.
        let own =
            before.filter(|stack| labels.get(STACK).is_some_and(|of| *of == stack.name.as_str()));
        let Some((stack, key)) = own.zip(labels.get(SERVICE)) else { return Ok(()) };
        let end = Instant::now() + HOOKS;
        self.run_hooks(stack, key, (name, post_start), &|| Instant::now() > end)
    }

    /// Writes what systemd is told of a container as one of its stack, as the stack was.
    fn tell_of_replica(&self, before: Option<&Stack>, name: &Name) -> Result<()> {
        let Some(stack) = before else { return Ok(()) };
        let labels = self.stack_labels(name)?;
        let replica = labels.get(REPLICA).and_then(|text| text.parse().ok());
        match labels.get(SERVICE).zip(replica) {
            Some((key, replica)) => self.write_stack_dropin(stack, key, replica).map(drop),
            None => Ok(()),
        }
    }
}

fn made(undo: &Undo) -> Option<&Name> {
    if let Undo::Made(name) = undo { Some(name) } else { None }
}

fn told(undo: &Undo) -> String {
    match undo {
        Undo::Network(name) => format!("removing network {name}"),
        Undo::Replaced(network) => format!("making network {} what it was", network.name),
        Undo::Volume(name) => format!("removing volume {name}"),
        Undo::Secret { name, before: None } => format!("removing secret {name}"),
        Undo::Secret { name, .. } => format!("making secret {name} what it was"),
        Undo::Plain(old) => format!("making workload {} what it was", old.name()),
        Undo::Made(name) => format!("removing workload {name}"),
        Undo::Renamed { name, .. } => format!("putting workload {name} back"),
        Undo::Started(name) => format!("stopping workload {name}"),
        Undo::Stopped(name) => format!("starting workload {name}"),
        Undo::Thawed(name) => format!("pausing workload {name}"),
    }
}

fn again(old: Network) -> NetCreate {
    NetCreate {
        name: old.name,
        subnet: Some(old.subnet),
        ipv6: old.ipv6,
        internal: old.internal,
        isolate: old.isolate,
        dns: old.dns,
        dhcp: old.dhcp,
        mtu: old.mtu,
        labels: old.labels,
    }
}
