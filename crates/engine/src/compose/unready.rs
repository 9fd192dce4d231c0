//! What the files of stacks may say and the engine can't do yet. Each is refused before anything changes, all at once; whoever
//! makes one work takes it out here.

use crate::error::{Error, Result};
use volt_compose::Stack;
use volt_compose::stack::{Container, Isolation, NetworkMode, Workload};
use volt_model::kind::ErrorKind;

/// Refuses a stack that has something that can't be done yet.
pub(super) fn refuse(stack: &Stack) -> Result<()> {
    let mut all: Vec<String> = Vec::new();
    for (key, service) in &stack.services {
        match &service.workload {
            Workload::Container(container) => {
                all.extend(
                    of_container(stack, container).into_iter().map(|what| format!("{key}: {what}")),
                );
            }
            Workload::Service(_) | Workload::Task(_) => {}
            Workload::Vm(_) => all.push(format!("{key}: a stack can't have a vm yet")),
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

fn of_container(stack: &Stack, container: &Container) -> Vec<String> {
    let mut all = Vec::new();
    if matches!(container.isolation, Isolation::Vm | Isolation::MicroVm) {
        all.push(format!("there is no isolation: {} yet", container.isolation.as_str()));
    }
    if let NetworkMode::Service(other) = &container.network
        && stack.services.get(other).is_some_and(|other| other.container().is_none())
    {
        all.push(format!("it can't share the network of {other}, which is no container"));
    }
    all
}
