//! What systemd is told of a stack: a target that owns its units, and for each unit that it belongs to the target and what comes
//! before it. All of it is beside the shipped templates, as drop-ins, and holds without Volt's daemon.

use super::found::stack_of;
use super::kinds::{kind_of, schedule_of, unit_of};
use crate::Engine;
use crate::container::link;
use crate::error::Result;
use crate::workload::Kind;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_compose::stack::{Condition, Workload};
use volt_compose::{Stack, names};
use volt_host::files;
use volt_host::systemd::JobKind;
use volt_model::container::unit;
use volt_model::name::Name;
use volt_model::unitfile::sentence;
use volt_model::{service, task};

/// The shipped template.
const TEMPLATE: &str = "volt-compose@.target";
/// The drop-in's file name, beside the one of the container itself.
const DROPIN: &str = "60-volt-stack.conf";
/// How long systemd may take for a target, of which nothing has to be started or stopped.
const LIMIT: Duration = Duration::from_secs(60);
const MAX: usize = 1 << 20;

/// `volt-compose@NAME.target`.
pub(crate) fn target_name(stack: &Name) -> String {
    format!("volt-compose@{stack}.target")
}

/// The stack whose target this is.
pub(crate) fn stack_of_target(unit: &str) -> Option<Name> {
    unit.strip_prefix("volt-compose@")?.strip_suffix(".target")?.parse().ok()
}

/// The workload that this unit of a target stands for.
pub(super) fn workload_of(unit: &str) -> Option<(Kind, Name)> {
    let container = || Some((Kind::Container, unit::container_of(unit)?));
    let task = || Some((Kind::Task, task::unit::task_of(unit)?));
    let service = || Some((Kind::Service, unit.strip_suffix(".service")?.parse().ok()?));
    container().or_else(task).or_else(service)
}

/// The units that come before a workload which waits for another service: its containers, or the gates that open when these have
/// come as far as is asked.
fn before(stack: &Stack, service: &str, condition: Condition) -> Vec<String> {
    let Some(other) = stack.services.get(service) else { return Vec::new() };
    let unit = |name: &Name| match condition {
        Condition::ServiceStarted => unit_of(other, name),
        Condition::ServiceHealthy if kind_of(other) == Kind::Service => {
            service::unit::healthy_name(name)
        }
        Condition::ServiceHealthy => unit::healthy_name(name),
        Condition::ServiceCompletedSuccessfully => match kind_of(other) {
            Kind::Container => unit::completed_name(name),
            Kind::Service => service::unit::completed_name(name),
            Kind::Task => task::unit::completed_name(name),
        },
    };
    (1..=other.replicas).map(|n| unit(&names::of_replica(stack, service, n))).collect()
}

/// What systemd is told of one workload as one of its stack. Who is started alone starts nothing else, that is the target's; but for what
/// has to be healthy before it.
fn dropin(stack: &Stack, key: &str, replica: u32, volt: &Path) -> String {
    let mut out = String::from(
        "# Rendered by Volt from what was brought up last; `volt compose up` changes it.\n[Unit]\n",
    );
    let service = stack.services.get(key);
    let workload = service.map(|service| &service.workload);
    let when = match workload {
        Some(Workload::Task(task)) => format!(", {}", sentence(&schedule_of(task).to_string())),
        _ => String::new(),
    };
    let _ = writeln!(out, "Description={}{when}", described(stack, key, replica));
    let _ = writeln!(out, "PartOf={}", target_name(&stack.name));
    let depends = service.iter().flat_map(|service| &service.depends_on);
    for (other, dependency) in depends {
        for unit in before(stack, other, dependency.condition) {
            let _ = writeln!(out, "After={unit}");
            match (dependency.condition, dependency.required) {
                (Condition::ServiceStarted, _) => {}
                (_, true) => drop(writeln!(out, "Requires={unit}")),
                (_, false) => drop(writeln!(out, "Wants={unit}")),
            }
        }
    }
    // A timer writes nothing; what it starts does.
    let is_task = matches!(workload, Some(Workload::Task(_)));
    if !is_task {
        out.push_str(&logged(stack, key, replica));
    }
    if matches!(workload, Some(Workload::Service(_))) && stack.is_awaited(key) {
        out.push_str(&service::unit::note_end(volt, &names::of_replica(stack, key, replica)));
    }
    out
}

/// What a workload is for people, and whose.
fn described(stack: &Stack, key: &str, replica: u32) -> String {
    let workload = stack.services.get(key).map(|service| &service.workload);
    let own = match workload {
        Some(Workload::Service(unit)) => unit.description.as_deref(),
        Some(Workload::Task(task)) => task.description.as_deref(),
        _ => None,
    };
    let kind = workload.map_or("container", Workload::kind);
    let own = own.map(sentence).filter(|text| !text.is_empty());
    let own =
        own.unwrap_or_else(|| format!("Volt {kind} {}", names::of_replica(stack, key, replica)));
    format!("{own} ({} {replica} of the stack {})", key.replace('%', "%%"), stack.name)
}

