//! What the files of stacks may say and the engine can't do yet. Whoever makes one work takes it out here.

use super::check::Refused;
use crate::error::Error;
use volt_compose::Stack;
use volt_compose::stack::{Container, Isolation, NetworkMode, Workload};
use volt_model::kind::ErrorKind;

/// What of a stack can't be done yet.
pub(super) fn refused(stack: &Stack) -> Refused {
    let of_service = |workload: &Workload| match workload {
        Workload::Container(container) => of_container(stack, container),
        Workload::Service(_) | Workload::Task(_) => Vec::new(),
        Workload::Vm(_) => vec!["A stack can't have a vm yet".to_owned()],
    };
    let error = |title| {
        Error::new(ErrorKind::Dependency, title)
            .about(&stack.name)
            .hinted("Take it out of the file; docs/stacks.md says what works")
    };
    let all = stack.services.iter();
    let all = all.flat_map(|(key, service)| {
        of_service(&service.workload).into_iter().map(move |what| (key.clone(), error(what)))
    });
    all.collect()
}

fn of_container(stack: &Stack, container: &Container) -> Vec<String> {
    let mut all = Vec::new();
    if matches!(container.isolation, Isolation::Vm | Isolation::MicroVm) {
        all.push(format!("There is no isolation: {} yet", container.isolation.as_str()));
    }
    if let NetworkMode::Service(other) = &container.network
        && stack.services.get(other).is_some_and(|other| other.container().is_none())
    {
        all.push(format!("It can't share the network of {other}, which is no container"));
    }
    all
}
