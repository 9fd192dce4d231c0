//! What there is of a stack, told by labels, and the images that it is made of.

use super::check::Refused;
use super::secrets::Owned;
use crate::Engine;
use crate::error::{Error, Result};
use crate::net::Held;
use crate::plain::{group_of, is_frozen};
use crate::workload::Kind;
use std::collections::BTreeMap;
use volt_compose::launch::{HASH, REPLICA, SERVICE, STACK};
use volt_compose::plan::{Existing, Have, Hold, State};
use volt_compose::stack::{External, Grant, Service, Workload};
use volt_compose::{Stack, hash, names};
use volt_model::container::Spec;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::ip_of;
use volt_model::{state, task};
use volt_store::Image;

/// The stack that labels name.
pub(crate) fn stack_of(labels: &BTreeMap<String, String>) -> Option<&str> {
    labels.get(STACK).map(String::as_str)
}

/// Whether a container of the stack is called so.
pub(super) fn has_replica(stack: &Stack, name: &Name) -> bool {
    let has = |(key, service): (&String, &Service)| {
        (1..=service.replicas).any(|number| names::of_replica(stack, key, number) == *name)
    };
    stack.services.iter().any(has)
}

impl Engine {
    /// Finishes or undoes what killed commands have left of the containers and volumes of a stack: what is half there or half gone is neither. The
    /// stack must be locked.
    pub(super) fn settle_stack(&self, stack: &Stack) -> Result<()> {
        let begins = format!("{}-", stack.name);
        let is_own = |name: &Name| {
            let spec = self.spec(name).ok();
            name.as_str().starts_with(&begins)
                || spec.is_some_and(|spec| stack_of(&spec.labels) == Some(stack.name.as_str()))
                || has_replica(stack, name)
        };
        for name in self.intended_names().iter().filter(|name| is_own(name)) {
            // Whoever locks the name does it.
            drop(self.lock_name(name)?);
        }
        self.sweep_volumes(&|volume| {
            let labels = self.volume_metadata(volume).map(|data| data.labels).unwrap_or_default();
            stack_of(&labels) == Some(stack.name.as_str())
                || self.owner_of_volume(volume).is_some_and(|owner| has_replica(stack, &owner))
        })
    }

    /// What there is of a stack. One call to systemd, one record read for each container.
    pub(super) fn stack_have(&self, name: &Name) -> Result<Have> {
        let mut have = Have::default();
        let own = |labels: &BTreeMap<String, String>| stack_of(labels) == Some(name.as_str());
        let hash_of =
            |labels: &BTreeMap<String, String>| labels.get(HASH).cloned().unwrap_or_default();
        let networks = self.networks()?;
        for network in networks.iter().filter(|network| own(&network.labels)) {
            have.networks.insert(network.name.to_string(), hash_of(&network.labels));
        }
        for volume in self.volume_names()? {
            let Ok(data) = self.volume_metadata(&volume) else { continue };
            if own(&data.labels) {
                have.volumes.insert(volume.to_string(), hash_of(&data.labels));
            }
        }
        have.secrets = self.have_secrets(name)?;
        let specs: Vec<Spec> = self.specs()?.into_iter().filter(|spec| own(&spec.labels)).collect();
        let mut states = self.run_states(&specs)?;
        let held = self.held_addresses();
        let addresses = |name: &Name| -> Vec<Hold> {
            let address = |held: &Held| {
                let network = networks.iter().find(|network| network.name == held.network)?;
                let ip = ip_of(network.subnet, held.number);
                Some(Hold::Address(held.network.to_string(), ip))
            };
            held.iter().filter(|held| held.workload == *name).filter_map(address).collect()
        };
        for spec in specs {
            let state = states.remove(&spec.name).map_or(state::State::Stopped, |run| run.state);
            // One on its way down, by a command that was killed, is down when this is acted upon.
            let state = match state {
                state::State::Stopping => self.settled_state(&spec)?,
                state => state,
            };
            let state = self.how_it_stands(&spec.name, state);
            let places = spec.networks.iter().map(|one| Hold::Network(one.network.to_string()));
            let ports = spec.publish.iter().cloned().map(Hold::Port);
            let holds = places.chain(ports).chain(addresses(&spec.name)).collect();
            let existing = existing(&spec.labels, state, holds);
            have.workloads.insert(spec.name.to_string(), existing);
        }
        self.plain_have(name, &mut have)?;
        Ok(have)
    }