/// What the journal is told of what a workload writes.
fn logged(stack: &Stack, key: &str, replica: u32) -> String {
    let (owner, shown) = (&stack.name, key.replace('%', "%%"));
    let mut out = format!("\n[Service]\nLogExtraFields=VOLT_STACK={owner}\n");
    let _ = writeln!(out, "LogExtraFields=VOLT_STACK_SERVICE={shown}");
    let _ = writeln!(out, "LogExtraFields=VOLT_STACK_REPLICA={replica}");
    out
}

/// What systemd is told of the stack as a whole: what it starts.
fn target(stack: &Stack, units: &[String]) -> String {
    let mut out = String::from(
        "# Rendered by Volt from what was brought up last; `volt compose up` changes it.\n[Unit]\n",
    );
    let about = stack.description.as_deref().and_then(|text| text.lines().next());
    let about = about.map(|text| format!(": {}", sentence(text))).unwrap_or_default();
    let _ = writeln!(out, "Description=Volt stack {}{about}", stack.name);
    for unit in units {
        let _ = writeln!(out, "Wants={unit}");
    }
    out
}

impl Engine {
    fn target_dir(&self, stack: &Name) -> PathBuf {
        self.paths().units.join(format!("{}.d", target_name(stack)))
    }

    fn target_link(&self, stack: &Name) -> PathBuf {
        self.paths().units.join("multi-user.target.wants").join(target_name(stack))
    }

    /// Writes what systemd is told of a workload as one of its stack. Whether that was new.
    pub(super) fn write_stack_dropin(
        &self,
        stack: &Stack,
        key: &str,
        replica: u32,
    ) -> Result<bool> {
        let name = names::of_replica(stack, key, replica);
        let text = dropin(stack, key, replica, &self.settings().programs.volt);
        let beside = |unit: String| self.paths().units.join(format!("{unit}.d"));
        match stack.services.get(key).map(kind_of) {
            Some(Kind::Service) => write(&beside(service::unit::name(&name)), DROPIN, &text),
            Some(Kind::Task) => {
                let run = beside(task::unit::service(&name));
                let about = described(stack, key, replica);
                let about = format!("[Unit]\nDescription={about}\n{}", logged(stack, key, replica));
                let new = write(&run, DROPIN, &about)?;
                Ok(write(&beside(task::unit::timer(&name)), DROPIN, &text)? || new)
            }
            _ => write(&self.dropin_dir(&name), DROPIN, &text),
        }
    }

    /// Writes what systemd is told of a stack and of all its workloads that are there. Whether something of it was new.
    pub(super) fn write_stack_units(&self, stack: &Stack) -> Result<bool> {
        let (mut new, mut units) = (false, Vec::new());
        for (key, service) in &stack.services {
            for replica in 1..=service.replicas {
                let name = names::of_replica(stack, key, replica);
                if self.stack_has(&name) && self.kind_of(&name) == kind_of(service) {
                    new |= self.write_stack_dropin(stack, key, replica)?;
                    units.push(unit_of(service, &name));
                }
            }
        }
        units.extend(self.other_units(&stack.name, &units));
        let text = target(stack, &units);
        Ok(write(&self.target_dir(&stack.name), unit::DROPIN, &text)? || new)
    }

    /// The units that the target of a stack wants beside these, as far as their workloads are there and the stack's: of profiles that the
    /// last command did not name, and replicas that it did not count.
    fn other_units(&self, stack: &Name, known: &[String]) -> Vec<String> {
        let path = self.target_dir(stack).join(unit::DROPIN);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let is_own = |unit: &str| {
            let workload = workload_of(unit).filter(|(kind, name)| self.kind_of(name) == *kind);
            let labels = workload.and_then(|(_, name)| self.stack_labels(&name).ok());
            labels.is_some_and(|labels| stack_of(&labels) == Some(stack.as_str()))
        };
        let wanted = text.lines().filter_map(|line| line.strip_prefix("Wants="));
        let others = wanted.filter(|unit| known.iter().all(|known| known != unit) && is_own(unit));
        others.map(str::to_owned).collect()
    }

    /// Has systemd know that a stack is up, without starting anything of it; at boot it comes up again.
    pub(super) fn target_up(&self, stack: &Name, is_new: bool) -> Result<()> {
        if !self.can_use_systemd() {
            return Ok(());
        }
        self.target_at_boot(stack, true)?;
        let unit = target_name(stack);
        let listed = self.systemd().list_units(&[&unit])?;
        let is_up = listed.iter().any(|listed| listed.active.is_up());
        if is_up && is_new {
            // systemd has the old text of what is loaded.
            self.reload_units()?;
        }
        if !is_up {
            drop(self.systemd().run_job(JobKind::StartAlone, &unit, LIMIT)?);
        }
        Ok(())
    }

    /// Whether a stack comes up at boot, as it does since it was brought up or started and until it is stopped.
    pub(super) fn target_is_at_boot(&self, stack: &Name) -> bool {
        self.target_link(stack).symlink_metadata().is_ok()
    }

