//! What there is of a stack, told by labels, and the images that it is made of.

use crate::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use volt_compose::launch::{HASH, REPLICA, SERVICE, STACK};
use volt_compose::plan::{Existing, Have, State};
use volt_compose::stack::{External, Service};
use volt_compose::{Stack, hash, names};
use volt_model::container::Spec;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state;
use volt_store::Image;

/// The stack that labels name.
pub(super) fn stack_of(labels: &BTreeMap<String, String>) -> Option<&str> {
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
        for network in self.networks()?.iter().filter(|network| own(&network.labels)) {
            have.networks.insert(network.name.to_string(), hash_of(&network.labels));
        }
        for volume in self.volume_names()? {
            let Ok(data) = self.volume_metadata(&volume) else { continue };
            if own(&data.labels) {
                have.volumes.insert(volume.to_string(), hash_of(&data.labels));
            }
        }
        let specs: Vec<Spec> = self.specs()?.into_iter().filter(|spec| own(&spec.labels)).collect();
        let mut states = self.run_states(&specs)?;
        for spec in specs {
            let state = states.remove(&spec.name).map_or(state::State::Stopped, |run| run.state);
            // One on its way down, by a command that was killed, is down when this is acted upon.
            let state = match state {
                state::State::Stopping => self.settled_state(&spec)?,
                state => state,
            };
            let label = |key: &str| spec.labels.get(key).cloned().unwrap_or_default();
            let existing = Existing {
                service: label(SERVICE),
                replica: label(REPLICA).parse().unwrap_or_default(),
                hash: label(HASH),
                state: self.how_it_stands(&spec.name, state),
            };
            have.workloads.insert(spec.name.to_string(), existing);
        }
        Ok(have)
    }

    fn how_it_stands(&self, name: &Name, state: state::State) -> State {
        match state {
            state::State::Frozen => State::Paused,
            state::State::Starting => State::Starting,
            state if state.is_alive() => State::Running,
            _ => match self.last_exit(name) {
                Some(exit) => State::Ended { well: exit.code == 0 },
                None => State::Stopped,
            },
        }
    }

    /// The images of the services that a plan is about, by service.
    ///
    /// # Errors
    /// `NotFound`, naming all that are missing.
    pub(super) fn stack_images(
        &self,
        stack: &Stack,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, Image>> {
        let (mut images, mut missing) = (BTreeMap::new(), Vec::new());
        for key in stack.services.keys() {
            let Some(image) = image_of(stack, key)? else { continue };
            match self.images().inspect(&image) {
                Ok(found) => drop(images.insert(key.clone(), found)),
                Err(volt_store::Error::NotFound(_)) if wanted(key) => missing.push(image),
                Err(volt_store::Error::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        missing.sort();
        missing.dedup();
        if missing.is_empty() {
            return Ok(images);
        }
        let all = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Err(Error::new(ErrorKind::NotFound, format!("There is no image {all}"))
            .about(&all)
            .hinted("Get it with `volt compose pull`, or build it with `volt compose up --build`"))
    }

    /// The hashes that workloads of each service are to have.
    pub(super) fn stack_hashes(
        stack: &Stack,
        images: &BTreeMap<String, Image>,
    ) -> BTreeMap<String, String> {
        let hash = |(key, image): (&String, &Image)| {
            let tree = format!("image {}", image.tree);
            (key.clone(), hash::of_service(stack, key, &[&tree]))
        };
        images.iter().map(hash).collect()
    }

    /// Refuses a stack that uses what it doesn't make and what isn't there.
    pub(super) fn check_external(&self, stack: &Stack) -> Result<()> {
        for (key, network) in &stack.networks {
            if network.external == External::Yes {
                self.network(&names::of_network(stack, key))?;
            }
        }
        for (key, volume) in &stack.volumes {
            let name = names::of_volume(stack, key);
            if volume.external == External::Yes && !self.volume_exists(&name) {
                return Err(Error::not_found("volume", &name)
                    .hinted(format!("Make it: volt volume create {name}")));
            }
        }
        Ok(())
    }
}

/// The image of a service that is a container, by the name that its build has where the file gives none.
pub(super) fn image_of(stack: &Stack, key: &str) -> Result<Option<ImageRef>> {
    let Some(container) = stack.services.get(key).and_then(|service| service.container()) else {
        return Ok(None);
    };
    if let Some(image) = &container.image {
        return Ok(Some(image.clone()));
    }
    let built = names::of_built_image(&stack.name, key);
    built.parse().map(Some).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("{built} can't be an image")).because(error)
    })
}