    /// The services and tasks of a stack. One more call to systemd where there are any.
    fn plain_have(&self, stack: &Name, have: &mut Have) -> Result<()> {
        let own = |labels: &BTreeMap<String, String>| stack_of(labels) == Some(stack.as_str());
        let services = self.service_specs()?.into_iter().filter(|spec| own(&spec.labels));
        let tasks = self.task_specs()?.into_iter().filter(|spec| own(&spec.labels));
        let place = |network: &Name| Hold::Network(network.to_string());
        let down = State::Stopped;
        let all: Vec<(Name, String, Existing)> = services
            .map(|spec| (spec.name.clone(), spec.unit(), existing(&spec.labels, down, Vec::new())))
            .chain(tasks.map(|spec| {
                // A run of it is on its network.
                let holds = spec.network.iter().map(place).collect();
                let unit = task::unit::timer(&spec.name);
                (spec.name, unit, existing(&spec.labels, down, holds))
            }))
            .collect();
        if all.is_empty() || !self.can_use_systemd_to_look() {
            return Ok(());
        }
        let patterns: Vec<&str> = all.iter().map(|(_, unit, ..)| unit.as_str()).collect();
        let listed = self.systemd().list_units(&patterns)?;
        for (name, unit, mut existing) in all {
            let found = listed.iter().find(|listed| listed.name == unit);
            let state = found.map_or(state::State::Stopped, |listed| {
                let frozen = is_frozen(&group_of(&unit));
                state::State::from_systemd(listed.active.word(), &listed.sub, frozen)
            });
            existing.state = match state {
                state::State::Frozen => State::Paused,
                state::State::Failed => State::Ended { well: false },
                state::State::Starting => State::Starting,
                state if state.is_alive() => State::Running,
                _ => self.how_it_ended_last(&name),
            };
            have.workloads.insert(name.to_string(), existing);
        }
        Ok(())
    }

    fn how_it_stands(&self, name: &Name, state: state::State) -> State {
        match state {
            state::State::Frozen => State::Paused,
            state::State::Starting => State::Starting,
            state if state.is_alive() => State::Running,
            _ => self.how_it_ended_last(name),
        }
    }

    fn how_it_ended_last(&self, name: &Name) -> State {
        self.ended_well(name).map_or(State::Stopped, |well| State::Ended { well })
    }

    /// Whether the last run of a workload ended well; none where that isn't known, as of services that nobody waits for.
    pub(super) fn ended_well(&self, name: &Name) -> Option<bool> {
        match self.kind_of(name) {
            Kind::Container => self.last_exit(name).map(|exit| exit.code == 0),
            Kind::Service => self.service_end(name).map(|end| end.is_good()),
            Kind::Task => None,
        }
    }

