//! What the files of stacks may say and the engine can't do yet. Each is refused before anything changes, all at once; whoever
//! makes one work takes it out here.

use crate::error::{Error, Result};
use volt_compose::Stack;
use volt_compose::stack::{AssetSource, Container, Isolation, MountKind, NetworkMode, Workload};
use volt_model::kind::ErrorKind;

/// Refuses a stack that has something that can't be done yet.
pub(super) fn refuse(stack: &Stack) -> Result<()> {
    let mut all: Vec<String> = Vec::new();
    for (key, service) in &stack.services {
        match &service.workload {
            Workload::Container(container) => {
                all.extend(
                    of_container(container).into_iter().map(|what| format!("{key}: {what}")),
                );
            }
            other => all.push(format!("{key}: a stack can't have a {} yet", other.kind())),
        }
    }
    for (key, config) in &stack.configs {
        if config.source == AssetSource::External {
            all.push(format!("the config {key}: there are none outside of stacks yet"));
        }
    }
    for (key, volume) in &stack.volumes {
        if let Some(driver) = volume.driver.as_deref().filter(|driver| *driver != "local") {
            all.push(format!("the volume {key}: there is no driver {driver} yet"));
        } else if !volume.driver_opts.is_empty() {
            all.push(format!("the volume {key}: its driver has no options yet"));
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    let title = format!("The stack {} has what Volt can't do yet", stack.name);
    Err(Error::new(ErrorKind::Dependency, title)
        .about(&stack.name)
        .because(all.join("\n"))
        .hinted("Take it out of the file; docs/stacks.md says what works"))
}

fn of_container(container: &Container) -> Vec<String> {
    let mut all = Vec::new();
    if matches!(container.isolation, Isolation::Vm | Isolation::MicroVm) {
        all.push(format!("there is no isolation: {} yet", container.isolation.as_str()));
    }
    if let NetworkMode::Service(other) = &container.network {
        all.push(format!("it can't share the network of {other} yet"));
    }
    if !container.secrets.is_empty() {
        all.push(
            "a stack can't have secrets yet, though containers can (`volt secret --help`)"
                .to_owned(),
        );
    }
    for mount in &container.mounts {
        if let MountKind::Volume { subpath: Some(path), .. } = &mount.kind {
            all.push(format!("a part of a volume ({path}) can't be mounted yet"));
        }
    }
    all
}
