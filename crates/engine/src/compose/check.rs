//! What the engine would refuse of a stack: asked before anything changes, and told all at once.

use super::act::{name_of_old, wanted};
use super::found::{has_replica, stack_of};
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use volt_compose::launch::{self, Launch};
use volt_compose::plan::{Action, Kind, Plan};
use volt_compose::stack::External;
use volt_compose::{Stack, names};
use volt_model::container::{Network, Spec};
use volt_model::kind::ErrorKind;
use volt_model::mount::Source;
use volt_model::name::Name;
use volt_store::Image;

/// What is refused, each with the key that it stands under in the file.
pub(super) type Refused = Vec<(String, Error)>;

/// One error for all that is refused; none where nothing is.
pub(super) fn refuse_all(stack: &Name, mut all: Refused) -> Result<()> {
    let Some((key, first)) = all.pop() else { return Ok(()) };
    if all.is_empty() {
        return Err(Error { message: format!("{key}: {}", first.message), ..first });
    }
    all.push((key, first));
    let line = |(key, error): &(String, Error)| {
        let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{key}: {}{hint}", error.chain().join(": "))
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    let kind = all[0].1.kind;
    let same = all.iter().all(|(_, error)| error.kind == kind);
    let title = format!("{} things of the stack {stack} can't be so", all.len());
    Err(Error::new(if same { kind } else { ErrorKind::InvalidConfig }, title)
        .about(stack)
        .because(lines.join("\n")))
}

impl Engine {
    /// Finds the containers of a plan that could not be made as they are to be, or not be set aside. What the plan leaves as it is was
    /// looked at when it was made.
    pub(super) fn check_made(
        &self,
        stack: &Stack,
        plan: &Plan,
        images: &BTreeMap<String, Image>,
        refused: &mut Refused,
    ) {
        // What is known of a service, or of a network that it has, is not told again.
        let known: Vec<(String, String)> =
            refused.iter().map(|(key, error)| (key.clone(), error.message.clone())).collect();
        let made = plan.steps.iter().filter(|step| {
            step.kind == Kind::Workload && matches!(step.action, Action::Create | Action::Recreate)
        });
        let keys: BTreeSet<&String> = made.map(|step| &step.key).collect();
        let keys = keys.into_iter().filter(|key| known.iter().all(|(known, _)| known != *key));
        for key in keys {
            // The replicas of one service differ in nothing that is looked at here.
            let (Some(launch), Some(image)) = (launch::launch(stack, key, 1, ""), images.get(key))
            else {
                continue;
            };
            let mut errors = self.check_launch(stack, launch, image);
            errors.retain(|error| known.iter().all(|(_, known)| *known != error.message));
            refused.extend(errors.into_iter().map(|error| (key.clone(), error)));
        }
        let gives_way = plan.steps.iter().filter(|step| {
            let gives_way = matches!(step.action, Action::Recreate | Action::Stop | Action::Remove);
            step.kind == Kind::Workload && gives_way
        });
        refused.extend(gives_way.filter_map(|step| {
            let name = step.name.parse().ok()?;
            Some((step.key.clone(), self.check_set_aside(stack, &name).err()?))
        }));
    }

    /// Refuses to set a container aside where somebody else has the name that it would have meanwhile.
    pub(super) fn check_set_aside(&self, stack: &Stack, name: &Name) -> Result<()> {
        let was = name_of_old(name);
        if !self.container_exists(name) || !self.stack_has(&was) {
            return Ok(());
        }
        let is_own = stack_of(&self.stack_labels(&was)?) == Some(stack.name.as_str());
        // One that a killed command has left.
        if is_own && self.container_exists(&was) && !has_replica(stack, &was) {
            return Ok(());
        }
        let title =
            format!("The name {was} is taken, which {name} has while another takes its place");
        Err(Error::new(ErrorKind::Conflict, title)
            .about(&was)
            .hinted(format!("Give that one another: volt container rename {was} NAME")))
    }

    /// What is wrong with a container of a stack.
    fn check_launch(&self, stack: &Stack, launch: Launch, image: &Image) -> Vec<Error> {
        let mut made = launch.make_folders.clone();
        made.retain(|folder| !Path::new(folder).exists());
        let name = launch.name.clone();
        let spec =
            wanted(launch, image).and_then(|create| self.checked_container(name, create, image));
        let mut spec = match spec {
            Ok((spec, _)) => spec,
            Err(error) => return vec![error],
        };
        // These will be there by then.
        spec.binds
            .retain(|bind| !matches!(&bind.source, Source::Host(path) if made.contains(path)));
        [
            self.check_shared_network(stack, &spec),
            self.check_ports(stack, &spec),
            self.check_binds(&spec),
        ]
        .into_iter()
        .filter_map(Result::err)
        .collect()
    }

    /// Refuses to share the network of what has none, be it made by the same `up`.
    fn check_shared_network(&self, stack: &Stack, spec: &Spec) -> Result<()> {
        let Network::Container(other) = &spec.network else { return Ok(()) };
        let is_own = |key: &&String| names::of_replica(stack, key, 1) == *other;
        let owner = stack.services.keys().find(is_own);
        match owner.and_then(|key| launch::launch(stack, key, 1, "")) {
            None => self.check_owner_of_network(spec),
            Some(owner) if owner.network == Network::None => Ok(()),
            Some(owner) => Err(crate::container::no_network_to_share(spec, other, &owner.network)),
        }
    }

    /// Refuses ports that nobody outside reaches, be the network made by the same `up`.
    fn check_ports(&self, stack: &Stack, spec: &Spec) -> Result<()> {
        let Some(first) = spec.networks.first() else { return Ok(()) };
        let mut own = stack.networks.iter().filter(|(_, network)| network.external == External::No);
        let own = own.find(|(key, _)| names::of_network(stack, key) == first.network);
        let internal = match own {
            Some((_, network)) => network.internal,
            None => self.network(&first.network)?.internal,
        };
        if internal { crate::net::refuse_ports_from_outside(spec, &first.network) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_told_all_at_once() {
        let stack: Name = "shop".parse().unwrap();
        let error = |kind, text: &str| Error::new(kind, text).hinted("Leave it out");
        assert!(refuse_all(&stack, Vec::new()).is_ok());
        let one = vec![("web".to_owned(), error(ErrorKind::Usage, "It can't be"))];
        let one = refuse_all(&stack, one).unwrap_err();
        assert_eq!((one.kind, one.message.as_str()), (ErrorKind::Usage, "web: It can't be"));
        assert_eq!(one.hint.as_deref(), Some("Leave it out"));
        for (second, kind) in [
            (ErrorKind::Dependency, ErrorKind::Dependency),
            (ErrorKind::Usage, ErrorKind::InvalidConfig),
        ] {
            let two = vec![
                ("web".to_owned(), error(ErrorKind::Dependency, "It can't be")),
                ("db".to_owned(), error(second, "Nor this")),
            ];
            let two = refuse_all(&stack, two).unwrap_err();
            assert_eq!(two.kind, kind);
            let lines = "web: It can't be (Leave it out)\ndb: Nor this (Leave it out)";
            assert_eq!(two.chain()[1], lines);
        }
    }
}