    /// Makes or removes the link by which a stack comes up at boot.
    pub(super) fn target_at_boot(&self, stack: &Name, on: bool) -> Result<()> {
        let path = self.target_link(stack);
        if !on {
            files::remove_file(&path)?;
            return Ok(());
        }
        if let Some(dir) = path.parent() {
            files::create_dirs(dir, 0o755)?;
        }
        link(&self.template(TEMPLATE), &path)
    }

    /// Has systemd know that a stack is down, which stops what is left of it.
    pub(super) fn target_down(&self, stack: &Name) -> Result<()> {
        self.target_at_boot(stack, false)?;
        if !self.can_use_systemd() {
            return Ok(());
        }
        Ok(self.systemd().stop(&target_name(stack), LIMIT)?)
    }

    /// Takes away all that systemd was told of a stack that is gone.
    pub(crate) fn remove_stack_units(&self, stack: &Name) -> Result<()> {
        self.target_down(stack)?;
        files::remove_tree(&self.target_dir(stack))?;
        if !self.can_use_systemd() {
            return Ok(());
        }
        // Since a boot, or since it last read its files, systemd remembers that the boot wants it.
        let listed = self.systemd().list_units(&[&target_name(stack)])?;
        if listed.is_empty() { Ok(()) } else { self.reload_units() }
    }
}

/// Writes a file where it says something else so far. Whether it did.
fn write(dir: &Path, file: &str, text: &str) -> Result<bool> {
    let path = dir.join(file);
    if files::read_text(&path, MAX).ok().as_deref() == Some(text) {
        return Ok(false);
    }
    files::create_dirs(dir, 0o755)?;
    files::write_atomic(&path, text.as_bytes(), 0o644)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::read;

    #[test]
    fn what_systemd_is_told() {
        let volt = Path::new("/usr/bin/volt");
        let text = "name: shop\ndescription: 100% shop\nservices:\n  web: {image: x, depends_on: [db]}\n  db: {image: x, scale: 2}\n";
        let stack = read(&"shop".parse().unwrap(), text).unwrap();
        let web = dropin(&stack, "web", 1, volt);
        assert!(web.contains("PartOf=volt-compose@shop.target\nAfter=volt-container@shop-db-1.service\nAfter=volt-container@shop-db-2.service\n"), "{web}");
        let text = "name: shop\nservices:\n  web: {image: x, depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully, required: false}}}\n  db: {image: x}\n  init: {image: x}\n";
        let gated = read(&"shop".parse().unwrap(), text).unwrap();
        let gated = dropin(&gated, "web", 1, volt);
        for line in [
            "After=volt-healthy@shop-db-1.service\nRequires=volt-healthy@shop-db-1.service\n",
            "After=volt-completed@shop-init-1.service\nWants=volt-completed@shop-init-1.service\n",
        ] {
            assert!(gated.contains(line), "{gated}");
        }
        assert!(web.contains("LogExtraFields=VOLT_STACK_SERVICE=web\n"), "{web}");
        let all = target(
            &stack,
            &["shop-db-1", "shop-web-1"].map(|name| unit::name(&name.parse().unwrap())),
        );
        assert!(all.ends_with("Description=Volt stack shop: 100%% shop\nWants=volt-container@shop-db-1.service\nWants=volt-container@shop-web-1.service\n"), "{all}");
        let text = "name: shop\nservices:\n  work: {exec: /x, scale: 2}\n  mail: {exec: /x, description: \"All of\\nit: 100%\"}\ntasks: {note: {exec: /x, every: 5m}}\n";
        let plain = read(&"shop".parse().unwrap(), text).unwrap();
        for (key, replica, line) in [
            ("work", 2, "Description=Volt service shop-work-2 (work 2 of the stack shop)\n"),
            ("mail", 1, "Description=All of it: 100%% (mail 1 of the stack shop)\n"),
            ("note", 1, "Description=Volt task shop-note-1 (note 1 of the stack shop), every 5m\n"),
        ] {
            let text = dropin(&plain, key, replica, volt);
            assert!(text.contains(line), "{text}");
        }
        let text = "name: shop\nservices:\n  web: {image: x, depends_on: {work: {condition: service_completed_successfully}, note: {condition: service_completed_successfully}}}\n  work: {exec: /x}\ntasks: {note: {exec: /x, every: 5m}}\n";
        let awaited = read(&"shop".parse().unwrap(), text).unwrap();
        let waits = dropin(&awaited, "web", 1, volt);
        for gate in ["volt-service-completed@shop-work-1", "volt-task-completed@shop-note-1"] {
            assert!(waits.contains(&format!("Requires={gate}.service\n")), "{waits}");
        }
        let note = "ExecStopPost=+:/usr/bin/volt internal service-ended shop-work-1\n";
        assert!(dropin(&awaited, "work", 1, volt).ends_with(note));
        assert!(!dropin(&awaited, "note", 1, volt).contains("ExecStopPost"));
        assert!(!dropin(&plain, "work", 1, volt).contains("ExecStopPost"));
        assert!(web.contains("Description=Volt container shop-web-1 (web 1 of the stack shop)\n"));
        assert_eq!(stack_of_target("volt-compose@shop.target").unwrap().as_str(), "shop");
    }
}