    /// The images of the services of a stack, by service. Those that are not there are refused of the services that are wanted.
    pub(super) fn stack_images(
        &self,
        stack: &Stack,
        wanted: &dyn Fn(&str) -> bool,
        refused: &mut Refused,
    ) -> Result<BTreeMap<String, Image>> {
        let mut images = BTreeMap::new();
        for key in stack.services.keys() {
            let Some(image) = image_of(stack, key)? else { continue };
            match self.images().inspect(&image) {
                Ok(found) => drop(images.insert(key.clone(), found)),
                Err(volt_store::Error::NotFound(_)) if wanted(key) => {
                    refused.push((key.clone(), no_image(&image)));
                }
                Err(volt_store::Error::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(images)
    }

    /// The hashes that workloads of each service are to have.
    pub(super) fn stack_hashes(
        stack: &Stack,
        images: &BTreeMap<String, Image>,
        owned: &Owned,
        (secrets, configs): (&BTreeMap<String, String>, &BTreeMap<String, String>),
    ) -> BTreeMap<String, String> {
        let hash = |(key, service): (&String, &Service)| {
            // Two images of one tree may be run in different ways.
            let image = images.get(key);
            let image =
                image.map(|image| format!("image {} {}", image.tree, hash::of(&image.config)));
            let mut more: Vec<String> = image.into_iter().collect();
            let marked = |what, grants: &[Grant], marks: &BTreeMap<String, String>| {
                let mark = |grant: &Grant| {
                    let mark = marks.get(&grant.source)?;
                    Some(format!("{what} {} {mark}", grant.source))
                };
                grants.iter().filter_map(mark).collect::<Vec<String>>()
            };
            more.extend(marked("secret", service.secrets(), secrets));
            if let Some(container) = service.container() {
                more.extend(marked("config", &container.configs, configs));
            }
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            // It becomes a label, which is for everybody to see.
            (key.clone(), owned.hash(hash::of_service(stack, key, &more).as_bytes()))
        };
        stack.services.iter().map(hash).collect()
    }

    /// What a stack uses, doesn't make, and isn't there.
    pub(super) fn check_external(&self, stack: &Stack) -> Refused {
        let networks = stack.networks.iter().filter(|(_, one)| one.external == External::Yes);
        let networks = networks.filter_map(|(key, _)| {
            let error = self.network(&names::of_network(stack, key)).err()?;
            Some((format!("networks.{key}"), error))
        });
        let volumes = stack.volumes.iter().filter(|(_, one)| one.external == External::Yes);
        let volumes = volumes.filter_map(|(key, _)| {
            let name = names::of_volume(stack, key);
            let error = || {
                Error::not_found("volume", &name)
                    .hinted(format!("Make it: volt volume create {name}"))
            };
            (!self.volume_exists(&name)).then(|| (format!("volumes.{key}"), error()))
        });
        let secrets = stack.secrets.iter().filter(|(_, one)| one.external() == External::Yes);
        let secrets = secrets.filter_map(|(key, _)| {
            let name = names::of_secret(stack, key);
            let is_there = self.secret_path(&name).exists();
            (!is_there).then(|| (format!("secrets.{key}"), self.no_secret(&name)))
        });
        networks.chain(volumes).chain(secrets).collect()
    }
}

fn no_image(image: &ImageRef) -> Error {
    Error::new(ErrorKind::NotFound, format!("There is no image {image}"))
        .about(image)
        .hinted("Get it with `volt compose pull`, or build it with `volt compose up --build`")
}

/// A workload as its labels tell of it.
fn existing(labels: &BTreeMap<String, String>, state: State, holds: Vec<Hold>) -> Existing {
    let label = |key: &str| labels.get(key).cloned().unwrap_or_default();
    let replica = label(REPLICA).parse().unwrap_or_default();
    Existing { service: label(SERVICE), replica, hash: label(HASH), state, holds }
}

/// The image of a service that is a container, or of a task in one, by the name that its build has where the file gives none.
pub(super) fn image_of(stack: &Stack, key: &str) -> Result<Option<ImageRef>> {
    let container = match stack.services.get(key).map(|service| &service.workload) {
        Some(Workload::Container(container)) => container,
        Some(Workload::Task(task)) => return Ok(task.container.clone()),
        _ => return Ok(None),
    };
    if let Some(image) = &container.image {
        return Ok(Some(image.clone()));
    }
    let built = names::of_built_image(&stack.name, key);
    built.parse().map(Some).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("{built} can't be an image")).because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_images_of_one_tree_are_two_when_they_run_otherwise() {
        let text = "name: shop\nservices:\n  web: {image: x}\n";
        let stack = super::super::read(&"shop".parse().unwrap(), text).unwrap();
        let (owned, none) = (Owned::none().unwrap(), BTreeMap::new());
        let hash = |config: serde_json::Value, size: u64| {
            let image = json!({
                "version": Image::VERSION, "name": "x", "created": "2026-01-01T00:00:00Z", "size": size, "entries": 1,
                "tree": format!("blake3:{}", "0".repeat(64)), "origin": "folder", "config": config,
            });
            let image = serde_json::from_value(image).unwrap();
            let images = BTreeMap::from([("web".to_owned(), image)]);
            Engine::stack_hashes(&stack, &images, &owned, (&none, &none)).remove("web").unwrap()
        };
        let plain = hash(json!({ "cmd": ["a"] }), 1);
        assert_eq!(plain, hash(json!({ "cmd": ["a"] }), 2));
        for other in [json!({ "cmd": ["b"] }), json!({ "cmd": ["a"], "user": "mail" })] {
            assert_ne!(plain, hash(other, 1));
        }
    }
}
